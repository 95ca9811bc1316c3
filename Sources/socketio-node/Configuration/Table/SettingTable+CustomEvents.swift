import Gateway

/// Webhooks, and the events that clients send besides the gateway's own.
extension SettingTable {
    static let webhooks = SettingDeclaration<NodeConfiguration>.map(
        "webhooks",
        \.gateway.webhooks,
        named: .slug,
        SettingEntry(Self.webhook, make: { Webhook(name: $0, url: "", secret: "") }),
        .live,
        """
        Programs of the application, by name, that are told of clients' events over HTTP as Standard Webhooks says: with \
        webhook-id, webhook-timestamp and webhook-signature.
        """,
        example: """
            webhooks:
              backend:
                url: https://api.example.com/hooks/socketio
                secret: whsec_…
            """
    )

    private static let webhook: [SettingDeclaration<Webhook>] = [
        .text("url", \.url, .httpURL, .live, "Where requests go. Redirects are not followed.").required,
        .secret(
            "secret",
            \.declaredSecret,
            .webhookSecret,
            .live,
            "The key of the signatures: whsec_ and 24 to 64 bytes in Base64."
        ).required,
        .secret(
            "previousSecret",
            \.previousSecret,
            .webhookSecret,
            .live,
            "The former key. While it is set, requests carry a signature of each key."
        ),
        .duration("timeout", \.timeout, 10...600_000, .live, "How long one request may take."),
        .duration(
            "answerTimeout",
            \.answerTimeout,
            10...600_000,
            .live,
            "How long a client waits for its acknowledgement, or for being let in, all attempts included."
        ),
        .duration(
            "lifetime",
            \.lifetime,
            10...86_400_000,
            .live,
            "How long an event is kept for which no client waits, such as `disconnect`."
        ),
        .integer(
            "batch",
            \.batch,
            1...10_000,
            .live,
            "The most events in one request. 1: a request is one event. More: each request is a list, whatever it holds."
        ),
        .integer("concurrency", \.concurrency, 1...1000, .live, "The most requests of this node at a time."),
        .integer("maximumEvents", \.maximumEvents, 1...1_000_000, .live, "The most events that wait on this node."),
        .bytes(
            "maximumBytes",
            \.maximumBytes,
            1024...1_073_741_824,
            .live,
            "The most bytes of events that wait on this node."
        ),
        .integer(
            "maximumEventsPerClient",
            \.maximumEventsPerClient,
            1...100_000,
            .live,
            "The most events of one client that wait."
        ),
        .bytes("maximumAnswerBytes", \.maximumAnswerBytes, 64...67_108_864, .live, "The longest answer."),
        .integer("attempts", \.attempts, 1...100, .live, "How often a request is sent at most."),
        .duration(
            "retryDelay",
            \.retryDelay,
            1...3_600_000,
            .live,
            "The pause before the second attempt, less up to half of it by chance. Each further pause is twice as long."
        ),
        .duration(
            "maximumRetryDelay",
            \.maximumRetryDelay,
            1...3_600_000,
            .live,
            "The longest pause between attempts."
        ),
        .integer(
            "failuresBeforeRest",
            \.failuresBeforeRest,
            1...10_000,
            .live,
            "After how many failures in a row the webhook is asked nothing for a while."
        ),
        .duration(
            "rest",
            \.rest,
            1...300_000,
            .live,
            "How long that while is, less up to half of it by chance. Each further one is twice as long, up to 5 minutes."
        ),
    ]

    static let customEvents = SettingDeclaration<NodeConfiguration>.entries(
        "customEvents",
        \.gateway.customEvents,
        SettingEntry(Self.customEvent, make: { CustomEvent(name: $0) }),
        .live,
        """
        Events that clients may send besides the gateway's own. `connection` runs when a client is about to be let in, and \
        `disconnect` when it has left. Any other event is answered with `Unknown event`.
        """,
        example: """
            customEvents:
              - name: chat
                handle: relay
                relay:
                  fields: [text]
            """
    )

    private static let customEvent: [SettingDeclaration<CustomEvent>] = [
        .text("name", \.name, .nonEmpty, .live, "The event's name.").required,
        .choice(
            "handle",
            \.handling,
            .live,
            """
            webhook: the webhook's answer is the acknowledgement; relay: the members of a room get the event; ignore: it is \
            acknowledged, and that is all.
            """
        ),
        .optionalText("webhook", \.declaredWebhook, .slug, .live, "The name of the webhook that handles it."),
        .texts("roles", \.roles, .slug, .live, "The only roles that may send it. Empty: all clients."),
        .integer(
            "rate",
            \.eventsPerSecond,
            1...1_000_000,
            .live,
            "How often one client may send it in a second; twice as often at once."
        ),
        .bytes("maximumBytes", \.maximumBytes, 1...67_108_864, .live, "The most bytes of its arguments."),
        .optionalText(
            "schema",
            \.schemaText,
            .jsonObject,
            .live,
            "A JSON Schema, written as JSON, for the argument of the event, of which there is just one then.",
            example: """
                schema: '{"type": "object", "required": ["text"]}'
                """
        ),
        .bool(
            "admitWhenUnavailable",
            \.admitsWhenUnavailable,
            .live,
            "For `connection`: whether clients are let in while the webhook does not answer."
        ),
        .record(
            "relay",
            "How a relayed event, which has one object as its argument, reaches the members of a room.",
            [
                .optionalText("room", \.relay.room, .room, .live, "The room. If missing: the client names it."),
                .text(
                    "roomField",
                    \.relay.roomField,
                    .nonEmpty,
                    .live,
                    "The field in which the client names the room, of which it has to be a member."
                ),
                .texts(
                    "fields",
                    \.relay.fields,
                    .nonEmpty,
                    .live,
                    "The only fields that the object may have, besides that of the room. Empty: any."
                ),
                .bool(
                    "requiresMembership",
                    \.relay.requiresMembership,
                    .live,
                    "Whether only members may send to a room that `room` names."
                ),
                .optionalText(
                    "event",
                    \.relay.event,
                    .nonEmpty,
                    .live,
                    "The name of the event for the members. If missing: its own."
                ),
                .bool("includesSender", \.relay.includesSender, .live, "Whether its sender gets it as well."),
            ]
        ),
    ]
}
