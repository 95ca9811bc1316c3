import NIOCore
import SocketIOServer
import SocketIOWire

/// Webhooks and custom events.
extension Validation {
    mutating func checkWebhooks(_ webhooks: [Webhook]) {
        var names = ConfigurationNames()
        for (index, webhook) in webhooks.enumerated() {
            let path = "webhooks[\(index)]"
            if !Self.isEventName(webhook.name) || !names.insert(webhook.name) {
                self.report("\(path).name", webhook.name, "must be a name that no other webhook has")
            }
            if OutgoingURL(webhook.url) == nil {
                self.report("\(path).url", "(hidden)", "must be a URL such as https://api.example.com/hooks/socketio")
            }
            for (name, secret) in [("secret", webhook.secret), ("previousSecret", webhook.previousSecret)] {
                guard let secret, WebhookSigner.key(secret) == nil else { continue }
                self.report(
                    "\(path).\(name)",
                    "(hidden)",
                    "must be whsec_ and 24 to 64 bytes in Base64; 'echo whsec_$(openssl rand -base64 32)' makes one"
                )
            }
            for (name, number) in [
                ("batch", webhook.batch), ("concurrency", webhook.concurrency), ("attempts", webhook.attempts),
                ("maximumEvents", webhook.maximumEvents), ("maximumBytes", webhook.maximumBytes),
                ("maximumEventsPerClient", webhook.maximumEventsPerClient),
                ("maximumAnswerBytes", webhook.maximumAnswerBytes), ("failuresBeforeRest", webhook.failuresBeforeRest),
            ] where number < 1 {
                self.report("\(path).\(name)", "\(number)", "must be at least 1")
            }
            for (name, time) in [
                ("timeout", webhook.timeout), ("answerTimeout", webhook.answerTimeout), ("lifetime", webhook.lifetime),
                ("retryDelay", webhook.retryDelay), ("maximumRetryDelay", webhook.maximumRetryDelay),
                ("rest", webhook.rest),
            ] where time < .milliseconds(1) {
                self.report("\(path).\(name)", "\(time.nanoseconds / 1_000_000) ms", "must be more than 0")
            }
        }
    }

    mutating func checkCustomEvents(_ configuration: GatewayConfiguration) {
        var names = ConfigurationNames()
        let roles = ConfigurationNames(configuration.roles.map(\.type))
        let webhooks = ConfigurationNames(configuration.webhooks.map(\.name))
        let own = ConfigurationNames(ClientEvent.allCases.map(\.rawValue) + ["authenticate"])
        for (index, event) in configuration.customEvents.enumerated() {
            let path = "customEvents[\(index)]"
            let name = UTF8Text(event.name)
            let isConnection = name == UTF8Text(CustomEvent.connection)
            let isDisconnect = name == UTF8Text(CustomEvent.disconnect)
            if own.contains(event.name) {
                self.report("\(path).name", event.name, "is an event of the gateway; choose another name")
            } else if !(1...256).contains(event.name.utf8.count)
                || (reservedEventNames.contains(name) && !isConnection && !isDisconnect)
            {
                self.report("\(path).name", event.name, "must be 1 to 256 bytes, and no name that Socket.IO reserves")
            }
            if !names.insert(event.name) {
                self.report("\(path).name", event.name, "is there already; each event may appear once")
            }
            for role in event.roles where !roles.contains(RoomName.slug(role)) {
                self.report("\(path).roles", role, "is no role of this configuration")
            }
            if event.rate.perSecond < 1 || event.rate.burst < 1 {
                self.report("\(path).rate", "\(event.rate.perSecond)", "must be at least 1")
            }
            if let schema = event.schema {
                do throws(JSONSchemaError) {
                    _ = try JSONSchema(schema)
                } catch {
                    self.report("\(path).schema", "(\(error.problems.count) problem(s))", "is no JSON Schema: \(error)")
                }
            }
            if event.maximumBytes < 1 {
                self.report("\(path).maximumBytes", "\(event.maximumBytes)", "must be at least 1")
            }
            switch event.handling {
            case .webhook where !webhooks.contains(event.webhook):
                self.report("\(path).webhook", event.webhook, "is no webhook of this configuration")
            case .relay where isConnection || isDisconnect:
                self.report("\(path).handle", "relay", "has no meaning for \(event.name), which no client sends")
            case .relay: self.checkRelay(event.relay, path)
            case .webhook, .ignore: break
            }
        }
    }

    private mutating func checkRelay(_ relay: EventRelay, _ path: String) {
        if let room = relay.room, !(1...128).contains(room.utf8.count) {
            self.report("\(path).relay.room", room, "must be a room's name of 1 to 128 bytes")
        }
        if relay.roomField.isEmpty {
            self.report("\(path).relay.roomField", "", "must be the name of the field that names the room")
        }
        guard let event = relay.event else { return }
        do throws(GatewayError) {
            try EventPublisher.checkName(event)
        } catch {
            self.report("\(path).relay.event", event, "must be 1 to 256 bytes, and no name that Socket.IO reserves")
        }
    }
}

extension GatewayConfiguration {
    /// What the application's functions may not be called, and what webhooks need.
    func problems(handlers: [String: CustomEventHandler], canSend: Bool) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if !self.webhooks.isEmpty, !canSend {
            problems.append(
                ConfigurationProblem(
                    path: "webhooks",
                    value: "(\(self.webhooks.count))",
                    advice: "need something that sends requests; give IO.install an 'outgoing'"
                )
            )
        }
        let own = ConfigurationNames(ClientEvent.allCases.map(\.rawValue) + ["authenticate"])
        for name in handlers.keys.sorted() where own.contains(name) {
            problems.append(
                ConfigurationProblem(path: "handlers.\(name)", value: name, advice: "is an event of the gateway")
            )
        }
        return problems
    }
}
