import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// A client for which a loop keeps bytes.
protocol ByteHolder: AnyObject {
    /// How many bytes the loop keeps for it now.
    func heldBytes(of kind: ByteBudget.Kind) -> Int

    /// Drops the bytes and gives the client up.
    func giveUp(_ kind: ByteBudget.Kind)
}

/// Limits how many bytes the server keeps for all clients together.
///
/// Each loop counts for itself with plain integers, and only bytes that wait. Bytes that are sent at once, and messages
/// that arrive as a whole, are not counted. The loops share one sum. A loop changes it when its own count has changed
/// by a step. If the sum is too large, the loops name the clients that hold most, and these are given up, the largest
/// first.
final class ByteBudget: Sendable {
    /// The kinds of bytes.
    enum Kind: String, CaseIterable, Sendable {
        /// Bytes that clients have not taken yet.
        case queued = "queued_bytes"
        /// Bytes of requests and messages that are not complete or wait to be handled.
        case request = "request_bytes"
    }

    let kind: Kind
    let maximum: Int
    /// How much a loop's count changes before it changes the shared sum.
    let step: Int
    private let sum = Synchronization.Atomic(0)
    private let isRelieving = Synchronization.Atomic(false)
    private let loops = NIOLockedValueBox<[WeakLoop]>([])
    /// Called on some loop with the number of clients that were given up.
    private let report: @Sendable (Int) -> Void

    private struct WeakLoop {
        weak var loop: EngineLoop?
    }

    /// - Parameters:
    ///   - kind: What is counted.
    ///   - maximum: How many bytes there may be. One step for each loop may come in addition.
    ///   - loopCount: How many loops count.
    ///   - report: Called on some loop with the number of clients that were given up.
    init(_ kind: Kind, maximum: Int, loopCount: Int, report: @escaping @Sendable (Int) -> Void) {
        self.kind = kind
        self.report = report
        self.maximum = max(1, maximum)
        self.step = max(1, min(65_536, self.maximum / (8 * max(1, loopCount))))
    }

    /// Sets which loops count.
    func count(on loops: [EngineLoop]) { self.loops.withLockedValue { $0 = loops.map(WeakLoop.init) } }

    /// Adds the change of a loop's count, and returns whether the sum is too large.
    fileprivate func add(_ difference: Int) -> Bool {
        let sum = self.sum.wrappingAdd(difference, ordering: .relaxed).newValue
        return sum > self.maximum
    }

    /// How many bytes are too many.
    fileprivate var excess: Int { self.sum.load(ordering: .relaxed) - self.maximum }

    /// Gives up the clients of all loops that hold most, until the rest is within the budget.
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

    /// A reference to a holding for other loops.
    ///
    /// It is `@unchecked Sendable` because the holding is used only on its loop.
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

/// The bytes that a loop keeps for one client.
///
/// A client without such bytes has no holding.
final class Holding {
    fileprivate weak var holder: (any ByteHolder)?
    fileprivate(set) var bytes = 0
    /// The place in the loop's list; -1 if it is no longer there.
    fileprivate var index = -1

    fileprivate init(_ holder: any ByteHolder) { self.holder = holder }
}

/// What one loop counts for a ``ByteBudget``.
final class LoopBudget {
    /// How many clients that hold most a loop names at a time.
    private static let named = 64

    private let budget: ByteBudget
    private(set) var bytes = 0
    /// The part of the count that the other loops know of.
    private var knownBytes = 0
    private var holdings: [Holding] = []

    init(_ budget: ByteBudget) { self.budget = budget }

    /// Notes how many bytes somebody holds now.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - holder: The object that holds them.
    ///   - holding: Where the holder keeps its holding.
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
            // It has none, or it had to drop the one that it had.
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

    /// Looks again at all clients that hold bytes, because a channel tells nobody what it has sent meanwhile.
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

    /// The clients that hold most.
    fileprivate func largest() -> [Holding] {
        self.recount()
        guard self.holdings.count > Self.named else { return self.holdings }
        return Array(self.holdings.sorted { $0.bytes > $1.bytes }.prefix(Self.named))
    }

    /// Makes a client give up its bytes.
    ///
    /// It may have done so already.
    fileprivate func giveUp(_ holding: Holding) {
        guard holding.bytes > 0, let holder = holding.holder else { return }
        holder.giveUp(self.budget.kind)
        self.remove(holding)
        self.tell()
    }
}
