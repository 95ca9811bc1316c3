import CoreMetrics
import Logging
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// What other nodes and emitters ask of this node.
extension PubSubAdapter {
    func receivedRequest(_ message: ByteBuffer) throws(ClusterProtocolError) {
        let request = try ClusterRequest(parsingClassic: message, namespace: self.host.name)
        // Our own come back: what they say was done here before they were sent.
        guard request.uid != self.ownUID else { return }
        let asker = AnswerDesk.Asker(
            uid: request.uid,
            requestID: request.requestID,
            bytes: message.readableBytes,
            time: self.host.eventLoop.now
        )
        switch request.body {
        case .join(let options, let rooms):
            if let options { self.joins.join(options, rooms) }
        case .leave(let options, let rooms):
            if let options { self.host.delLocalSockets(options, rooms: rooms) }
        case .disconnect(let options, let closingConnection):
            if let options { self.host.disconnectLocalSockets(options, closingConnection: closingConnection) }
        case .joinSocket(let socket, let rooms):
            self.command(socket, request) { if !rooms.isEmpty { $0.joins.join($1, rooms) } }
        case .leaveSocket(let socket, let rooms):
            self.command(socket, request) { if !rooms.isEmpty { $0.host.delLocalSockets($1, rooms: rooms) } }
        case .disconnectSocket(let socket, let closingConnection):
            self.command(socket, request) {
                $0.host.disconnectLocalSockets($1, closingConnection: closingConnection)
            }
        case .socketIDs(let options): self.desk.take(.socketIDs(options), of: asker)
        case .allRooms: self.desk.take(.rooms, of: asker)
        case .fetchSockets(let options): self.desk.take(.sockets(options.map(Self.unflagged)), of: asker)
        case .serverSideEmit(let arguments):
            guard let id = request.requestID else { return self.host.serverSideEvent(arguments, reply: nil) }
            self.host.serverSideEvent(arguments) { [weak core = self.core] value in
                guard let core else { return }
                // Official nodes answer these on the common channel, whatever their options are.
                core.respond(core.encoder.serverSideAnswer(requestID: id, value: value), to: nil)
            }
        case .broadcast(let arguments, let options):
            self.deliver(arguments, options, request)
        }
    }

    /// Official nodes leave the flags of these aside.
    private static func unflagged(_ options: BroadcastOptions) -> BroadcastOptions {
        BroadcastOptions(rooms: options.rooms, except: options.except)
    }

    /// Carries a command of an old node out, and says so, if the socket is here.
    private func command(
        _ socket: String,
        _ request: ClusterRequest,
        _ body: (PubSubAdapter, BroadcastOptions) -> Void
    ) {
        guard self.host.hasLocalSocket(socket) else { return }
        body(self, BroadcastOptions(rooms: [Room(socket)]))
        self.core.respond(self.core.encoder.done(requestID: request.requestID), to: request.uid)
    }

    private func deliver(_ arguments: [JSONValue], _ options: BroadcastOptions?, _ request: ClusterRequest) {
        let (core, id, uid) = (self.core, request.requestID, request.uid)
        guard let options, !arguments.isEmpty else {
            return core.respond(core.encoder.clientCount(requestID: id, count: 0), to: uid)
        }
        // Only how long to wait is of use.
        let timeout =
            options.flags.timeoutMilliseconds.map { TimeAmount.milliseconds(Int64($0)) }
            ?? core.configuration.requestsTimeout
        self.host.deliverWithAck(
            arguments: arguments,
            options: Self.unflagged(options),
            timeout: timeout,
            onClientCount: { [weak core] count in
                guard let core else { return }
                core.respond(core.encoder.clientCount(requestID: id, count: count), to: uid)
            },
            onAcknowledgement: { [weak core] value in
                guard let core else { return }
                core.respond(core.encoder.acknowledgement(requestID: id, value: value), to: uid)
            }
        )
    }
}
