import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What followers of this node get.
extension Histories {
    /// The event that tells a follower the place of an event that it has got in another way.
    static let positionEvent = "io:position"

    /// Hands an event to this node's followers.
    ///
    /// - Parameters:
    ///   - content: The event.
    ///   - positions: Its places; `nil` if it has none yet.
    ///   - isKnown: Whether the followers have got it before, so that they need only its places.
    func deliver(_ content: HistoryContent, _ positions: [HistoryPosition]?, isKnown: Bool) {
        let rooms = content.keys.map(\.followersRoom)
        self.context.main.visitMembersHere(of: rooms, except: content.except) { [weak self] sockets in
            guard let self, let first = sockets.first else { return }
            var delivery = HistoryDelivery(
                content,
                positions,
                isKnown: isKnown,
                self.view(self.context.rules(for: first))
            )
            for socket in sockets { self.deliver(&delivery, to: socket) }
        }
    }

    /// On the socket's loop.
    private func deliver(_ delivery: inout HistoryDelivery, to socket: Socket) {
        var isDue = !delivery.isKnown
        for (index, key) in delivery.content.keys.enumerated() where socket.isMember(of: key.followersRoom) {
            guard key.basicRooms.contains(where: socket.isMember) else {
                // It has left what the history is about.
                self.leave(key, socket: socket)
                continue
            }
            if let position = delivery.positions?[index], isDue, self.hold(delivery.content, position, for: socket, key)
            {
                isDue = false
                continue
            }
            delivery.send(to: socket, index, isDue: isDue, self.context)
            isDue = false
        }
    }

    /// Keeps an event from a socket: until it has the answer to its question, or because it was in that answer.
    ///
    /// - Returns: Whether the socket does not get the event now.
    private func hold(
        _ content: HistoryContent,
        _ position: HistoryPosition,
        for socket: Socket,
        _ key: HistoryKey
    ) -> Bool {
        let reader = SocketKey(socket: socket)
        let id = WaiterID(socket: reader, key: key)
        return self.state.withLockedValue { state in
            if let waiter = state.waiters[id] {
                if waiter.events.count < Waiter.maximumEvents {
                    state.waiters[id]?.events.append((position, content))
                } else {
                    state.waiters[id]?.hasLost = true
                }
                return true
            }
            guard let answered = state.answered[reader]?[key] else { return false }
            if answered.includes(position), answered != position { return true }
            // Nothing before this comes any more.
            state.answered[reader]?[key] = nil
            if state.answered[reader]?.isEmpty ?? false { state.answered[reader] = nil }
            return answered == position
        }
    }

    /// Sends one event to one follower, on its loop.
    func send(_ content: HistoryContent, _ position: HistoryPosition, of key: HistoryKey, to socket: Socket) {
        guard let index = content.keys.firstIndex(of: key) else { return }
        let positions = content.keys.map { _ in position }
        var delivery = HistoryDelivery(content, positions, isKnown: false, self.view(self.context.rules(for: socket)))
        delivery.send(to: socket, index, isDue: true, self.context)
    }
}

/// An event on its way to the sockets of one loop: what several of them get is encoded once.
struct HistoryDelivery {
    private struct Variant: Hashable {
        var index: Int
        var isPositioned: Bool
        /// Who sees the same; `nil` if everybody does.
        var audience: Room?
        var user: EntityID?
    }

    let content: HistoryContent
    let positions: [HistoryPosition]?
    let isKnown: Bool
    private let view: HistoryView
    /// `nil` for those who get nothing.
    private var packets: [Variant: EncodedPacket?] = [:]

    init(_ content: HistoryContent, _ positions: [HistoryPosition]?, isKnown: Bool, _ view: HistoryView) {
        self.content = content
        self.positions = positions
        self.isKnown = isKnown
        self.view = view
    }

    /// Sends the event, or only its place, to a follower of one of its histories.
    mutating func send(to socket: Socket, _ index: Int, isDue: Bool, _ context: GatewayContext) {
        let key = self.content.keys[index]
        let isPositioned = self.positions != nil && socket.isMember(of: key.positionsRoom)
        guard isDue else {
            guard isPositioned, let position = self.positions?[index] else { return }
            let values: [JSONValue] = [.string(Histories.positionEvent), Histories.gap(key, position)]
            if let packet = context.main.encodedEvent(values) { socket.send(packet) }
            return
        }
        var variant = Variant(index: index, isPositioned: isPositioned)
        var principal: Principal?
        switch self.content.body {
        case .raw:
            // Those who wait until the entity's owner is known are not in its room.
            guard socket.isMember(of: key.basicRooms[0]) else { return }
        case .lifecycle:
            let reader = context.principal(of: socket)
            principal = reader
            variant.audience = reader.audienceRoom
            variant.user = self.view.rules.hasOwnedTypes ? reader.user?.id : nil
        }
        if self.packets[variant] == nil {
            self.packets[variant] = .some(self.packet(variant, principal, key, context))
        }
        if let packet = self.packets[variant] ?? nil { socket.send(packet) }
    }

    private func packet(
        _ variant: Variant,
        _ principal: Principal?,
        _ key: HistoryKey,
        _ context: GatewayContext
    ) -> EncodedPacket? {
        let event: (event: String, argument: JSONValue)?
        switch (self.content.body, principal) {
        case (.raw(let name, let argument), _): event = (name, argument)
        case (.lifecycle, let principal?): event = self.view.event(self.content, for: principal, seesRaw: true)
        case (.lifecycle, nil): event = nil
        }
        guard let event else { return nil }
        let position = variant.isPositioned ? self.positions?[variant.index].value(of: key) : nil
        return context.main.encodedEvent(self.view.values(event.event, event.argument, position: position))
    }
}
