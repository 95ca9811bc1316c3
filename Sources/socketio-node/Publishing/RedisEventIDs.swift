import Console
import Incidents
import Logging
import NIOCore
import RESP

/// The ids of published events in Redis, each under a key of its own that expires.
///
/// The key has `p` while its request is under way, and `d` when the request has published something.
struct RedisEventIDs: SharedEventIDs {
    private let client: RESPClient
    /// What the keys begin with.
    private let prefix: String
    /// How long an id is remembered, in milliseconds.
    private let lifetime: Int
    private let incidents: IncidentLog

    /// How long a request may be under way before its id counts as free, in milliseconds.
    ///
    /// It is longer than any request takes, and short enough for a back end to try again after a node has died.
    private static let maximumDuration = 60_000

    /// - Parameters:
    ///   - client: Where the ids are kept.
    ///   - prefix: What the cluster's keys begin with.
    ///   - lifetime: How long an id is remembered.
    ///   - eventLoop: Counts what the log is told of.
    ///   - logger: What is told if Redis does not remember.
    init(client: RESPClient, prefix: String, lifetime: TimeAmount, eventLoop: any EventLoop, logger: Logger) {
        self.client = client
        self.prefix = "\(prefix):event-id:"
        self.lifetime = Int(lifetime.nanoseconds / 1_000_000)
        self.incidents = IncidentLog(logger: logger, source: "RedisEventIDs", eventLoop: eventLoop)
    }

    func claim(_ id: String) async -> EventIDClaim {
        do {
            // A claim that ends between the two commands is free the next time.
            for _ in 0..<2 {
                let taken = try await self.client.send(
                    "SET",
                    .string(self.prefix + id),
                    "p",
                    "NX",
                    "PX",
                    .int(Self.maximumDuration)
                )
                if taken != .null { return .new }
                switch try await self.client.send("GET", .string(self.prefix + id)) {
                case .null: continue
                case .bulkString(let state) where state.readableBytesView.elementsEqual("p".utf8): return .underWay
                default: return .known
                }
            }
            return .underWay
        } catch {
            self.note(error)
            return .unavailable
        }
    }

    func confirm(_ id: String) async -> Bool {
        do {
            _ = try await self.client.send("SET", .string(self.prefix + id), "d", "PX", .int(self.lifetime))
            return true
        } catch {
            self.note(error)
            return false
        }
    }

    func release(_ id: String) async {
        do {
            _ = try await self.client.send("DEL", .string(self.prefix + id))
        } catch {
            self.note(error)
        }
    }

    private func note(_ error: any Error) {
        self.incidents.record(
            "Redis does not remember the ids of events, so each node does for itself",
            reason: "event_ids",
            pace: .failures,
            details: ["error": "\(error)"]
        )
    }
}
