import Foundation
import NIOCore
import SocketIOWire

/// What happened in a simulated run, for the checker.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class History: @unchecked Sendable {
    /// An event that a node has published.
    struct Event {
        let publisher: Int
        let options: BroadcastOptions
        /// It goes to a room that sockets were told to join in the same breath.
        var isForNewRoom = false
        /// Whether it was awaited, and what was said.
        var outcome: String?
        var executedAt: Int64?
        var wasLostOnWayToRedis = false
        var wasDropped = false
        /// Whether what is left out is known to have been published by a node that was closed or crashed.
        var lostOnWayTo: Set<Int> = []
        /// When nodes have got it from Redis.
        var arrivedAt: [Int: Int64] = [:]
    }

    struct Delivery {
        let event: Int
        let member: String
        let time: Int64
    }

    struct Stay {
        let node: Int
        let member: String
        let room: Room
        let joinedAt: Int64
        /// From when on the node hears the room.
        var sureAt: Int64?
        var leftAt: Int64?

        func covers(_ from: Int64, _ to: Int64) -> Bool {
            self.joinedAt <= from && (self.leftAt.map { $0 > to } ?? true)
        }
        func touches(_ from: Int64, _ to: Int64) -> Bool {
            self.joinedAt <= to && (self.leftAt.map { $0 >= from } ?? true)
        }
    }

    struct Period {
        let node: Int
        let from: Int64
        var to: Int64?
    }

    var events: [Event] = []
    var deliveries: [Delivery] = []
    var stays: [Stay] = []
    var outages: [Period] = []
    var freezes: [Period] = []
    var crashes: [Int: Int64] = [:]
    var gaps: [(node: Int, time: Int64)] = []
    var questions: [Question] = []
    /// What was seen to be wrong at once.
    var violations: [String] = []
    /// What has happened, in order: the same for the same seed.
    var trace: [String] = []

    /// Adds an event.
    ///
    /// - Returns: Its arguments, and its number.
    func publish(by node: Int, _ options: BroadcastOptions, isForNewRoom: Bool = false) -> (Int, [JSONValue]) {
        self.events.append(Event(publisher: node, options: options, isForNewRoom: isForNewRoom))
        let number = self.events.count - 1
        return (number, ["e", .string(Self.mark(number))])
    }

    static func mark(_ number: Int) -> String { "~\(1_000_000 + number)~" }

    /// The number of the event in a message.
    static func event(in message: ByteBuffer) -> Int? {
        message.withUnsafeReadableBytes { bytes in
            var index = 0
            while let start = bytes.baseAddress, index + 9 <= bytes.count,
                let found = memchr(start + index, 0x7E, bytes.count - index)
            {
                index = start.distance(to: UnsafeRawPointer(found)) + 1
                guard index + 8 <= bytes.count, bytes[index + 7] == 0x7E else { continue }
                let digits = bytes[index..<(index + 7)]
                guard digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { continue }
                return digits.reduce(0) { $0 * 10 + Int($1) - 0x30 } - 1_000_000
            }
            return nil
        }
    }

    // MARK: What the bus tells

    func executed(_ event: Int, at time: Int64) {
        if self.events[event].executedAt != nil { self.violations.append("event \(event) was published twice") }
        self.events[event].executedAt = time
    }

    func lost(_ event: Int, onWayTo node: Int) { self.events[event].lostOnWayTo.insert(node) }
    func lostOnWayToRedis(_ event: Int) { self.events[event].wasLostOnWayToRedis = true }
    func dropped(_ event: Int) { self.events[event].wasDropped = true }

    func outageBegan(node: Int, at time: Int64) {
        guard !self.outages.contains(where: { $0.node == node && $0.to == nil }) else { return }
        self.outages.append(Period(node: node, from: time))
        self.trace.append("\(time) node \(node) loses Redis")
    }

    func outageEnded(node: Int, at time: Int64) {
        for index in self.outages.indices where self.outages[index].node == node && self.outages[index].to == nil {
            self.outages[index].to = time
        }
        self.trace.append("\(time) node \(node) has Redis back")
    }

    // MARK: What the checker asks

    /// Whether a node was there and connected all the time.
    func isSteady(_ node: Int, _ from: Int64, _ to: Int64) -> Bool {
        if let crash = self.crashes[node], crash <= to { return false }
        return !(self.outages + self.freezes).contains { period in
            period.node == node && period.from <= to && (period.to.map { $0 >= from } ?? true)
        }
    }

    /// Whether a node's host was told that what was published then may be missing.
    func isExcused(_ node: Int, _ event: Event, at time: Int64) -> Bool {
        let isInOutage = self.outages.contains { outage in
            guard outage.node == node, let end = outage.to else { return false }
            let isLost = event.lostOnWayTo.contains(node) && outage.from >= time
            return (isLost || outage.from <= time && time <= end)
                && self.gaps.contains { $0.node == node && $0.time >= max(time, outage.from) && $0.time <= end }
        }
        return isInOutage
    }
}

/// Something that a node has asked the others.
struct Question {
    enum Kind: String { case sockets, search, rooms, servers, acknowledgements }

    enum Outcome {
        /// What came: ids of sockets, names of rooms, answers.
        case answered([String])
        case failed(isIncomplete: Bool, missing: Int, message: String)
    }

    let node: Int
    let kind: Kind
    let options: BroadcastOptions
    /// What is searched for.
    var wanted: String?
    let start: Int64
    var end: Int64?
    var outcome: Outcome?
    /// How many nodes a broadcast with acknowledgements has gone to, and the clients' answers.
    var acknowledgements: [String] = []
    var reports = 0
}
