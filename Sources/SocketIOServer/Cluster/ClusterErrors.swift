import SocketIOWire

extension ClusterError {
    /// The adapter has left the cluster.
    static func closed(_ namespace: String) -> ClusterError {
        ClusterError(code: .closed, message: "the adapter of namespace \(namespace) is closed")
    }

    /// Why a question has no complete answer.
    static func incomplete(_ code: Code, _ message: String, _ collection: AnswerCollection?) -> ClusterError {
        var error = ClusterError(code: code, message: message)
        guard let collection else { return error }
        error.partialSockets = collection.answers.sockets
        error.partialRooms = collection.answers.rooms
        error.partialResponses = collection.answers.values
        error.missing = collection.roll.missing
        if !error.missing.isEmpty { error.message += "; no answer of \(Self.names(error.missing))" }
        return error
    }

    /// Such as `a1b2c3 at 10.0.0.7:3000, 2 nodes without a name`.
    static func names(_ nodes: [ClusterNode]) -> String {
        let named = nodes.filter { $0.id != nil || $0.address != nil }
        var names = named.prefix(8).map(\.description)
        if named.count > 8 { names.append("\(named.count - 8) more") }
        let nameless = nodes.count - named.count
        if nameless > 0 { names.append(nameless == 1 ? "a node without a name" : "\(nameless) nodes without a name") }
        return names.joined(separator: ", ")
    }
}
