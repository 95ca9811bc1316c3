public import RESP

/// Why an ``Emitter`` did not emit.
public struct EmitterError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable {
        private enum Value { case reservedEvent, notEncodable, notPublished }
        private let value: Value

        /// The event's name belongs to Socket.IO itself.
        public static let reservedEvent = Code(value: .reservedEvent)
        /// An argument could not be encoded.
        public static let notEncodable = Code(value: .notEncodable)
        /// Redis is away and as much as may wait for it is waiting, or the client is closed: nobody will get this.
        public static let notPublished = Code(value: .notPublished)
    }

    /// The kind of failure.
    public var code: Code
    /// What was attempted, and what came back.
    public var message: String
    /// What the Redis client said, if it was asked.
    public var redis: RESPError?

    init(code: Code, message: String, redis: RESPError? = nil) {
        self.code = code
        self.message = message
        self.redis = redis
    }

    /// The message.
    public var description: String { self.message }
}
