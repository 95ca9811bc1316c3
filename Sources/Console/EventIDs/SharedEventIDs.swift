/// A memory of event ids that all nodes share, so that a request which is repeated to another node publishes only once.
public protocol SharedEventIDs: Sendable {
    /// Claims an id for a request that is about to be done.
    ///
    /// - Parameter id: The id with what it belongs to, as a digest.
    /// - Returns: Whether the request may be done.
    func claim(_ id: String) async -> EventIDClaim

    /// Remembers an id that was claimed: its request has published something.
    ///
    /// - Returns: Whether the memory has it.
    func confirm(_ id: String) async -> Bool

    /// Gives an id back that was claimed: its request has published nothing.
    func release(_ id: String) async
}

/// What a shared memory says of an id.
public enum EventIDClaim: Sendable, Hashable {
    /// Nobody has used it. It is the caller's now.
    case new
    /// A request with it has published something.
    case known
    /// A request with it is under way on another node.
    case underWay
    /// The memory cannot be asked.
    case unavailable
}
