import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// The webhooks of a node, by name.
final class WebhookDesk: Sendable {
    private let context: GatewayContext
    private let senders = NIOLockedValueBox<[UTF8Text: WebhookSender]>([:])

    init(_ context: GatewayContext) {
        self.context = context
        self.reconfigure(context.configuration.webhooks)
    }

    /// Goes by another list of webhooks.
    ///
    /// What waits for one that is still there goes on to wait. What waits for another is given up.
    func reconfigure(_ webhooks: [Webhook]) {
        guard let http = self.context.outgoing else { return }
        let gone = self.senders.withLockedValue { senders -> [WebhookSender] in
            var former = senders
            senders = [:]
            for webhook in webhooks {
                let name = UTF8Text(webhook.name)
                if let sender = former.removeValue(forKey: name) {
                    sender.reconfigure(webhook)
                    senders[name] = sender
                } else {
                    senders[name] = WebhookSender(
                        webhook,
                        http: http,
                        eventLoop: self.context.main.eventLoop,
                        metrics: self.context.metrics.webhooks,
                        incidents: self.context.incidents,
                        now: self.context.now
                    )
                }
            }
            return Array(former.values)
        }
        for sender in gone { sender.close() }
    }

    /// Takes an event of a client for a webhook; see ``WebhookSender``.
    func send(
        _ webhook: String,
        _ type: String,
        _ data: JSONValue,
        of socket: Socket,
        isAwaited: Bool,
        completion: @escaping @Sendable (WebhookEvent.Answer) -> Void
    ) {
        guard let sender = self.senders.withLockedValue({ $0[UTF8Text(webhook)] }) else {
            self.context.metrics.webhooks.dropped(.closed)
            return completion(.failure(.closed))
        }
        sender.send(type, data, of: socket, isAwaited: isAwaited, completion: completion)
    }

    /// Waits until no event waits, but not longer than that, and takes none afterwards.
    func finish(within time: TimeAmount) async {
        let senders = self.senders.withLockedValue { Array($0.values) }
        guard !senders.isEmpty else { return }
        let end = self.context.main.eventLoop.scheduleTask(in: time) { for sender in senders { sender.close() } }
        for sender in senders { await sender.finish() }
        end.cancel()
        for sender in senders { sender.close() }
    }
}
