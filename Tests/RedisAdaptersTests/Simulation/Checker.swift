import SocketIOWire

/// Holds what happened in a run against what is promised.
struct Checker {
    private let script: Script
    private let history: History
    private let members: [[String]]

    init(script: Script, history: History) {
        self.script = script
        self.history = history
        self.members = (0..<script.nodes).map { node in
            (0..<script.membersPerNode).map { Script.member($0, of: node) }
        }
    }

    var violations: [String] {
        self.orderViolations + self.fateViolations + self.lossViolations
            + self.history.questions.indices.flatMap { self.violations(of: self.history.questions[$0], $0) }
    }

    // MARK: Events

    /// Events of one publisher come in the order in which it has published them, and none comes twice.
    private var orderViolations: [String] {
        var found: [String] = []
        var got: [String: Set<Int>] = [:]
        var last: [String: [Int: Int]] = [:]
        for delivery in self.history.deliveries {
            let (member, event) = (delivery.member, delivery.event)
            guard got[member, default: []].insert(event).inserted else {
                found.append("\(member) got event \(event) twice")
                continue
            }
            let publisher = self.history.events[event].publisher
            if let before = last[member]?[publisher], before > event {
                found.append("\(member) got event \(event) after \(before), both of node \(publisher)")
            }
            last[member, default: [:]][publisher] = event
        }
        return found
    }

    /// What was said of an event is true, and none has vanished without a reason.
    private var fateViolations: [String] {
        self.history.events.enumerated().compactMap { number, event in
            let outcome = event.outcome ?? ""
            if outcome.hasPrefix("published"), event.executedAt == nil {
                return "event \(number) counts as published, and Redis has never got it"
            }
            if outcome.hasPrefix("refused"), event.executedAt != nil {
                return "event \(number) counts as refused, and Redis has got it"
            }
            let hasReason =
                event.executedAt != nil || event.wasDropped || event.wasLostOnWayToRedis
                || self.history.crashes[event.publisher] != nil
            return hasReason ? nil : "event \(number) has vanished"
        }
    }

    /// Every member got what was for it, unless its node was told that something may be missing.
    private var lossViolations: [String] {
        var got: [String: Set<Int>] = [:]
        for delivery in self.history.deliveries { got[delivery.member, default: []].insert(delivery.event) }
        var found: [String] = []
        for (number, event) in self.history.events.enumerated() {
            guard let time = event.executedAt else { continue }
            for node in 0..<self.script.nodes where node != event.publisher && !self.hasDied(node, after: time) {
                let isExcused = self.history.isExcused(node, event, at: time)
                for member in self.members[node]
                where !isExcused && !(got[member]?.contains(number) ?? false)
                    && self.isAddressed(member, by: event, from: time, to: event.arrivedAt[node] ?? time)
                {
                    found.append("\(member) has missed event \(number) of node \(event.publisher), and nobody was told")
                }
            }
        }
        return found
    }

    private func hasDied(_ node: Int, after time: Int64) -> Bool {
        self.history.crashes[node].map { $0 < time + 20_000 * SimulatedWorld.millisecond } ?? false
    }

    /// Whether a member was in a room that the event is for all the time, and in none that is left out.
    private func isAddressed(_ member: String, by event: History.Event, from: Int64, to: Int64) -> Bool {
        let stays = self.history.stays.filter { $0.member == member }
        if event.isForNewRoom {
            return stays.contains { event.options.rooms.contains($0.room) && $0.leftAt == nil }
        }
        let isIn =
            event.options.rooms.isEmpty
            || stays.contains { stay in
                event.options.rooms.contains(stay.room) && stay.covers(from, to)
                    && stay.sureAt.map { $0 <= from } ?? false
            }
        return isIn && !stays.contains { event.options.except.contains($0.room) && $0.touches(from, to) }
    }

    // MARK: Questions

    private func violations(of question: Question, _ number: Int) -> [String] {
        guard self.history.crashes[question.node] == nil else { return [] }
        let name = "question \(number) (\(question.kind.rawValue) by node \(question.node))"
        guard let end = question.end, let outcome = question.outcome else { return ["\(name) has never ended"] }
        var found: [String] = []
        let wasFrozen = self.history.freezes.contains { period in
            period.node == question.node && period.from <= end && (period.to ?? .max) >= question.start
        }
        let patience = question.kind == .acknowledgements ? Int64(6_000) : 2_050
        if !wasFrozen, end - question.start > patience * SimulatedWorld.millisecond {
            found.append("\(name) took \((end - question.start) / SimulatedWorld.millisecond) ms")
        }
        switch outcome {
        case .failed(let isIncomplete, let missing, let message):
            if isIncomplete, missing == 0, !message.contains("not asked yet") {
                found.append("\(name) names nobody who is missing: \(message)")
            }
        case .answered(let values):
            if question.kind == .acknowledgements {
                let steady = (0..<self.script.nodes).filter {
                    $0 != question.node && self.history.isSteady($0, question.start, end)
                }
                if Int(values.first ?? "") ?? 0 < steady.count {
                    found.append("\(name) counts \(values), and \(steady.count) were there")
                }
            } else {
                let missing = Set(self.expected(question, until: end)).subtracting(values).sorted()
                if !missing.isEmpty { found.append("\(name) is called complete without \(missing)") }
                if Set(values).count < values.count { found.append("\(name) has an answer twice: \(values)") }
            }
        }
        let clients = question.acknowledgements
        if Set(clients).count < clients.count { found.append("\(name): a client has acknowledged twice: \(clients)") }
        return found
    }

    /// What has to be in an answer that is called complete.
    private func expected(_ question: Question, until end: Int64) -> [String] {
        var expected: [String] = []
        for node in 0..<self.script.nodes
        where node != question.node && self.history.isSteady(node, question.start, end) {
            if question.kind == .servers { expected.append("node-\(node)") }
            for member in self.members[node] {
                let stays = self.history.stays.filter { $0.member == member }
                switch question.kind {
                case .sockets:
                    let isIn =
                        question.options.rooms.isEmpty
                        || stays.contains { question.options.rooms.contains($0.room) && $0.covers(question.start, end) }
                    let isOut = stays.contains {
                        question.options.except.contains($0.room) && $0.touches(question.start, end)
                    }
                    if isIn, !isOut { expected.append(member) }
                case .search: if question.wanted == member { expected.append(member) }
                case .rooms:
                    expected += stays.filter { $0.covers(question.start, end) }.map(\.room.name)
                case .servers, .acknowledgements: break
                }
            }
        }
        return expected
    }
}
