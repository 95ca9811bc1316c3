import SocketIOWire

extension RequestHead {
    /// The key of `Authorization: Bearer <key>`; `nil` if there is none that can be an API token's.
    var bearerKey: String? {
        guard let authorization = self.authorization, authorization.hasASCIIPrefix("bearer ") else { return nil }
        let key = authorization.utf8.dropFirst("bearer ".utf8.count).drop { $0 == UInt8(ascii: " ") }
        guard (1...1024).contains(key.count) else { return nil }
        return String(key)
    }
}
