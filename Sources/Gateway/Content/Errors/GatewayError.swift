/// Why the gateway cannot do what it was asked.
public struct GatewayError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure this is.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String { case invalidConfiguration, invalidArguments, unknownContentType, invalidEventName }
        private let value: Value

        /// The configuration has problems; ``GatewayError/problems`` lists them.
        public static let invalidConfiguration = Code(value: .invalidConfiguration)
        /// An argument is missing or of the wrong kind.
        public static let invalidArguments = Code(value: .invalidArguments)
        /// No content type of that uid is configured.
        public static let unknownContentType = Code(value: .unknownContentType)
        /// The event's name is empty, too long, or reserved by Socket.IO.
        public static let invalidEventName = Code(value: .invalidEventName)

        /// The text for people.
        public var description: String { self.value.rawValue }
    }

    /// What kind of failure this is.
    public var code: Code
    /// What was attempted, what is wrong, and what would be right.
    public var message: String
    /// Every problem of a configuration.
    public var problems: [ConfigurationProblem] = []

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ problems: [ConfigurationProblem]) {
        self.code = .invalidConfiguration
        self.message =
            "The gateway's configuration has \(problems.count) problem(s): \(problems.map(\.description).joined(separator: "; "))"
        self.problems = problems
    }

    /// The text for people.
    public var description: String { self.message }
}
