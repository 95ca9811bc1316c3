/// The revocations of tokens that the gateways of a cluster share.
///
/// Whoever adds one sends a ``RevocationSignal`` of the topic ``SignalTopic/revocations``, so that each node hears of it at
/// once.
public protocol RevocationStore: Sendable {
    /// Keeps a revocation until it ends, merged with one of the same name, and tells all nodes.
    ///
    /// - Throws: `ClusterError` with the code `unreachable` if it is not known that it is kept, and with the code
    ///   `refused` if there are too many.
    func add(_ revocation: Revocation) async throws

    /// All revocations that have not ended.
    ///
    /// - Throws: `ClusterError`; one with the code `closed` if that will not change.
    func all() async throws -> [Revocation]

    /// Changes with each addition, and costs little to ask for.
    ///
    /// - Throws: As ``all()``.
    func version() async throws -> Int
}

extension SignalTopic {
    /// Additions to a ``RevocationStore``.
    public static let revocations = SignalTopic("revocations")
}
