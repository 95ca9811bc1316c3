public import SocketIOWire

/// Why a question to the cluster has no complete answer.
public struct ClusterError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    public struct Code: Hashable, Sendable {
        private enum Value { case timeout, unreachable, closed, refused, incomplete }
        private let value: Value

        /// A node did not answer in time.
        public static let timeout = Code(value: .timeout)
        /// The broker can't be reached, so nothing is known about the other nodes.
        public static let unreachable = Code(value: .unreachable)
        /// This node or another one refuses to answer, because the answer is too large or too many ask at once.
        ///
        /// The message says which of these it is.
        public static let refused = Code(value: .refused)
        /// A node is missing that has not answered for some time, so this node does not wait for it any more.
        public static let incomplete = Code(value: .incomplete)
        /// The server is shutting down.
        public static let closed = Code(value: .closed)
    }

    /// What went wrong.
    public var code: Code
    /// What was attempted, what came back, what to do.
    public var message: String
    /// Sockets that were received before the failure (`fetchSockets` only), this node's included.
    public var partialSockets: [SocketDescription] = []
    /// Rooms that were received before the failure (`allRooms` only), this node's included.
    public var partialRooms: Set<Room> = []
    /// The nodes that have not answered, as far as they are known.
    public var missing: [ClusterNode] = []
    /// Answers that were received before the failure (acknowledgements only).
    public var partialResponses: [JSONValue?] = []

    /// Whether some nodes have answered, or may have: what was received is a part of the answer.
    public var isPartial: Bool { self.code == .timeout || self.code == .incomplete || self.code == .refused }

    /// A failure with its explanation.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// What went wrong, in words.
    public var description: String { self.message }
}
