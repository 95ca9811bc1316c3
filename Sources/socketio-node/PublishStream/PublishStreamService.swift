import Console
import Gateway
import Incidents
import Logging
import NIOCore
import RESP
import ServiceLifecycle

/// Publishes what back ends write into a stream of Redis, each entry at least once.
///
/// Each entry goes to one node. It is acknowledged when it is published, and until then it belongs to that node. If the
/// node dies, another one takes it.
struct PublishStreamService: Service {
    /// The connection that ``group`` uses, and nobody else.
    let client: RESPClient
    let group: PublishStreamGroup
    let publisher: Publisher
    let incidents: IncidentLog
    /// Runs when Redis or the cluster could not do something, before the next attempt.
    let pause: @Sendable () async -> Void
    /// How often entries are looked for that other nodes have left behind, in turns.
    var turnsBetweenClaims = 10

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.work() }
        await self.client.close()
    }

    private func work() async {
        while !Task.isCancelled {
            do {
                try await self.client.connect()
                try await self.group.prepare()
                try await self.consume()
            } catch {
                guard !Task.isCancelled else { return }
                self.incidents.record(
                    "Events of the publish stream wait, because they could not be published",
                    reason: "publish_stream",
                    pace: .failures,
                    details: ["error": "\(error)"]
                )
                await self.pause()
            }
        }
    }

    private func consume() async throws {
        // What this node was handed before it failed comes first.
        while !Task.isCancelled {
            let entries = try await self.group.own()
            if entries.isEmpty { break }
            try await self.publish(entries)
        }
        var turn = 0
        while !Task.isCancelled {
            if turn % self.turnsBetweenClaims == 0 { try await self.publish(try await self.group.abandoned()) }
            turn += 1
            try await self.publish(try await self.group.next())
        }
    }

    /// Publishes entries one after the other, in their order.
    ///
    /// - Throws: What keeps an entry from being published now. It and those behind it are still this node's.
    private func publish(_ entries: [RESPStreamEntry]) async throws {
        for entry in entries {
            do {
                try await StreamedPublish(parsing: entry["body"]).publish(with: self.publisher)
                try await self.group.acknowledge(entry.id)
            } catch let rejection as StreamedPublish.Rejection {
                self.incidents.record(
                    "Entries of the publish stream were rejected",
                    reason: "publish_stream_entry",
                    pace: .failures,
                    details: ["id": "\(entry.id)", "error": "\(rejection)"]
                )
                try await self.group.reject(entry, because: rejection.description)
            }
        }
    }
}
