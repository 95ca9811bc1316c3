/// What the cluster answered, and which nodes have not.
public struct ClusterAnswer<Value: Sendable>: Sendable {
    /// The answers that came; all of them if no node is missing.
    public var value: Value
    /// The nodes that have not answered, as far as they are known.
    public var missing: [ClusterNode]
    /// Why the answer is not complete; `nil` if it is.
    public var error: ClusterError?

    /// Whether every node has answered.
    public var isComplete: Bool { self.error == nil }

    /// An answer, or a part of one.
    public init(_ value: Value, error: ClusterError? = nil) {
        self.value = value
        self.missing = error?.missing ?? []
        self.error = error
    }
}
