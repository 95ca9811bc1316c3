import NIOCore
import SocketIOWire

/// An event on its way to a webhook.
struct WebhookEvent: Sendable {
    /// What becomes of it.
    enum Answer: Sendable {
        /// What the webhook says.
        case reply(EventReply)
        /// Why it says nothing that counts.
        case failure(WebhookFailure)
    }

    /// The same for every attempt, so that a receiver knows what it has seen.
    let id: String
    /// `{type, timestamp, data}` in JSON.
    let body: ByteBuffer
    /// Called once.
    let completion: @Sendable (Answer) -> Void

    /// The text that a request has in its body, for one event or a list of them.
    ///
    /// A list is `{"type": "batch", "timestamp", "data": [{"id", "event": {type, timestamp, data}}]}`.
    static func body(of events: [WebhookEvent], asBatch: Bool, timestamp: String) -> ByteBuffer {
        guard asBatch else { return events.first?.body ?? ByteBuffer() }
        var body = ByteBuffer()
        body.writeString(#"{"type":"batch","timestamp":"#)
        body.writeJSONString(timestamp)
        body.writeString(#","data":["#)
        for (index, event) in events.enumerated() {
            if index > 0 { body.writeString(",") }
            body.writeString(#"{"id":"#)
            body.writeJSONString(event.id)
            body.writeString(#","event":"#)
            body.writeImmutableBuffer(event.body)
            body.writeString("}")
        }
        body.writeString("]}")
        return body
    }
}

/// Why an event got no answer of a webhook.
enum WebhookFailure: Error, Sendable, Hashable {
    /// Too many events wait, of this client or of all.
    case overloaded
    /// The webhook rests so long.
    case resting(TimeAmount)
    /// It did not answer in time.
    case expired
    /// It was asked as often as it is allowed.
    case exhausted
    /// It does not want the event.
    case rejected
    /// What it answers cannot be read, or not be done.
    case malformed
    /// The webhook is not configured any more, or the node ends.
    case closed

    /// What the client is told.
    var refusal: ClientRefusal {
        switch self {
        case .overloaded:
            ClientRefusal("Too many events wait for the application", retryAfterMilliseconds: 1000)
        case .resting(let time):
            ClientRefusal(
                "The application is not available",
                retryAfterMilliseconds: Int(time.nanoseconds / 1_000_000) + 1
            )
        case .expired: ClientRefusal("The application has not answered in time")
        case .exhausted: ClientRefusal("The application is not available")
        case .rejected: ClientRefusal("The application has refused the event")
        case .malformed: ClientRefusal.internalError("the application's answer cannot be used")
        case .closed: ClientRefusal("The application is not available")
        }
    }
}
