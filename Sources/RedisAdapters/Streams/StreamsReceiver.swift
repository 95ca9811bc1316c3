import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Takes what arrives for one namespace, from the stream and on its channels; on the bus's loop.
final class StreamsReceiver: StreamMember {
    let namespace: UTF8Text
    let stream: String
    private let name: String
    private let nodeID: UTF8Text
    /// The same as it stands in entries, so that it is compared without making strings.
    private let uid: ByteBuffer
    private let signature: ClusterSignature
    private let responseChannel: ByteBuffer
    private let log: (any StreamLog)?
    private let receiver: ClusterReceiver

    init(dialect: StreamsDialect, log: (any StreamLog)?, receiver: ClusterReceiver) {
        self.namespace = UTF8Text(dialect.namespace)
        self.stream = dialect.stream
        self.name = dialect.namespace
        self.nodeID = UTF8Text(dialect.uid)
        self.uid = ByteBuffer(string: dialect.uid)
        self.signature = dialect.encoder.signature
        self.responseChannel = ByteBuffer(string: dialect.responseChannel)
        self.log = log
        self.receiver = receiver
    }

    // MARK: The stream

    var keepsLog: Bool { self.log != nil }

    func logBegins(_ history: String, after id: RESPStreamID) { self.log?.begins(history, after: id) }

    func logReached(_ id: RESPStreamID) { self.log?.reached(id) }

    func entriesAreMissing() { self.receiver.eventsMayBeMissing() }

    func received(_ entry: StreamEntry, at id: RESPStreamID, isInLog: Bool) {
        guard !entry.isFrom(self.uid) else {
            if isInLog, entry.type == .broadcast { self.log?.readOwn(entry, at: id) }
            return
        }
        do throws(ClusterProtocolError) {
            try self.received(entry.content(), byteCount: entry.byteCount, at: isInLog ? id : nil)
        } catch {
            self.receiver.rejected(error.reason.rawValue, error, from: self.stream)
        }
    }

    // MARK: Channels

    func received(_ message: RESPMessage) {
        guard !self.signature.isOn(message.payload) else { return }
        if SessionMessage.isOne(message.payload) {
            // Nobody else is to get it, and official nodes write no such thing.
            guard message.channel == self.responseChannel else {
                let error = ClusterProtocolError(.wrongChannel, "a message about a session, for everybody")
                let channel = String(buffer: message.channel)
                return self.receiver.rejected(error.reason.rawValue, error, from: channel)
            }
            self.log?.received(message.payload)
            return
        }
        do throws(ClusterProtocolError) {
            let envelope = try ClusterEnvelope(parsing: message.payload)
            guard envelope.uid != self.nodeID else { return }
            guard envelope.namespace == nil || envelope.namespace == self.namespace else {
                throw ClusterProtocolError(.wrongChannel, "a message for another namespace")
            }
            try self.received(envelope.content, byteCount: message.payload.readableBytes, at: nil)
        } catch {
            self.receiver.rejected(error.reason.rawValue, error, from: String(buffer: message.channel))
        }
    }

    // MARK: Both

    private func received(
        _ content: ClusterEnvelope.Content,
        byteCount: Int,
        at id: RESPStreamID?
    ) throws(ClusterProtocolError) {
        switch content {
        case .broadcast(let broadcast): try self.received(broadcast, at: id)
        case .request(let request): self.receiver.received(request, byteCount: byteCount)
        case .response(let response): try self.received(response, byteCount: byteCount)
        // Nodes of version 0.2 count each other by these.
        case .heartbeat: break
        }
    }

    private func received(_ broadcast: ClusterBroadcast, at id: RESPStreamID?) throws(ClusterProtocolError) {
        guard let options = broadcast.options else { return self.receiver.filtered() }
        if let log = self.log {
            // Every event is kept, because a client that is away on another node may come back to this one.
            let packet = try broadcast.payload.packet(for: self.name)
            self.receiver.delivered()
            return log.deliver(packet, options: options, at: broadcast.takesOffset ? id : nil)
        }
        guard options.rooms.isEmpty || options.rooms.contains(where: { self.receiver.isOfInterest($0) }) else {
            return self.receiver.filtered()
        }
        self.receiver.deliver(try broadcast.payload.packet(for: self.name), options: options)
    }

    private func received(_ response: ClusterResponse, byteCount: Int) throws(ClusterProtocolError) {
        guard let question = self.receiver.question(of: response.requestID) else { return }
        let answer = try response.coreAnswer(to: question)
        self.receiver.received(answer, to: response.requestID, from: response.uid, byteCount: byteCount)
    }
}
