import Logging
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
public import SocketIOWire

/// What the cluster is doing, for those who operate it.
///
/// ```swift
/// import Gateway
///
/// func report(_ io: IO) async {
///     let nodes = await io.monitoring.nodes()
///     print(nodes.value.reduce(0) { $0 + $1.connections }, "connections; no answer from", nodes.missing)
/// }
/// ```
///
/// Each node answers for itself, with a part that has a limit. A node that does not answer in time is named.
public final class Monitoring: Sendable {
    let context: GatewayContext
    /// Milliseconds since 1970.
    let startedAt: Int
    private let describe = NIOLockedValueBox<@Sendable () -> JSONObject>({ [:] })
    /// The questions of other nodes that are being answered.
    private let underWay = NIOLockedValueBox(0)

    /// The server-side event with which a node asks the others.
    private static let event = "io:monitor"
    /// The most questions of other nodes that are answered at the same time.
    private static let maximumQuestions = 8

    init(_ context: GatewayContext) {
        self.context = context
        self.startedAt = Self.milliseconds(context.now())
    }

    /// What the program tells of this node besides, such as its version; asked for each time.
    package func setDetails(_ details: @escaping @Sendable () -> JSONObject) {
        self.describe.withLockedValue { $0 = details }
    }

    func details() -> JSONObject { self.describe.withLockedValue { $0 }() }

    // MARK: Events

    /// Counts an event of the application, and writes it to the log of events if that is on.
    ///
    /// - Parameters:
    ///   - type: What has happened, in at most 64 bytes; the rest is left out.
    ///   - data: What is to be known about it. An entry has at most 4 KB.
    public func logEvent(_ type: String, _ data: JSONValue = .null) {
        let type = type.abridged(toBytes: EventJournal.maximumTypeBytes)
        self.context.journal.record(type: UTF8Text(type), data)
    }

    /// An operator has sent an event to try whether it arrives.
    package func testEventSent(_ event: String, _ data: JSONValue) {
        self.context.journal.record(.test, ["eventName": .string(event), "data": data])
    }

    /// The log of events.
    public var eventLog: EventLog { EventLog(self.context.sharing.eventLog, eventLoop: self.context.main.eventLoop) }

    /// Who has changed what.
    public var auditLog: EventLog { EventLog(self.context.sharing.auditLog, eventLoop: self.context.main.eventLoop) }

    /// Notes who has changed something, for the audit log and the node's own.
    package func audit(_ record: AuditRecord) {
        self.context.journal.note(record)
        self.context.logger.info(
            "Something was changed on request",
            metadata: [
                "actor": "\(boundedText(record.actor ?? "none"))", "address": "\(record.address ?? "unknown")",
                "action": "\(boundedText(record.action))", "target": "\(boundedText(record.target ?? "none"))",
                "result": "\(boundedText(record.result))",
            ]
        )
    }

    // MARK: Questions

    /// The figures of every node, in the order of their names.
    public func nodes() async -> ClusterReport<[NodeFigures]> {
        let report = await self.ask(.figures) { NodeFigures($0) }
        return report.map { $0.sorted { UTF8Text($0.node) < UTF8Text($1.node) } }
    }

    /// Makes every node count its events from zero.
    ///
    /// - Returns: The names of the nodes that have done so.
    @discardableResult
    public func resetStatistics() async -> ClusterReport<[String]> {
        await self.ask(.reset) { $0["node"]?.stringValue }
    }

