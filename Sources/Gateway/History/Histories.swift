import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// The last events of rooms and entities: what this node adds to them, and which of its sockets follow them.
///
/// A follower gets the events of a history from the history, and not with everybody else: this node hears of them in the
/// order of their places, and hands each to those of its sockets that are in the room of the history's followers.
final class Histories: Sendable {
    let context: GatewayContext
    let subscriptions: Subscriptions
    let budgets: ClientBudgets
    let state = NIOLockedValueBox(State())

    /// A socket that has asked for what it missed, and has no answer yet.
    struct WaiterID: Hashable {
        var socket: SocketKey
        var key: HistoryKey
    }

    /// What such a socket gets behind the answer.
    struct Waiter {
        /// The most events that are held for one socket.
        static let maximumEvents = 1_000

        var events: [(position: HistoryPosition, content: HistoryContent)] = []
        var hasLost = false
    }

    struct State {
        /// The newest place of each history that sockets of this node follow, as far as this node has heard.
        var feeds: [HistoryKey: HistoryPosition] = [:]
        /// How many of them there may be before those without followers are forgotten.
        var sweepAt = 1_024
        var waiters: [WaiterID: Waiter] = [:]
        /// Up to where followers have got everything by an answer.
        ///
        /// An answer may overtake what this node hears: then the events that are in it still come.
        var answered: [SocketKey: [HistoryKey: HistoryPosition]] = [:]
        var own = OwnAdditions()
        var outbox = HistoryOutbox()
        /// Whether the outbox is looked at in a while anyway.
        var isRetryScheduled = false
        var polls: [HistoryKey: [Int: EventLoopPromise<Void>]] = [:]
        var nextPoll = 0
        var subscription: SignalSubscription?

        /// The most histories whose answers are remembered for one socket.
        private static let maximumAnswers = 1_000

        /// A socket has the answer that it follows a history from there on.
        mutating func noteAnswer(to socket: SocketKey, of key: HistoryKey, _ position: HistoryPosition) {
            // Nobody is in so many rooms, but somebody may have been in them one after the other.
            if self.answered[socket]?.count ?? 0 >= Self.maximumAnswers { self.answered[socket] = nil }
            self.answered[socket, default: [:]][key] = position
        }
    }

    init(_ context: GatewayContext, subscriptions: Subscriptions, budgets: ClientBudgets) {
        self.context = context
        self.subscriptions = subscriptions
        self.budgets = budgets
    }

    private var store: any EventHistory { self.context.sharing.history }

    func register() {
        let subscription = self.store.receive { [weak self] signal in
            switch signal {
            case .gap: self?.heardOfGap()
            case .added(let positions, let message): self?.added(positions, message)
            }
        }
        self.state.withLockedValue { $0.subscription = subscription }
        self.context.main.onConnection { [weak self] socket in
            guard socket.isRecovered else { return }
            self?.tellRecovered(socket)
        }
        self.context.main.onDisconnect { [weak self] socket, _ in
            self?.state.withLockedValue { _ = $0.answered.removeValue(forKey: SocketKey(socket: socket)) }
        }
    }

    // MARK: Hearing

    /// An event was added, by this node or another one.
    private func added(_ positions: [HistoryPosition], _ message: ByteBuffer) {
        guard let (id, keys) = try? HistoryContent.head(of: message), keys.count == positions.count else {
            return self.malformed()
        }
        let isFollowed = keys.map { self.context.main.hasMembersHere($0.followersRoom) }
        var gaps: [(HistoryKey, HistoryPosition)] = []
        var polls: [EventLoopPromise<Void>] = []
        let isDelivered = self.state.withLockedValue { state in
            for (index, key) in keys.enumerated() {
                if let waiting = state.polls.removeValue(forKey: key) { polls += waiting.values }
                guard isFollowed[index] else {
                    state.feeds[key] = nil
                    continue
                }
                let last = state.feeds[key]
                // A place up to which a gap was told already says nothing new.
                if let last, last.includes(positions[index]) { continue }
                state.feeds[key] = positions[index]
                if let last, !positions[index].follows(last) { gaps.append((key, last)) }
            }
            return state.own.heard(id)
        }
        for poll in polls { poll.succeed() }
        for (key, last) in gaps { self.tellGap(key, last) }
        guard isFollowed.contains(true) else { return }
        guard let content = try? HistoryContent(message) else { return self.malformed() }
        self.deliver(content, positions, isKnown: isDelivered)
    }

