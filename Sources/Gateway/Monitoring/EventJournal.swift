import Incidents
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
package import SocketIOWire

/// Counts what happens at the gateway, and writes it to the log of events if that is wanted.
final class EventJournal: Sendable {
    /// The types that the gateway itself records; the application has others.
    enum EventType: String, Sendable, CaseIterable {
        case connection
        case disconnect
        case error
        case entitySubscribe = "entity-subscribe"
        case entityUnsubscribe = "entity-unsubscribe"
        /// A lifecycle event was handled.
        case emit
        /// Any other publication of a back end.
        case publish
        case test
    }

    /// The longest name of a type, in bytes.
    static let maximumTypeBytes = 64
    /// The longest entry, in bytes; of a longer one the data is left out.
    static let maximumEntryBytes = 4096

    private let counters: NIOLockedValueBox<EventCounters>
    private let writer: LogWriter
    private let audits: LogWriter
    private let rules: RulesInForce
    private let now: @Sendable () -> Double

    init(
        _ sharing: Sharing,
        rules: RulesInForce,
        eventLoop: any EventLoop,
        incidents: IncidentLog,
        now: @escaping @Sendable () -> Double
    ) {
        self.counters = NIOLockedValueBox(EventCounters(now: now()))
        self.rules = rules
        self.now = now
        self.writer = LogWriter(
            sharing.eventLog,
            name: "event log",
            failure: .drop,
            eventLoop: eventLoop,
            incidents: incidents
        )
        self.audits = LogWriter(
            sharing.auditLog,
            name: "audit log",
            failure: .retry(after: .seconds(1)),
            eventLoop: eventLoop,
            incidents: incidents
        )
    }

    /// Records something that has happened.
    ///
    /// - Parameters:
    ///   - type: What it was.
    ///   - isLogged: Whether the configuration in force wants it in the log, if the log is on.
    ///   - data: What is to be known about it; asked for only if it is logged.
    func record(
        _ type: EventType,
        if isLogged: (GatewayConfiguration) -> Bool = { _ in true },
        _ data: @autoclosure () -> JSONObject
    ) {
        self.record(type: UTF8Text(type.rawValue), if: isLogged, .object(data()))
    }

    /// Records something of a type that the application names.
    func record(
        type: UTF8Text,
        if isLogged: (GatewayConfiguration) -> Bool = { _ in true },
        _ data: @autoclosure () -> JSONValue
    ) {
        let now = self.now()
        self.counters.withLockedValue { $0.count(type, at: now) }
        let configuration = self.rules.value.configuration
        guard configuration.monitoring.enableEventLogging, isLogged(configuration) else { return }
        let entry = self.entry(["type": .string(type.string)], data(), at: now, configuration)
        self.writer.append(entry, keeping: configuration.monitoring.maximumEventLogSize)
    }

    /// Notes who has changed something.
    func note(_ audit: AuditRecord) {
        let configuration = self.rules.value.configuration
        let entry = self.entry(audit.members, audit.details.map { .object($0) }, at: self.now(), configuration)
        self.audits.append(entry, keeping: configuration.monitoring.maximumAuditLogSize)
    }

    func reading() -> EventCounters.Reading {
        let now = self.now()
        return self.counters.withLockedValue { $0.reading(at: now) }
    }

    func reset() {
        let now = self.now()
        self.counters.withLockedValue { $0.reset(at: now) }
    }

    /// `{timestamp, node, …, data}`.
    private func entry(
        _ members: JSONObject,
        _ data: JSONValue?,
        at now: Double,
        _ configuration: GatewayConfiguration
    ) -> ByteBuffer {
        var object: JSONObject = ["timestamp": .int(Int(max(0, min(now * 1000, 9e15))))]
        object["node"] = .string(configuration.nodeName ?? "unknown")
        for (name, value) in members { object[name] = value }
        let bare = object
        object["data"] = data
        var bytes = ByteBuffer()
        bytes.writeJSON(.object(object))
        guard bytes.readableBytes > Self.maximumEntryBytes else { return bytes }
        bytes.clear()
        object = bare
        object["data"] = ["truncated": true]
        bytes.writeJSON(.object(object))
        return bytes
    }
}

/// Who has changed what, from where, and what came of it.
package struct AuditRecord: Sendable {
    /// The name of the token, or of the operator; `nil` for the node itself.
    package var actor: String?
    /// The address of the one who asked.
    package var address: String?
    /// What was asked for, such as `POST /io/reset-stats`.
    package var action: String
    /// What it was done to, such as a socket's id.
    package var target: String?
    /// `done`, or the code of the error.
    package var result: String
    /// What else is to be known; no secrets.
    package var details: JSONObject?

    /// A record of these parts.
    package init(
        actor: String?,
        address: String?,
        action: String,
        target: String? = nil,
        result: String,
        details: JSONObject? = nil
    ) {
        self.actor = actor
        self.address = address
        self.action = action
        self.target = target
        self.result = result
        self.details = details
    }

    private static let maximumTextBytes = 256

    fileprivate var members: JSONObject {
        func text(_ text: String?) -> JSONValue {
            text.map { .string($0.abridged(toBytes: Self.maximumTextBytes)) } ?? .null
        }
        return [
            "actor": text(self.actor), "address": text(self.address), "action": text(self.action),
            "target": text(self.target), "result": text(self.result),
        ]
    }
}
