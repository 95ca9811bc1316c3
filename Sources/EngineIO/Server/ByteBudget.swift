import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Somebody because of whom a loop keeps bytes.
protocol ByteHolder: AnyObject {
    /// How many bytes that are now.
    func heldBytes(of kind: ByteBudget.Kind) -> Int

    /// Lets go of them, and of the client.
    func giveUp(_ kind: ByteBudget.Kind)
}

/// How many bytes all clients together may make the server keep.
///
/// Each loop counts for itself, in plain integers, and only while somebody's bytes wait: what is sent at once and what
/// comes as a whole is not counted at all. The loops share one sum, which a loop changes when its own has changed by a
/// step. If the sum is too large, the loops name those who hold most, and they are given up, the largest first.
final class ByteBudget: Sendable {
    /// What the bytes are.
    enum Kind: String, CaseIterable, Sendable {
        /// Sent to clients that have not taken them.
        case queued = "queued_bytes"
        /// Of requests and messages that are not complete, or wait to be handled.
        case request = "request_bytes"
    }

    let kind: Kind
    let maximum: Int
    /// How much a loop's count changes before the others hear of it.
    let step: Int
    private let sum = Synchronization.Atomic(0)
    private let isRelieving = Synchronization.Atomic(false)
    private let loops = NIOLockedValueBox<[WeakLoop]>([])
    /// Told on some loop how many clients were given up.
    private let report: @Sendable (Int) -> Void

    private struct WeakLoop {
        weak var loop: EngineLoop?
    }

    /// - Parameters:
    ///   - kind: What is counted.
    ///   - maximum: How many bytes there may be, apart from a step for each loop.
    ///   - loopCount: How many loops count.
    ///   - report: Told on some loop how many clients were given up.
    init(_ kind: Kind, maximum: Int, loopCount: Int, report: @escaping @Sendable (Int) -> Void) {
        self.kind = kind
        self.report = report
        self.maximum = max(1, maximum)
        self.step = max(1, min(65_536, self.maximum / (8 * max(1, loopCount))))
    }

    /// Says which loops count.
    func count(on loops: [EngineLoop]) { self.loops.withLockedValue { $0 = loops.map(WeakLoop.init) } }

    /// Adds what a loop has more or less; says whether that is too much.
    fileprivate func add(_ difference: Int) -> Bool {
        let sum = self.sum.wrappingAdd(difference, ordering: .relaxed).newValue
        return sum > self.maximum
    }

    /// How many bytes must go.
    fileprivate var excess: Int { self.sum.load(ordering: .relaxed) - self.maximum }

    /// Gives up those who hold most, on whichever loops they are, until the rest is within the budget.
    fileprivate func relieve() {
        let loops = self.loops.withLockedValue { $0.compactMap(\.loop) }
        guard !loops.isEmpty else { return }
        guard !self.isRelieving.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let named = NIOLockedValueBox((missing: loops.count, all: [NamedHolding]()))
        for loop in loops {
            loop.eventLoop.execute {
                let largest = loop.budget(self.kind).largest().map { NamedHolding(bytes: $0.bytes, $0, loop) }
                let all = named.withLockedValue { named -> [NamedHolding]? in
                    named.all += largest
                    named.missing -= 1
                    return named.missing == 0 ? named.all : nil
                }
                if let all { self.giveUp(among: all) }
            }
        }
    }

    /// A holding as other loops see it.
    ///
    /// `@unchecked Sendable` because the holding is touched on its loop only.
    private struct NamedHolding: @unchecked Sendable {
        let bytes: Int
        let holding: Holding
        let loop: EngineLoop

        init(bytes: Int, _ holding: Holding, _ loop: EngineLoop) {
            self.bytes = bytes
            self.holding = holding
            self.loop = loop
        }
    }

