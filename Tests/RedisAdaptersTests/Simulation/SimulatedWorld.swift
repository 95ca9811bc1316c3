import NIOCore

/// Random numbers of a seed.
struct SimulatedRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var bits = self.state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// Whether something happens that does in so many of 100 cases.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    /// A number of the range.
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// Virtual time, and everything that is to happen in it.
///
/// `@unchecked Sendable`: the thread that calls ``run(until:)`` alone touches it and everything that hangs on it, because
/// nothing happens but what it takes from its list.
final class SimulatedWorld: @unchecked Sendable {
    /// Where something happens.
    enum Place: Hashable, Sendable {
        /// On a node's loop, which may be frozen.
        case node(Int)
        /// In Redis, or on the way there.
        case outside
    }

    private struct Entry {
        let time: Int64
        let number: Int
        let place: Place
        let body: () -> Void

        func isBefore(_ other: Entry) -> Bool { (self.time, self.number) < (other.time, other.number) }
    }

    static let millisecond: Int64 = 1_000_000

    /// The time in nanoseconds.
    private(set) var now: Int64 = 0
    /// How much has happened.
    private(set) var steps = 0
    private var lastNumber = 0
    /// A heap, the earliest first.
    private var entries: [Entry] = []
    private var cancelled: Set<Int> = []
    private var frozen: [Place: [Entry]] = [:]

    /// Whether nothing is to happen any more.
    var isIdle: Bool { self.entries.allSatisfy { self.cancelled.contains($0.number) } }

    /// Has something happen, behind what happens at the same time already.
    ///
    /// - Returns: A number to ``cancel(_:)`` it with.
    @discardableResult
    func schedule(_ place: Place, at time: Int64, _ body: @escaping () -> Void) -> Int {
        self.lastNumber += 1
        self.push(Entry(time: max(time, self.now), number: self.lastNumber, place: place, body: body))
        return self.lastNumber
    }

    func cancel(_ number: Int) { self.cancelled.insert(number) }

    /// A node's loop stops until it is thawed.
    func freeze(_ place: Place) { if self.frozen[place] == nil { self.frozen[place] = [] } }

    /// A node's loop runs on with all that has waited.
    func thaw(_ place: Place) {
        for entry in self.frozen.removeValue(forKey: place) ?? [] {
            self.push(Entry(time: self.now, number: entry.number, place: place, body: entry.body))
        }
    }

    /// Lets things happen up to that time, or until nothing more is to happen.
    func run(until end: Int64) {
        while let first = self.entries.first, first.time <= end {
            self.pop()
            if self.cancelled.remove(first.number) != nil { continue }
            self.now = max(self.now, first.time)
            if self.frozen[first.place]?.append(first) != nil { continue }
            self.steps += 1
            first.body()
        }
        self.now = max(self.now, end)
    }

    // MARK: The heap

    private func push(_ entry: Entry) {
        var index = self.entries.count
        self.entries.append(entry)
        while index > 0, self.entries[index].isBefore(self.entries[(index - 1) / 2]) {
            self.entries.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private func pop() {
        self.entries.swapAt(0, self.entries.count - 1)
        self.entries.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < self.entries.count && self.entries[child].isBefore(self.entries[least]) { least = child }
            guard least != index else { return }
            self.entries.swapAt(index, least)
            index = least
        }
    }
}
