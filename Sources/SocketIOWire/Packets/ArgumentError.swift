/// Why an argument could not be decoded.
public struct ArgumentError: Error, Sendable, CustomStringConvertible {
    /// What is wrong with an argument.
    public struct Reason: Hashable, Sendable {
        private enum Code { case missing, mismatch, malformed }

        private let code: Code

        /// Fewer arguments were sent.
        public static let missing = Self(code: .missing)
        /// The argument is of another type.
        public static let mismatch = Self(code: .mismatch)
        /// The arguments are not JSON.
        public static let malformed = Self(code: .malformed)
    }

    /// What is wrong.
    public let reason: Reason
    /// Which argument, counted from 0.
    public let index: Int
    /// The name of the type that was asked for.
    public let expectedType: String
    /// What the decoder said.
    public let underlying: (any Error)?

    init(_ reason: Reason, at index: Int, expected: Any.Type, underlying: (any Error)? = nil) {
        self.reason = reason
        self.index = index
        self.expectedType = String(describing: expected)
        self.underlying = underlying
    }

    /// The part of the argument that does not fit or is missing: `items[2].count`.
    ///
    /// It is `nil` if that is the argument as a whole.
    public var path: String? { self.problem?.path }

    private var problem: DecodingProblem? { (self.underlying as? DecodingError).map(DecodingProblem.init) }

    /// The index, the type, the path and the reason, without any of the values that the client sent.
    public var description: String {
        switch self.reason {
        case .missing:
            return "argument \(self.index) of type \(self.expectedType) is missing"
        case .mismatch:
            let what = "argument \(self.index) is no \(self.expectedType)"
            if let problem = self.problem { return "\(what): \(problem)" }
            return self.underlying.map { "\(what): \(boundedDescription(of: $0))" } ?? what
        default:
            return "the arguments are not JSON"
        }
    }
}
