public import SocketIOWire

/// What one client acknowledged a broadcast with; see ``BroadcastOperator/emitCollectingAnswers(_:_:returning:)``.
public struct ClientAnswer<Value: Sendable>: Sendable {
    /// Whose answer it is; `nil` for a client of another node.
    ///
    /// Nodes tell each other what a client answered, but not which client: the messages of Node's adapter have no place
    /// for that.
    public let socketID: SocketID?
    /// The first argument of the acknowledgement.
    public let value: Value

    /// An answer.
    public init(socketID: SocketID?, value: Value) {
        self.socketID = socketID
        self.value = value
    }
}

extension ClientAnswer: Equatable where Value: Equatable {}
extension ClientAnswer: Hashable where Value: Hashable {}