    /// Rooms of the main namespace with their members on all nodes, without the gateway's internal ones.
    ///
    /// By name, the answer is exact. By size, the counts are exact; but a room whose members are spread over many nodes
    /// may be missing, if none of them has it among its largest.
    public func rooms(_ query: RoomQuery = RoomQuery()) async -> ClusterReport<RoomPage> {
        let query = query.bounded
        let report = await self.ask(.rooms(query)) { answer -> [RoomPage.Entry]? in
            guard let rooms = answer["rooms"]?.arrayValue, rooms.count <= query.limit else { return nil }
            return rooms.compactMap { room in
                guard let name = room["name"]?.stringValue, let members = room["members"]?.intValue,
                    (0...1_000_000_000).contains(members)
                else { return nil }
                return RoomPage.Entry(name: name, members: members)
            }
        }
        var sums: [UTF8Text: Int] = [:]
        for room in report.value.joined() { sums[UTF8Text(room.name), default: 0] += room.members }
        switch query.order {
        case .name:
            let isFull = sums.count > query.limit || report.value.contains { $0.count >= query.limit }
            let rooms = sums.sorted { $0.key < $1.key }.prefix(query.limit)
                .map { RoomPage.Entry(name: $0.key.string, members: $0.value) }
            let page = RoomPage(rooms: rooms, next: isFull ? rooms.last?.name : nil)
            return ClusterReport(value: page, missing: report.missing)
        case .size:
            // Only the nodes whose largest rooms these are have told about them.
            let names = sums.keys.sorted().prefix(MonitoringQuestion.maximumNames).map { Room($0.string) }
            let counted = await self.ask(.members(of: names)) { answer -> [Int]? in
                let counts = answer["members"]?.arrayValue?.compactMap(\.intValue)
                return counts?.count == names.count ? counts : nil
            }
            let rooms = names.enumerated().map { index, room in
                RoomPage.Entry(
                    name: room.name,
                    members: counted.value.reduce(0) { $0 + min(max(0, $1[index]), 1_000_000_000) }
                )
            }
            let page = RoomPage(rooms: Self.largest(rooms, query.limit))
            return ClusterReport(value: page, missing: counted.missing)
        }
    }

    /// Sockets of the cluster.
    public func sockets(_ query: SocketQuery = SocketQuery()) async -> ClusterReport<SocketPage> {
        let query = query.bounded
        let report = await self.ask(.sockets(query)) { SocketPage.Part($0, limit: query.limit) }
        return report.map { SocketPage(merging: $0, limit: query.limit) }
    }

    /// Asks this node and all others.
    ///
    /// A node that answers something else counts as missing.
    private func ask<Answer: Sendable>(
        _ question: MonitoringQuestion,
        _ read: (JSONValue) -> Answer?
    ) async -> ClusterReport<[Answer]> {
        async let own = self.answer(question)
        let (answers, nodes) = await self.context.askNodes(Self.event, question.value, in: self.context.main)
        // The program gives a node the name under which others know its address.
        let missing = nodes?.map { $0.address ?? $0.id ?? "unknown" } ?? ["cluster"]
        var report = ClusterReport<[Answer]>(value: [], missing: missing)
        if let answer = read(await own) { report.value.append(answer) }
        for answer in answers {
            if let answer, let read = read(answer) {
                report.value.append(read)
            } else {
                report.missing.append(answer?["node"]?.stringValue?.abridged(toBytes: 128) ?? "unknown")
            }
        }
        return report
    }

    /// Answers the other nodes, and records who comes and goes.
    func register() {
        self.context.main.onServerSide(Self.event) { [weak self] arguments, reply in
            guard let self, let reply else { return }
            guard let question = arguments.first.flatMap({ MonitoringQuestion($0) }), self.begin() else {
                reply(["node": .string(self.nodeName)])
                return
            }
            // It ends with the answer, which waits for this node's loops only.
            Task {
                reply(await self.answer(question))
                self.underWay.withLockedValue { $0 -= 1 }
            }
        }
        for (name, namespace) in self.context.namespaces { self.watch(namespace, name) }
    }

    private func begin() -> Bool {
        self.underWay.withLockedValue { underWay in
            guard underWay < Self.maximumQuestions else { return false }
            underWay += 1
            return true
        }
    }

    private func watch(_ namespace: Namespace, _ name: String) {
        let journal = self.context.journal
        let context = self.context
        @Sendable func describe(_ socket: Socket) -> JSONObject {
            var data: JSONObject = ["socketId": .string(socket.id.description)]
            if name != "main" { data["namespace"] = .string(name) }
            data["user"] = PrincipalRecord(socket.data)?.user ?? .null
            return data
        }
        namespace.onConnection { socket in
            journal.record(
                .connection,
                if: \.monitoring.enableConnectionLogging,
                {
                    var data = describe(socket)
                    data["ip"] = .string(context.address(of: socket))
                    return data
                }()
            )
        }
        namespace.onDisconnect { socket, reason in
            journal.record(
                .disconnect,
                if: \.monitoring.enableConnectionLogging,
                {
                    var data = describe(socket)
                    data["reason"] = .string(reason.rawValue)
                    return data
                }()
            )
        }
    }
}

extension RoomQuery {
    fileprivate var bounded: RoomQuery {
        var query = self
        query.limit = min(max(1, self.limit), Self.maximumLimit)
        if self.order == .size { query.after = nil }
        return query
    }
}

extension SocketQuery {
    fileprivate var bounded: SocketQuery {
        var query = self
        query.limit = min(max(1, self.limit), Self.maximumLimit)
        return query
    }
}
