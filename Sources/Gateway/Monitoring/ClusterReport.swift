/// What the nodes of the cluster have answered, and which have not.
public struct ClusterReport<Value: Sendable>: Sendable {
    /// The sum of the answers.
    public var value: Value
    /// The address of each node that has not answered, or else its id; `unknown` for one that is only counted, and
    /// `cluster` if nobody knows how many there are.
    public var missing: [String]

    /// Whether every node has answered.
    public var isComplete: Bool { self.missing.isEmpty }

    func map<Other: Sendable>(_ body: (Value) throws -> Other) rethrows -> ClusterReport<Other> {
        ClusterReport<Other>(value: try body(self.value), missing: self.missing)
    }
}
