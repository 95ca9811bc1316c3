import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What is known of additions to histories.
struct HistoryAdditions: Sendable {
    fileprivate var outcomes: [EventLoopFuture<Bool>] = []

    /// Whether all were added.
    func areKnown() async -> Bool {
        for outcome in self.outcomes where !((try? await outcome.get()) ?? false) {
            return false
        }
        return true
    }
}

/// What this node adds.
extension Histories {
    /// A publication, with what histories get of it: its events for rooms and entities that have one.
    func recording(_ publication: Publication) -> Publication {
        let rules = self.context.rules.value
        guard rules.histories.isOn else { return publication }
        var publication = publication
        var records: [HistoryRecord] = []
        publication.changeOperations(in: self.context.main) { operation in
            guard case .emit(let values) = operation.action, case .string(let event)? = values.first,
                !operation.options.flags.isLocal, !operation.options.flags.isVolatile
            else { return }
            let made = Self.records(event, values, operation.options, rules)
            operation.options.except.appendNew(made.flatMap(\.followersRooms))
            records += made
        }
        publication.records += records
        return publication
    }

    private static func records(
        _ event: String,
        _ values: [JSONValue],
        _ options: BroadcastOptions,
        _ rules: Rules
    ) -> [HistoryRecord] {
        var rooms: [(Room, HistoryRetention)] = []
        var records: [HistoryRecord] = []
        let argument = values.count == 2 ? values[1] : .null
        for room in options.rooms {
            let retention = rules.histories.retention(of: room)
            if retention.isOn { rooms.append((room, retention)) }
            guard let entity = EntityRef(room: room) else { continue }
            let kept = rules.retention(of: .entity(entity))
            if kept.isOn { records.append(HistoryRecord(event, argument, to: entity, kept, except: options.except)) }
        }
        if !rooms.isEmpty { records.append(HistoryRecord(event, argument, to: rooms, except: options.except)) }
        return records
    }

    /// Adds an event to its histories, and does not wait.
    func append(_ record: HistoryRecord) { _ = self.add([record]) }

    /// Adds events to their histories.
    ///
    /// This node's followers get an event that can't be added now at once, without a position. It is added later.
    ///
    /// - Returns: What will be known of them.
    func add(_ records: [HistoryRecord]) -> HistoryAdditions {
        var additions = HistoryAdditions()
        for record in records {
            let promise = self.context.main.eventLoop.makePromise(of: Bool.self)
            additions.outcomes.append(promise.futureResult)
            self.add(record) { promise.succeed($0) }
        }
        return additions
    }

    private func add(_ record: HistoryRecord, completion: @escaping @Sendable (Bool) -> Void) {
        let mustWait = self.state.withLockedValue { state in
            if record.isKept { state.own.begin(record.content.id) }
            guard state.outbox.isInUse else { return false }
            state.outbox.keep(record.addition)
            return true
        }
        if mustWait {
            self.deliverEarly(record)
            self.retryLater()
            return completion(false)
        }
        self.context.sharing.history.append(record.addition) { [weak self] result in
            if case .failure(let error) = result { self?.failed(record, error) }
            completion((try? result.get()) != nil)
        }
    }

    private func failed(_ record: HistoryRecord, _ error: ClusterError) {
        self.state.withLockedValue { $0.outbox.keep(record.addition) }
        self.context.incidents.record(
            "Events could not be added to their histories and wait",
            reason: "unreachable",
            pace: .failures,
            details: ["error": "\(error)"]
        )
        self.deliverEarly(record)
        self.retryLater()
    }

    private func deliverEarly(_ record: HistoryRecord) {
        guard record.isKept, self.state.withLockedValue({ $0.own.deliverEarly(record.content.id) }) else { return }
        self.deliver(record.content, nil, isKnown: false)
    }

    // MARK: What waits

    private static let retryInterval = TimeAmount.seconds(1)

    private func retryLater() {
        let isScheduled = self.state.withLockedValue { state in
            defer { state.isRetryScheduled = true }
            return state.isRetryScheduled
        }
        guard !isScheduled else { return }
        self.context.main.eventLoop.scheduleTask(in: Self.retryInterval) { [weak self] in
            guard let self else { return }
            self.state.withLockedValue { $0.isRetryScheduled = false }
            self.flush()
        }
    }

    /// Adds what waits, one after the other.
    func flush() {
        guard let first = self.state.withLockedValue({ $0.outbox.begin() }) else { return }
        self.flush(first)
    }

    private func flush(_ addition: HistoryAddition) {
        self.context.sharing.history.append(addition) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success:
                guard let next = self.state.withLockedValue({ $0.outbox.added() }) else { return }
                self.flush(next)
            case .failure:
                self.state.withLockedValue { $0.outbox.failed() }
                self.retryLater()
            }
        }
    }
}

extension [Room] {
    /// Adds rooms that are not there yet.
    fileprivate mutating func appendNew(_ rooms: [Room]) {
        for room in rooms where !self.contains(room) { self.append(room) }
    }
}

extension BroadcastOptions {
    /// The same, with those who get the event from a history.
    var withHistoryFollowers: BroadcastOptions {
        var options = self
        options.except.removeAll { $0.name.utf8.starts(with: HistoryKey.followersPrefix.utf8) }
        return options
    }
}
