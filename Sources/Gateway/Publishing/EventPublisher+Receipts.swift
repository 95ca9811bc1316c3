import NIOCore
import SocketIOServer
import SocketIOWire

/// Receipts tell to how many clients of each node an event was sent.
extension EventPublisher {
    /// The server-side event with which a node asks the others to how many clients they sent a publication.
    ///
    /// It follows the publication on the same way. It has `[{rooms, except}]`, one for each event, and the answer is a
    /// number.
    private static let countEvent = "io:count"

    func registerReceipts() {
        for namespace in self.context.namespaces.values {
            namespace.onServerSide(Self.countEvent) { [weak namespace] arguments, reply in
                guard let namespace, let reply else { return }
                let counts = (arguments.first?.arrayValue ?? []).prefix(Self.maximumEvents)
                    .map { namespace.localTargetCount(of: BroadcastOptions(addressing: $0)) }
                EventLoopFuture.reduce(0, counts, on: namespace.eventLoop, +).whenSuccess { reply(.int($0)) }
            }
        }
    }

    /// This is more than the variants of any lifecycle event.
    private static let maximumEvents = 10_000

    /// Asks every node to how many of its clients it sent the events of a publication.
    func receipt(for publication: Publication, _ outcome: PublishOutcome) async -> PublishReceipt {
        var receipt = PublishReceipt(receivers: 0, nodes: 1, missing: [])
        for part in publication.parts {
            // Followers of a history get the event from there.
            let events = part.operations.filter { if case .emit = $0.action { true } else { false } }
                .map { $0.options.withHistoryFollowers }
            for options in events {
                receipt.receivers += (try? await part.namespace.localTargetCount(of: options).get()) ?? 0
            }
            switch outcome {
            case .localOnly: break
            case .queued, .unconfirmed, .refused: receipt.missing = ["cluster"]
            case .published: await self.ask(part.namespace, events, &receipt)
            }
        }
        return receipt
    }

    private func ask(_ namespace: Namespace, _ events: [BroadcastOptions], _ receipt: inout PublishReceipt) async {
        let (answers, missing) = await self.context.askOthers(
            Self.countEvent,
            .array(events.map(\.addressing)),
            in: namespace
        )
        let counts = answers.compactMap { $0?.intValue }.filter { $0 >= 0 }
        receipt.receivers = counts.reduce(receipt.receivers) { $0.addingReportingOverflow($1).partialValue }
        receipt.nodes += counts.count
        // A node that answers something else has not counted.
        receipt.missing += missing + Array(repeating: "unknown", count: answers.count - counts.count)
    }
}
