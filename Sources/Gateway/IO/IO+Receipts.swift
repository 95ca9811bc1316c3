import NIOCore
import SocketIOServer
import SocketIOWire

/// Receipts: how many clients of each node an event was sent to.
extension IO {
    /// The server-side event with which a node asks the others how many clients a publication was sent to.
    ///
    /// It goes the same way as the publication, behind it: `[{rooms, except}]` for each event, answered by a number.
    static let countEvent = "io:count"

    func registerReceipts() {
        for namespace in self.namespaces.values {
            namespace.onServerSide(Self.countEvent) { [weak namespace] arguments, reply in
                guard let namespace, let reply else { return }
                let counts = (arguments.first?.arrayValue ?? []).prefix(Self.maximumEvents)
                    .map { namespace.localTargetCount(of: Self.options($0)) }
                EventLoopFuture.reduce(0, counts, on: namespace.eventLoop, +).whenSuccess { reply(.int($0)) }
            }
        }
    }

    /// More events than a lifecycle event has variants.
    private static let maximumEvents = 10_000

    private static func options(_ value: JSONValue) -> BroadcastOptions {
        func rooms(_ name: String) -> [Room] {
            (value[name]?.arrayValue ?? []).compactMap { $0.stringValue.map { Room($0) } }
        }
        return BroadcastOptions(rooms: rooms("rooms"), except: rooms("except"))
    }

    /// Asks every node how many of its clients the events of a publication were sent to.
    func receipt(for publication: Publication, _ outcome: PublishOutcome) async -> PublishReceipt {
        var receipt = PublishReceipt(receivers: 0, nodes: 1, missing: [])
        for part in publication.parts {
            let events = part.operations.filter { if case .emit = $0.action { true } else { false } }.map(\.options)
            for options in events {
                receipt.receivers += (try? await part.namespace.localTargetCount(of: options).get()) ?? 0
            }
            switch outcome {
            case .localOnly: break
            case .queued, .refused: receipt.missing = ["cluster"]
            case .published: await self.ask(part.namespace, events, &receipt)
            }
        }
        return receipt
    }

    private func ask(_ namespace: Namespace, _ events: [BroadcastOptions], _ receipt: inout PublishReceipt) async {
        let question = JSONValue.array(
            events.map { options in
                [
                    "rooms": .array(options.rooms.map { .string($0.name) }),
                    "except": .array(options.except.map { .string($0.name) }),
                ]
            }
        )
        var answers: [JSONValue?] = []
        var missing: [String] = []
        do {
            answers = try await namespace.serverSideEmitWithAck(
                Self.countEvent,
                question,
                timeout: self.configuration.clusterTimeout
            )
        } catch let error as ClusterError where error.code == .timeout {
            answers = error.partialResponses
            if let nodes = try? await namespace.serverCount() {
                missing = Array(repeating: "unknown", count: max(0, nodes - 1 - answers.count))
            } else {
                missing = ["cluster"]
            }
        } catch {
            missing = ["cluster"]
        }
        let counts = answers.compactMap { $0?.intValue }.filter { $0 >= 0 }
        receipt.receivers = counts.reduce(receipt.receivers) { $0.addingReportingOverflow($1).partialValue }
        receipt.nodes += counts.count
        // Who answers something else has not counted.
        receipt.missing += missing + Array(repeating: "unknown", count: answers.count - counts.count)
    }
}
