import EngineIO
package import NIOCore
import SocketIOWire
import Synchronization

/// What happens on this node: for the namespace itself, and for adapters on behalf of other nodes.
extension Namespace {
    /// One of the server's loops, for timers that belong to no connection.
    package var eventLoop: any EventLoop { self.shards[0].eventLoop }

    func hasLocalMembers(of room: Room) -> Bool { self.index.hasMembers(of: room) }

    /// Delivers an event to this node's matching sockets.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        let options = self.withoutOutsiders(options)
        if let recovery = self.recovery, !options.flags.isVolatile {
            recovery.broadcast(packet, options: options)
            return
        }
        // A loop without sockets has nothing to do. Whoever knows that a socket has connected sees it counted.
        for shard in self.shards where shard.connectedCount.load(ordering: .acquiring) > 0 {
            if shard.isNext {
                shard.deliver(packet, options: options)
            } else {
                shard.later { shard.deliver(packet, options: options) }
            }
        }
    }

    /// Delivers an event to this node's matching sockets and watches their acknowledgements until the timeout.
    ///
    /// `onClientCount` is called once, before any `onAcknowledgement` or `onLeft` (a client that left unanswered).
    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (SocketID, JSONValue?) -> Void,
        onLeft: @escaping @Sendable () -> Void
    ) {
        let options = self.withoutOutsiders(options)
        let id = self.nextAcknowledgementID()
        guard case .string(let event)? = arguments.first,
            let packet = self.encode(
                event,
                id: id,
                write: { writer in
                    for value in arguments.dropFirst() { writer.write(value) }
                }
            )
        else {
            onClientCount(0)
            return
        }
        // First every loop says which sockets it will send to, then the sum is told, then the loops send: so no
        // acknowledgement overtakes the count.
        let loop = self.eventLoop
        let registered = self.shards.map { shard in
            shard.eventLoop.submit {
                let targets = shard.targets(of: options)
                guard !targets.isEmpty else { return targets }
                shard.broadcastAcknowledgements[id] = BroadcastAcknowledgements(
                    id: id,
                    shard: shard,
                    expected: Set(targets.map(\.id)),
                    onAnswer: onAcknowledgement,
                    onLeft: onLeft
                )
                return targets
            }
        }
        EventLoopFuture.whenAllSucceed(registered, on: loop).whenSuccess { targets in
            onClientCount(targets.reduce(0) { $0 + $1.count })
            for (shard, sockets) in zip(self.shards, targets) where !sockets.isEmpty {
                let send: @Sendable () -> Void = {
                    for socket in sockets where socket.state == .connected {
                        if socket.extras != nil { socket.notifyOutgoing(packet) }
                        socket.session.send(
                            packet,
                            volatile: options.flags.isVolatile,
                            compress: options.flags.allowsCompression
                        )
                    }
                    // All may have left already.
                    if let pending = shard.broadcastAcknowledgements[id] {
                        shard.timers?.schedule(pending, in: timeout)
                    }
                }
                if shard.eventLoop.inEventLoop { send() } else { shard.eventLoop.execute(send) }
            }
        }
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        let options = self.withoutOutsiders(options)
        self.onEveryShard { shard in
            for socket in shard.targets(of: options) { socket.enter(rooms) }
        }
    }

    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.onEveryShard { shard in
            for socket in shard.targets(of: options) {
                for room in rooms { shard.remove(socket, from: room) }
            }
        }
    }

    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.onEveryShard { shard in
            for socket in shard.targets(of: options) { socket.sendAway(closingConnection: closingConnection) }
        }
    }

    private func onEveryShard(_ body: @escaping @Sendable (NamespaceShard) -> Void) {
        for shard in self.shards {
            if shard.isNext {
                body(shard)
            } else {
                shard.later { body(shard) }
            }
        }
    }

    func targets(of options: BroadcastOptions) async -> [Socket] {
        let futures = self.shards.map { shard in shard.eventLoop.submit { shard.targets(of: options) } }
        var targets: [Socket] = []
        for future in futures {
            // A loop that is shut down has no sockets left.
            targets += (try? await future.get()) ?? []
        }
        return targets
    }

    func localSockets(_ options: BroadcastOptions) async -> [SocketDescription] {
        let futures = self.shards.map { shard in
            shard.eventLoop.submit { shard.targets(of: options).map(\.snapshot) }
        }
        var descriptions: [SocketDescription] = []
        for future in futures { descriptions += (try? await future.get()) ?? [] }
        return descriptions
    }

    /// Describes the matching sockets some at a time, so that neither a loop nor the memory is taken up by all of them.
    func visitLocalSockets(_ options: BroadcastOptions, _ body: ([SocketDescription]) -> Bool) async {
        for shard in self.shards {
            // A loop that is shut down has no sockets left.
            var rest = (try? await shard.eventLoop.submit { shard.targets(of: options) }.get())?[...] ?? []
            while !rest.isEmpty {
                let sockets = Array(rest.prefix(Self.socketsAtATime))
                rest = rest.dropFirst(Self.socketsAtATime)
                let descriptions = try? await shard.eventLoop.submit {
                    sockets.filter { $0.state == .connected }.map(\.snapshot)
                }.get()
                guard body(descriptions ?? []) else { return }
            }
        }
    }

    private static let socketsAtATime = 128

    func localRooms() async -> Set<Room> {
        let futures = self.shards.map { shard in
            shard.eventLoop.submit { Set(shard.rooms.keys).union(shard.connected.map(\.id.room)) }
        }
        var rooms: Set<Room> = []
        for future in futures { rooms.formUnion((try? await future.get()) ?? []) }
        return rooms
    }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        guard case .string(let event)? = arguments.first else { return }
        let handlers = self.serverSideHandlers(of: event)
        let reply = reply.map { ServerSideReply(send: $0) }
        for handler in handlers { handler(Array(arguments.dropFirst()), reply) }
    }

    /// Ends every socket of this node without telling the clients: their connections are about to close.
    func closeLocalSockets(_ reason: DisconnectReason) async {
        for shard in self.shards {
            try? await shard.eventLoop.submit {
                for socket in shard.connected { socket.close(reason) }
            }.get()
        }
    }
}

extension Socket {
    /// The socket as other nodes see it.
    var snapshot: SocketDescription {
        SocketDescription(
            id: self.id.description,
            handshake: self.handshake.json,
            rooms: [self.id.room] + self.shared.withLock { $0.memberships.map { $0.members.room } },
            data: self.data
        )
    }
}