    private func giveUp(among all: [NamedHolding]) {
        var excess = self.excess
        var chosen: [NamedHolding] = []
        for named in all.sorted(by: { $0.bytes > $1.bytes }) {
            guard excess > 0 else { break }
            excess -= named.bytes
            chosen.append(named)
        }
        guard !chosen.isEmpty else { return self.isRelieving.store(false, ordering: .releasing) }
        self.report(chosen.count)
        let count = SharedCount(chosen.count)
        for named in chosen {
            named.loop.eventLoop.execute {
                named.loop.budget(self.kind).giveUp(named.holding)
                guard count.decrement() == 0 else { return }
                self.isRelieving.store(false, ordering: .releasing)
                if self.excess > 0 { self.relieve() }
            }
        }
    }
}

/// A number that several loops count down.
private final class SharedCount: Sendable {
    private let value: Synchronization.Atomic<Int>

    init(_ value: Int) { self.value = Synchronization.Atomic(value) }

    func decrement() -> Int { self.value.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue }
}

/// The bytes that one client makes its loop keep; there is none for a client because of whom nothing is kept.
final class Holding {
    fileprivate weak var holder: (any ByteHolder)?
    fileprivate(set) var bytes = 0
    /// The place in the loop's list; -1 if it is not there any more.
    fileprivate var index = -1

    fileprivate init(_ holder: any ByteHolder) { self.holder = holder }
}

/// What one loop counts for a ``ByteBudget``.
final class LoopBudget {
    /// How many of those who hold most are named at a time.
    private static let named = 64

    private let budget: ByteBudget
    private(set) var bytes = 0
    /// As many of them as the other loops know of.
    private var knownBytes = 0
    private var holdings: [Holding] = []

    init(_ budget: ByteBudget) { self.budget = budget }

    /// Notes how many bytes somebody holds now.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - holder: Who holds them.
    ///   - holding: Where the holder keeps its place here.
    @inline(__always)
    func note(_ bytes: Int, of holder: any ByteHolder, in holding: inout Holding?) {
        if bytes > 0 || holding != nil { self.change(bytes, holder, &holding) }
    }

    @inline(never)
    private func change(_ bytes: Int, _ holder: any ByteHolder, _ holding: inout Holding?) {
        guard bytes > 0 else {
            if let old = holding.take() { self.remove(old) }
            return self.tell()
        }
        let place: Holding
        if let listed = holding, listed.index >= 0 {
            place = listed
        } else {
            // It has none, or had to let go of what it had.
            place = self.add(holder)
            holding = place
        }
        self.bytes += bytes - place.bytes
        place.bytes = bytes
        self.tell()
    }

    private func add(_ holder: any ByteHolder) -> Holding {
        let holding = Holding(holder)
        holding.index = self.holdings.count
        self.holdings.append(holding)
        return holding
    }

    private func remove(_ holding: Holding) {
        guard holding.index >= 0 else { return }
        self.bytes -= holding.bytes
        holding.bytes = 0
        let index = holding.index
        holding.index = -1
        let last = self.holdings.removeLast()
        guard last !== holding else { return }
        last.index = index
        self.holdings[index] = last
    }

    private func tell() {
        let difference = self.bytes - self.knownBytes
        guard difference.magnitude >= self.budget.step.magnitude else { return }
        self.knownBytes = self.bytes
        if self.budget.add(difference) { self.budget.relieve() }
    }

    /// Looks again at everybody who holds bytes: what a channel has sent meanwhile nobody was told.
    func recount() {
        for holding in Array(self.holdings) {
            guard let holder = holding.holder else {
                self.remove(holding)
                continue
            }
            let bytes = holder.heldBytes(of: self.budget.kind)
            self.bytes += bytes - holding.bytes
            holding.bytes = bytes
        }
        let difference = self.bytes - self.knownBytes
        self.knownBytes = self.bytes
        _ = self.budget.add(difference)
    }

    /// Those who hold most.
    fileprivate func largest() -> [Holding] {
        self.recount()
        guard self.holdings.count > Self.named else { return self.holdings }
        return Array(self.holdings.sorted { $0.bytes > $1.bytes }.prefix(Self.named))
    }

    /// Makes somebody let go, who may have done so by now.
    fileprivate func giveUp(_ holding: Holding) {
        guard holding.bytes > 0, let holder = holding.holder else { return }
        holder.giveUp(self.budget.kind)
        self.remove(holding)
        self.tell()
    }
}
