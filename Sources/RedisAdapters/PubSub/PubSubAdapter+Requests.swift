import CoreMetrics
import Logging
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// What other nodes and emitters ask of this node.
extension PubSubAdapter {
    func receivedRequest(_ message: ByteBuffer) throws(ClassicProtocolError) {
        let request = try ClassicRequest(parsing: message, namespace: self.host.name)
        // Our own come back: what they say was done here before they were sent.
        guard request.uid != self.uid else { return }
        switch request.body {
        case .join(let options, let rooms):
            self.join(options, rooms)
        case .leave(let options, let rooms):
            self.host.delLocalSockets(options, rooms: rooms)
        case .disconnect(let options, let closingConnection):
            self.host.disconnectLocalSockets(options, closingConnection: closingConnection)
        case .joinSocket(let id, let socket, let room):
            self.command(socket, id, request.uid) { $0.join($1, [room]) }
        case .leaveSocket(let id, let socket, let room):
            self.command(socket, id, request.uid) { $0.host.delLocalSockets($1, rooms: [room]) }
        case .disconnectSocket(let id, let socket, let closingConnection):
            self.command(socket, id, request.uid) {
                $0.host.disconnectLocalSockets($1, closingConnection: closingConnection)
            }
        case .socketIDs(let id, let rooms):
            self.answer(request.uid) { adapter in
                let sockets = await adapter.host.localSockets(BroadcastOptions(rooms: rooms))
                return adapter.encoder.socketIDs(requestID: id, ids: sockets.map(\.id))
            }
        case .allRooms(let id):
            self.answer(request.uid) { adapter in
                adapter.encoder.allRooms(requestID: id, rooms: await adapter.host.localRooms())
            }
        case .fetchSockets(let id, let options):
            self.answer(request.uid) { adapter in
                let sockets = await adapter.host.localSockets(options)
                return adapter.encoder.sockets(
                    requestID: id,
                    sockets: sockets.lazy.map {
                        ClassicSocket(id: $0.id, handshake: $0.handshake, rooms: $0.rooms, data: $0.data)
                    }
                )
            }
        case .serverSideEmit(let id, let arguments):
            guard let id else { return self.host.serverSideEvent(arguments, reply: nil) }
            self.host.serverSideEvent(arguments) { [weak self] value in
                guard let self else { return }
                // Official nodes answer these on the common channel, whatever their options are.
                self.respond(self.encoder.serverSideAnswer(requestID: id, value: value), to: nil)
            }
        case .broadcast(let id, let arguments, let options):
            self.deliver(arguments, options, requestID: id, uid: request.uid)
        }
    }

    /// Carries a command of an old node out, and says so, if the socket is here.
    private func command(
        _ socket: String,
        _ requestID: String,
        _ uid: String?,
        _ body: (PubSubAdapter, BroadcastOptions) -> Void
    ) {
        let room = Room(socket)
        guard self.host.hasLocalMembers(of: room) else { return }
        body(self, BroadcastOptions(rooms: [room]))
        self.respond(self.encoder.done(requestID: requestID), to: uid)
    }

    private func deliver(_ arguments: [JSONValue], _ options: BroadcastOptions, requestID: String, uid: String?) {
        // Official nodes leave the flags of these aside; only how long to wait is of use.
        let timeout =
            options.flags.timeoutMilliseconds.map { TimeAmount.milliseconds(Int64($0)) }
            ?? self.configuration.requestsTimeout
        self.host.deliverWithAck(
            arguments: arguments,
            options: BroadcastOptions(rooms: options.rooms, except: options.except),
            timeout: timeout,
            onClientCount: { [weak self] count in
                guard let self else { return }
                self.respond(self.encoder.clientCount(requestID: requestID, count: count), to: uid)
            },
            onAcknowledgement: { [weak self] value in
                guard let self else { return }
                self.respond(self.encoder.acknowledgement(requestID: requestID, value: value), to: uid)
            }
        )
    }

    private func answer(
        _ uid: String?,
        _ makeResponse: @escaping @Sendable (PubSubAdapter) async -> ByteBuffer
    ) {
        self.runTask { adapter in
            let response = await makeResponse(adapter)
            adapter.respond(response, to: uid)
        }
    }

    /// Publishes an answer; one that Redis doesn't take is not awaited any more by the time Redis is back.
    private func respond(_ response: ByteBuffer, to uid: String?) {
        let channel =
            if self.configuration.publishOnSpecificResponseChannel, let uid {
                self.channels.response(to: uid)
            } else {
                self.channels.response
            }
        do throws(RESPError) {
            try self.bus.publish(channel: channel, message: response)
        } catch {
            self.metrics.unpublished.increment()
            self.logger.debug("Could not answer a request", metadata: ["error": "\(error)"])
        }
    }
}
