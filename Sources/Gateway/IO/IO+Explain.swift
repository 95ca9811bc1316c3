public import SocketIOWire

extension IO {
    /// Says what an event about an entry would bring to whom, and by which rule; it sends nothing.
    ///
    /// The answer is worked out as for a real event, from the rules in force and what this node knows about the entry. The
    /// event itself teaches the node nothing.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - target: Whose sockets are told of besides the audiences.
    /// - Returns: What each audience would get, on how many sockets of each node, and why.
    /// - Throws: ``GatewayError`` for a content type that is not configured, and for a name that cannot be sent;
    ///   `ClusterError` if a socket could not be looked for on all nodes.
    public func explain(_ event: LifecycleEvent, for target: ExplanationTarget = .everybody) async throws -> Explanation
    {
        try await self.explainer.explain(event, for: target)
    }

    /// Says who would get an event that is sent as it is; it sends nothing.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - rooms: The rooms that it would be sent to; `nil` is everybody, and an empty list is nobody.
    ///   - data: The event's argument.
    ///   - target: Whose sockets are told of.
    /// - Returns: What each of these sockets would get, and why.
    /// - Throws: ``GatewayError`` for a name that cannot be sent; `ClusterError` if a socket could not be looked for on
    ///   all nodes.
    public func explainRaw(
        event: String,
        rooms: [Room]? = nil,
        data: JSONValue,
        for target: ExplanationTarget = .everybody
    ) async throws -> Explanation {
        try EventPublisher.checkName(event)
        return try await self.explainer.explain(event, rooms: rooms, data: data, for: target)
    }
}
