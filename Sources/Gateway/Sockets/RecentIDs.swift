import SocketIOWire

/// The ids of the last events, up to a number.
struct RecentIDs: Sendable {
    private let capacity: Int
    private var ids: Set<UTF8Text> = []
    private var order: [UTF8Text] = []
    private var next = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    func contains(_ id: String) -> Bool { self.ids.contains(UTF8Text(id)) }

    /// Remembers an id, and forgets the oldest if there are too many.
    ///
    /// - Returns: Whether it is new.
    mutating func insert(_ id: String) -> Bool {
        guard self.capacity > 0 else { return true }
        let id = UTF8Text(id)
        guard self.ids.insert(id).inserted else { return false }
        if self.order.count < self.capacity {
            self.order.append(id)
        } else {
            self.ids.remove(self.order[self.next])
            self.order[self.next] = id
            self.next = (self.next + 1) % self.capacity
        }
        return true
    }
}
