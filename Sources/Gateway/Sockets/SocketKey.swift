import SocketIOServer

/// A socket as a key.
///
/// It is compared by identity.
struct SocketKey: Hashable, Sendable {
    let socket: Socket

    static func == (left: SocketKey, right: SocketKey) -> Bool { left.socket === right.socket }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self.socket)) }
}
