/// How the bytes of a session travel.
public enum TransportName: String, Sendable, CaseIterable {
    /// HTTP long-polling.
    case polling
    /// WebSocket, from the start or after an upgrade.
    case websocket
}
