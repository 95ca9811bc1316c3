import EngineIO
package import NIOCore
import SocketIOWire
import Synchronization

/// What happens on this node: for the namespace itself, and for adapters on behalf of other nodes.
extension Namespace {
    /// One of the server's loops, for timers that belong to no connection.
    package var eventLoop: any EventLoop { self.shards[0].eventLoop }

    /// All of the server's loops.
    package var eventLoops: [any EventLoop] { self.shards.map(\.eventLoop) }

    func hasLocalMembers(of room: Room) -> Bool { self.index.hasMembers(of: room) }

    /// Delivers an event to this node's matching sockets.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        let options = self.withoutOutsiders(options)
        if let recovery = self.recovery, !options.flags.isVolatile {
            recovery.broadcast(packet, options: options)
            return
        }
        // A loop without sockets has nothing to do. A caller that knows that a socket has connected sees it counted.
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
        (try? await self.describeLocalSockets(options).get()) ?? []
    }

    /// Describes the matching sockets, in the order of the loops.
    func describeLocalSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]> {
        self.gather { shard in shard.targets(of: options).map(\.snapshot) }.map { $0.flatMap { $0 } }
    }

    /// Describes the matching sockets some at a time, so that neither a loop nor the memory is taken up by all of them.
    func visitLocalSockets(
        _ options: BroadcastOptions,
        _ body: @escaping @Sendable ([SocketDescription]) -> Bool
    ) -> EventLoopFuture<Void> {
        self.visit(self.shards[...], options, body)
    }

    private func visit(
        _ shards: ArraySlice<NamespaceShard>,
        _ options: BroadcastOptions,
        _ body: @escaping @Sendable ([SocketDescription]) -> Bool
    ) -> EventLoopFuture<Void> {
        guard let shard = shards.first else { return self.eventLoop.makeSucceededVoidFuture() }
        return shard.eventLoop.submit { shard.targets(of: options)[...] }
            // A loop that is shut down has no sockets left.
            .recover { _ in [] }
            .hop(to: self.eventLoop)
            .flatMap { self.visit($0, of: shard, body) }
            .flatMap { goesOn in
                goesOn
                    ? self.visit(shards.dropFirst(), options, body) : self.eventLoop.makeSucceededVoidFuture()
            }
    }

    /// - Returns: Whether the body wants more.
    private func visit(
        _ sockets: ArraySlice<Socket>,
        of shard: NamespaceShard,
        _ body: @escaping @Sendable ([SocketDescription]) -> Bool
    ) -> EventLoopFuture<Bool> {
        guard !sockets.isEmpty else { return self.eventLoop.makeSucceededFuture(true) }
        let portion = sockets.prefix(Self.socketsAtATime)
        return shard.eventLoop.submit { portion.filter { $0.state == .connected }.map(\.snapshot) }
            .recover { _ in [] }
            .hop(to: self.eventLoop)
            .flatMap { descriptions in
                guard body(descriptions) else { return self.eventLoop.makeSucceededFuture(false) }
                return self.visit(sockets.dropFirst(Self.socketsAtATime), of: shard, body)
            }
    }

    private static let socketsAtATime = 128

    func localRooms() async -> Set<Room> { (try? await self.gatherLocalRooms().get()) ?? [] }

    func gatherLocalRooms() -> EventLoopFuture<Set<Room>> {
        self.gather { shard in Set(shard.rooms.keys).union(shard.connected.map(\.id.room)) }
            .map { $0.reduce(into: []) { $0.formUnion($1) } }
    }

    /// Asks every loop something; one that is shut down says nothing.
    private func gather<Part: Sendable>(
        _ body: @escaping @Sendable (NamespaceShard) -> Part
    ) -> EventLoopFuture<[Part]> {
        let parts = self.shards.map { shard in shard.eventLoop.submit { body(shard) } }
        return EventLoopFuture.whenAllComplete(parts, on: self.eventLoop).map { $0.compactMap { try? $0.get() } }
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
