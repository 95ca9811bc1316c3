import CoreMetrics
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// A namespace's stream as the log of its events.
///
/// It calls its host on the bus's loop, in the order of the stream.
final class StreamsEventLog: StreamLog {
    typealias Deliver = @Sendable (EventOffset?) -> Void

    let host: any EventLogHost
    let dialect: StreamsDialect
    let bus: any StreamsBus
    let hub: StreamHub
    let metrics: ClusterMetrics
    let logger: Logger
    let handovers = SessionHandovers()
    let state = NIOLockedValueBox(State())

    struct State {
        var own = OwnEvents()
        var delivers: [Int: Deliver] = [:]
        /// The last entry of this namespace that the reader has come to.
        var position = RESPStreamID.zero
        /// When the next timer fires.
        var timerAt: NIODeadline?
    }

    init(
        host: any EventLogHost,
        dialect: StreamsDialect,
        bus: any StreamsBus,
        hub: StreamHub,
        metrics: ClusterMetrics,
        logger: Logger
    ) {
        self.host = host
        self.dialect = dialect
        self.bus = bus
        self.hub = hub
        self.metrics = metrics
        self.logger = logger
    }

    // MARK: What becomes of them; on the loop

    func known(_ number: Int, _ progress: AppendProgress) {
        var isPassed = false
        self.change { state, actions in
            switch progress {
            case .added(let offset):
                isPassed = state.own.added(number, at: offset) && offset <= state.position
                if isPassed { state.own.delayed(number, &actions) }
            case .queued: state.own.delayed(number, &actions)
            case .refused: state.own.failed(number, isCertain: true, &actions)
            case .unconfirmed: state.own.failed(number, isCertain: false, &actions)
            }
        }
        switch progress {
        case .refused(let error): self.metrics.unpublished("event", error: error.brief)
        case .unconfirmed(let error): self.metrics.unpublished("event", .unconfirmed, error: error.brief)
        case .added, .queued: break
        }
        // Either the stream is another one, which begins before the place that was read, or the entry is gone already.
        if isPassed { self.hub.look(after: self.dialect.stream) }
    }

    /// Changes the account of own events, and delivers the events that are due.
    private func change(_ body: (inout State, inout [OwnEvents.Action]) -> Void) {
        let calls = self.state.withLockedValue { state in
            var actions: [OwnEvents.Action] = []
            body(&state, &actions)
            var calls: [(Deliver, RESPStreamID?)] = []
            for action in actions {
                switch action {
                case .deliver(let number, let offset):
                    if let deliver = state.delivers.removeValue(forKey: number) { calls.append((deliver, offset)) }
                case .discard(let number): state.delivers[number] = nil
                }
            }
            return calls
        }
        for (deliver, offset) in calls { deliver(offset.flatMap { EventOffset($0) }) }
    }

    func setTimer(at deadline: NIODeadline) {
        let eventLoop = self.bus.eventLoop
        eventLoop.execute { eventLoop.scheduleTask(deadline: deadline) { [weak self] in self?.tick() } }
    }

    private func tick() {
        let now = self.bus.eventLoop.now
        var next: NIODeadline?
        self.change { state, actions in
            state.own.tick(at: now, &actions)
            // Another timer is to come.
            if let timerAt = state.timerAt, timerAt > now { return }
            next = state.own.nextDeadline
            state.timerAt = next
        }
        if let next { self.setTimer(at: next) }
    }

    // MARK: What is read; on the loop

    func begins(_ history: String, after id: RESPStreamID) {
        self.state.withLockedValue { $0.position = id }
        self.host.logBegins(history, after: EventOffset(id) ?? .start)
    }

    func reached(_ id: RESPStreamID) { if let offset = EventOffset(id) { self.host.logReached(offset) } }

    func readOwn(_ entry: StreamEntry, at id: RESPStreamID) {
        var isPlaced = false
        self.change { state, actions in
            state.position = max(state.position, id)
            isPlaced = state.own.read(id, entry.data ?? ByteBuffer(), &actions)
        }
        guard !isPlaced, let offset = EventOffset(id) else { return }
        // It is late, or volatile.
        guard case .broadcast(let broadcast)? = try? entry.content(), broadcast.takesOffset,
            let options = broadcast.options,
            let packet = try? broadcast.payload.packet(for: self.dialect.namespace)
        else { return }
        self.host.arrivedLate(packet, options: options, offset: offset)
    }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, at id: RESPStreamID?) {
        if let id { self.state.withLockedValue { $0.position = max($0.position, id) } }
        self.host.deliver(packet, options: options, offset: id.flatMap { EventOffset($0) })
    }
}

extension EventOffset {
    init?(_ id: RESPStreamID) { self.init(milliseconds: id.milliseconds, sequence: id.sequence) }
}

extension RESPStreamID {
    init(_ offset: EventOffset) { self.init(milliseconds: offset.milliseconds, sequence: offset.sequence) }
}
