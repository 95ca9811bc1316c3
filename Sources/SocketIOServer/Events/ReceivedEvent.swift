import EngineIO
import NIOCore
import OrderedCollections
public import SocketIOWire
import Synchronization

/// An event that a client sent.
public struct ReceivedEvent: Sendable {
    /// The socket of the client that sent it.
    public let socket: Socket
    /// The event's name, which is compared by its bytes; a numeric name is its decimal text.
    public let name: UTF8Text
    /// The arguments after the name, decoded when asked for.
    public let arguments: Arguments
    let acknowledgementID: Int?
    /// Shared by the handlers of one event, of which only the first may answer; absent when there is just one.
    let answered: AnsweredOnce?

    /// The same event, to be kept until its handler's turn: without the memory that its arguments share with what else
    /// the client has sent.
    func detached() -> ReceivedEvent {
        ReceivedEvent(
            socket: self.socket,
            name: self.name,
            arguments: self.arguments.detached(),
            acknowledgementID: self.acknowledgementID,
            answered: self.answered
        )
    }

    /// Whether the client waits for an acknowledgement.
    public var expectsAcknowledgement: Bool { self.acknowledgementID != nil }

    /// Answers the client's acknowledgement; only the first answer counts, and only if the client asked for one.
    ///
    /// The answer is sent even if the socket left the namespace meanwhile, as long as its connection is open.
    public func acknowledge<each Value: Encodable & Sendable>(_ values: repeat each Value) {
        self.acknowledge { writer in
            repeat try writer.write(each values)
        }
    }

    /// Answers the client's acknowledgement with these arguments.
    public func acknowledge(values: [JSONValue]) {
        self.acknowledge { writer in
            writer.write(contentsOf: values)
        }
    }

    @usableFromInline
    func acknowledge(_ write: (inout PayloadWriter) throws -> Void) {
        guard let id = self.acknowledgementID, self.answered?.isFirst() ?? true else { return }
        let socket = self.socket
        let namespace = socket.namespace.name
        do {
            guard socket.eventLoop.inEventLoop, socket.isUpToDate else {
                let packet = try PacketEncoder.acknowledgement(id: id, namespace: namespace, write: write)
                socket.shard.later { socket.session.send(packet) }
                return
            }
            try socket.session.send(
                appending: {
                    try PacketEncoder.appendAcknowledgement(id: id, namespace: namespace, to: &$0, write: write)
                },
                orEncoding: { try PacketEncoder.acknowledgement(id: id, namespace: namespace, write: write) }
            )
        } catch {
            socket.namespace.reportUnencodable(event: self.name.string, error: error)
            // The client waits, and this can be sent.
            let answer = PacketEncoder.acknowledgement(id: id, arguments: [Self.internalError], namespace: namespace)
            if socket.eventLoop.inEventLoop, socket.isUpToDate {
                socket.session.send(answer)
            } else {
                socket.shard.later { socket.session.send(answer) }
            }
        }
    }

    private static let internalError: JSONValue = ["error": "internal error"]

    /// Tells a client that waits for an acknowledgement that its event was not handled.
    func acknowledge(error: any Error) {
        guard self.expectsAcknowledgement else { return }
        var answer: JSONObject = [:]
        switch error {
        case let rejected as RejectedEvent:
            answer["error"] = .string(rejected.message)
            if let data = rejected.data { answer["data"] = data }
        case is DecodingError, is ArgumentError:
            answer["error"] = "invalid arguments"
        default:
            answer["error"] = "internal error"
        }
        self.acknowledge(values: [.object(answer)])
    }
}

/// Remembers that an event has been answered.
final class AnsweredOnce: Sendable {
    private let answered = Atomic(false)

    /// `true` for the first caller only.
    func isFirst() -> Bool {
        !self.answered.exchange(true, ordering: .relaxed)
    }
}
