/// Why there is no answer to an outgoing request.
public struct OutgoingError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failures.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String { case timedOut, answerTooLong, forbiddenAddress, unreachable, redirect, closed }
        private let value: Value

        /// The time was over before the whole answer was there.
        public static let timedOut = Code(value: .timedOut)
        /// The answer is longer than the request allows.
        public static let answerTooLong = Code(value: .answerTooLong)
        /// The host's address is one that programs do not reach unless the configuration allows it.
        public static let forbiddenAddress = Code(value: .forbiddenAddress)
        /// There is no connection, or it broke.
        public static let unreachable = Code(value: .unreachable)
        /// The answer redirects to where the request may not go, or too often.
        public static let redirect = Code(value: .redirect)
        /// The client is shut down.
        public static let closed = Code(value: .closed)

        /// The name of the code.
        public var description: String { self.value.rawValue }
    }

    /// What kind of failure it is.
    public let code: Code
    /// What was attempted, what came back, and what to do about it.
    public let message: String
    /// Whether the server may have acted on the request.
    ///
    /// If not, to send it again is safe.
    public let mayHaveArrived: Bool

    /// Makes an error.
    public init(_ code: Code, _ message: String, mayHaveArrived: Bool) {
        self.code = code
        self.message = message
        self.mayHaveArrived = mayHaveArrived
    }

    /// The code and the message.
    public var description: String { "\(self.code): \(self.message)" }
}
