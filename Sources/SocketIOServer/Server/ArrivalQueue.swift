/// Values in the order in which they came, any of which may go: all in constant time, and nothing stays of what has gone.
struct ArrivalQueue<Element: Hashable & Sendable>: Sendable {
    private struct Neighbours: Sendable {
        var previous: Element?
        var next: Element?
    }

    private var neighbours: [Element: Neighbours] = [:]
    /// The value that has been here for the longest time.
    private(set) var first: Element?
    private var last: Element?

    var count: Int { self.neighbours.count }
    var isEmpty: Bool { self.neighbours.isEmpty }

    /// Adds a value behind all others, unless it is here already.
    mutating func append(_ element: Element) {
        guard self.neighbours[element] == nil else { return }
        self.neighbours[element] = Neighbours(previous: self.last, next: nil)
        if let last = self.last {
            self.neighbours[last]?.next = element
        } else {
            self.first = element
        }
        self.last = element
    }

    /// Takes a value out.
    ///
    /// - Returns: Whether it was here.
    @discardableResult
    mutating func remove(_ element: Element) -> Bool {
        guard let gone = self.neighbours.removeValue(forKey: element) else { return false }
        if let previous = gone.previous {
            self.neighbours[previous]?.next = gone.next
        } else {
            self.first = gone.next
        }
        if let next = gone.next {
            self.neighbours[next]?.previous = gone.previous
        } else {
            self.last = gone.previous
        }
        return true
    }
}
