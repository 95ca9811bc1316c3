public import NIOCore

/// A program of the application, reached over HTTP, that is told of clients' events and answers them.
///
/// Requests follow the conventions of Standard Webhooks: an id, a timestamp and a signature in the head.
public struct Webhook: Sendable, Hashable {
    /// What events call it by.
    public var name: String
    /// Where it is: `https://api.example.com/hooks/socketio`.
    public var url: String
    /// The key of the signature: `whsec_` and 24 to 64 bytes in Base64.
    public var secret: String
    /// The former key.
    ///
    /// While it is set, requests carry a signature of each key, so that the key can change without a gap.
    public var previousSecret: String?
    /// How long one request may take.
    public var timeout: TimeAmount = .seconds(5)
    /// How long a client waits for its acknowledgement, and `connection` for its answer.
    public var answerTimeout: TimeAmount = .seconds(10)
    /// How long an event is kept that nobody waits for, such as `disconnect`.
    public var lifetime: TimeAmount = .minutes(5)
    /// The most events in one request.
    ///
    /// With 1, a request is one event. With more, each request is a list, even if it holds a single event.
    public var batch = 1
    /// The most requests at a time.
    public var concurrency = 8
    /// The most events that wait for it on this node.
    public var maximumEvents = 10_000
    /// The most bytes of events that wait for it on this node.
    public var maximumBytes = 16 * 1_048_576
    /// The most events of one client that wait for it.
    public var maximumEventsPerClient = 100
    /// The longest answer, in bytes.
    public var maximumAnswerBytes = 1_048_576
    /// How often a request is sent at most, if what came of it may be another time.
    public var attempts = 8
    /// How long it waits at least half of, before it sends a request for the second time; each further time is twice as
    /// long.
    public var retryDelay: TimeAmount = .milliseconds(500)
    /// The longest time between two times.
    public var maximumRetryDelay: TimeAmount = .seconds(60)
    /// After how many failures in a row the webhook gets a rest.
    public var failuresBeforeRest = 5
    /// How long the first rest is; each further one is twice as long, up to five minutes.
    public var rest: TimeAmount = .seconds(10)

    /// A webhook with the defaults.
    public init(name: String, url: String, secret: String) {
        self.name = name
        self.url = url
        self.secret = secret
    }

    /// Whether a text is a key for signatures: `whsec_` and 24 to 64 bytes in Base64.
    public static func isSecret(_ text: String) -> Bool { WebhookSigner.key(text) != nil }
}

extension WebhookOutbox.Settings {
    init(_ webhook: Webhook) {
        self.init()
        self.maximumEvents = webhook.maximumEvents
        self.maximumBytes = webhook.maximumBytes
        self.maximumEventsPerLane = webhook.maximumEventsPerClient
        self.batch = webhook.batch
        self.concurrency = webhook.concurrency
        self.attempts = webhook.attempts
        self.backoff = Backoff(first: webhook.retryDelay, longest: webhook.maximumRetryDelay)
        self.breaker.failures = webhook.failuresBeforeRest
        self.breaker.pause = webhook.rest
    }
}
