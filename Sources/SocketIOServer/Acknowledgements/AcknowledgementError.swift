public import SocketIOWire

/// Why an acknowledgement that was waited for did not come.
public struct AcknowledgementError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case timeout, disconnected, noTimeout, unexpected, tooMany, notRead, unencodable, missingNodes
        }
        private let value: Value

        /// Nobody answered within the timeout.
        public static let timeout = Code(value: .timeout)
        /// The client went away before it answered.
        public static let disconnected = Code(value: .disconnected)
        /// A broadcast that waits for acknowledgements needs a timeout.
        public static let missingTimeout = Code(value: .noTimeout)
        /// The answer is not of the type that was asked for.
        public static let unexpectedAnswer = Code(value: .unexpected)
        /// As many events as ``SocketLimits/pendingAcknowledgements`` allows wait for this client's acknowledgement, so
        /// this one was not sent.
        public static let tooManyPending = Code(value: .tooMany)
        /// The event has an argument that can't be encoded, or a name that the protocol keeps for itself: it was not sent.
        public static let unencodable = Code(value: .unencodable)
        /// Everybody has answered but the clients of a node that has not answered for some time (broadcasts only).
        public static let missingNodes = Code(value: .missingNodes)
        /// The client has sent far more events than its handlers get done, so the server reads nothing from it, not
        /// even answers.
        public static let notRead = Code(value: .notRead)
    }

    /// What went wrong.
    public var code: Code
    /// The same in words.
    public var message: String
    /// Answers that did arrive (broadcasts only), and whose they are.
    public var answers: [ClientAnswer<JSONValue>] = []

    /// The nodes that have not said which clients they sent the event to, as far as they are known (broadcasts only).
    public var missing: [ClusterNode] = []

    /// Answers that did arrive (broadcasts only): the first argument of each.
    public var responses: [JSONValue] {
        get { self.answers.map(\.value) }
        set { self.answers = newValue.map { ClientAnswer(socketID: nil, value: $0) } }
    }

    /// What went wrong, in words.
    public var description: String { self.message }

    static let timeout = AcknowledgementError(code: .timeout, message: "operation has timed out")
    static let disconnected = AcknowledgementError(
        code: .disconnected,
        message: "the client disconnected before it acknowledged the event"
    )
    static let unencodable = AcknowledgementError(
        code: .unencodable,
        message: "the event could not be encoded, so it was not sent; the log says why"
    )
    static let notRead = AcknowledgementError(
        code: .notRead,
        message: "the client has sent so many events that it is not read from, so its answer can't be heard"
    )
    static func tooMany(_ limit: Int) -> AcknowledgementError {
        AcknowledgementError(
            code: .tooManyPending,
            message: "\(limit) events wait for the client's acknowledgement already, so this one was not sent"
        )
    }
}

/// Thrown by an event handler: answers the client's acknowledgement with `{"error": message, "data": data}`.
public struct RejectedEvent: Error, Sendable, Hashable {
    /// Why, for the client.
    public var message: String
    /// Details for the client, or `nil` for none.
    public var data: JSONValue?

    /// A refusal in words, with details if there are any.
    public init(_ message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}
