import EngineIO
import NIOCore
import SocketIOServer

/// What became of the sockets of a node when the rules were replaced.
struct RenewalTally: Sendable, Hashable {
    var sockets = 0
    var changed = 0
    var disconnected = 0

    static func + (left: RenewalTally, right: RenewalTally) -> RenewalTally {
        RenewalTally(
            sockets: left.sockets + right.sockets,
            changed: left.changed + right.changed,
            disconnected: left.disconnected + right.disconnected
        )
    }
}

/// Work for many things of one event loop, in slices between which the loop does what else there is to do.
///
/// A slice ends at the first thing that is done after its time is over.
final class SlicedWork<Element: Sendable, Tally: Sendable>: Sendable {
    private struct State {
        var rest: ArraySlice<Element>
        var tally: Tally
        var body: (Element, inout Tally) -> Void
    }

    private let eventLoop: any EventLoop
    private let slice: TimeAmount
    private let now: @Sendable () -> NIODeadline
    private let state: LoopBound<State?>
    private let promise: EventLoopPromise<Tally>

    /// - Parameters:
    ///   - elements: What there is to work on.
    ///   - tally: What becomes of it, to begin with.
    ///   - eventLoop: Where the work is done.
    ///   - slice: How long a slice may be.
    ///   - now: The time.
    ///   - body: Works on one thing, on the loop.
    init(
        _ elements: [Element],
        _ tally: Tally,
        on eventLoop: any EventLoop,
        slice: TimeAmount,
        now: @escaping @Sendable () -> NIODeadline = { .now() },
        _ body: sending @escaping (Element, inout Tally) -> Void
    ) {
        self.eventLoop = eventLoop
        self.slice = slice
        self.now = now
        self.state = LoopBound(State(rest: elements[...], tally: tally, body: body), eventLoop: eventLoop)
        self.promise = eventLoop.makePromise(of: Tally.self)
    }

    /// Does the work.
    ///
    /// A loop that ends before fails it.
    func run() -> EventLoopFuture<Tally> {
        self.eventLoop.submit { self.step() }.whenFailure { self.promise.fail($0) }
        return self.promise.futureResult
    }

    private func step() {
        guard var state = self.state.value.take() else { return }
        let end = self.now() + self.slice
        repeat {
            guard let element = state.rest.popFirst() else { return self.promise.succeed(state.tally) }
            state.body(element, &state.tally)
        } while self.now() < end
        self.state.value = state
        self.eventLoop.submit { self.step() }.whenFailure { self.promise.fail($0) }
    }
}