    private func malformed() {
        self.context.incidents.record(
            "What histories brought could not be read",
            reason: "malformed",
            pace: .failures,
            details: [:]
        )
    }

    // MARK: Gaps

    /// The event that tells followers that they may have missed something.
    private static let gapEvent = "io:gap"

    /// Events may have been missed, and from now on they are heard.
    private func heardOfGap() {
        let (keys, polls) = self.state.withLockedValue { state in
            defer { state.polls = [:] }
            return (Array(state.feeds), state.polls.values.flatMap(\.values))
        }
        for poll in polls { poll.succeed() }
        self.flush()
        guard !keys.isEmpty else { return }
        // It ends when each history was read once, or the first can't be.
        Task {
            for (key, last) in keys {
                guard let stream = self.context.rules.value.stream(of: key) else { continue }
                guard self.context.main.hasMembersHere(key.followersRoom) else {
                    self.state.withLockedValue { $0.feeds[key] = nil }
                    continue
                }
                // If it can't be read, the next gap comes with the connection.
                guard let top = try? await self.store.read(HistoryQuestion(stream, limit: 1)).position else { return }
                let isBehind = self.state.withLockedValue { state in
                    // What was heard meanwhile has told by its place whether something is missing.
                    guard state.feeds[key] == last, top != last else { return false }
                    state.feeds[key] = top
                    return true
                }
                if isBehind { self.tellGap(key, last) }
            }
        }
    }

    /// Tells this node's followers of a history up to where they have got everything.
    func tellGap(_ key: HistoryKey, _ last: HistoryPosition?) {
        let argument = Self.gap(key, last)
        guard let packet = self.context.main.encodedEvent([.string(Self.gapEvent), argument]) else { return }
        self.context.main.visitMembersHere(of: [key.followersRoom]) { sockets in
            for socket in sockets { socket.send(packet) }
        }
    }

    /// `{room, position}` or `{uid, id, position}`.
    static func gap(_ key: HistoryKey, _ last: HistoryPosition?) -> JSONValue {
        var argument = key.members
        argument["position"] = last?.value ?? .null
        return .object(argument)
    }

    /// Tells one socket.
    func tellGap(_ key: HistoryKey, _ last: HistoryPosition?, to socket: Socket) {
        guard let packet = self.context.main.encodedEvent([.string(Self.gapEvent), Self.gap(key, last)]) else { return }
        socket.send(packet)
    }

    /// A client has come back to its rooms.
    ///
    /// What it gets of other rooms by its recovery, it does not get of histories.
    private func tellRecovered(_ socket: Socket) {
        for room in socket.rooms {
            if let key = HistoryKey(followersRoom: room) { self.tellGap(key, nil, to: socket) }
        }
    }

    /// Takes note of the newest place of a history that a socket follows from now on.
    func begin(_ key: HistoryKey, at position: HistoryPosition) {
        let unused = self.state.withLockedValue { state -> [HistoryKey] in
            if state.feeds[key] == nil { state.feeds[key] = position }
            return state.feeds.count > state.sweepAt ? Array(state.feeds.keys) : []
        }
        guard !unused.isEmpty else { return }
        let kept = unused.filter { self.context.main.hasMembersHere($0.followersRoom) }
        let gone = Set(unused).subtracting(kept)
        self.state.withLockedValue { state in
            for key in gone { state.feeds[key] = nil }
            state.sweepAt = max(1_024, 2 * kept.count)
        }
    }
}

extension HistoryPosition {
    /// Whether nothing is missing between two places of which this node has heard one after the other.
    ///
    /// A history that begins anew begins with the first place.
    func follows(_ last: HistoryPosition) -> Bool {
        self.offset == last.offset + 1 || (self.offset == 1 && self.epoch != last.epoch)
    }
}
