/// Finds out where a client really is.
package struct ClientAddress: Sendable {
    package let trustedProxies: [AddressRange]

    package init(trustedProxies: [AddressRange]) { self.trustedProxies = trustedProxies }

    /// The address of the client behind a connection.
    ///
    /// `X-Forwarded-For` counts only if the connection comes from a trusted proxy: its last address that isn't a
    /// trusted proxy itself. Whatever stands before that anybody may have written.
    package func resolve(peer: String, forwardedFor: String?) -> String {
        guard let forwardedFor, !self.trustedProxies.isEmpty, self.isTrusted(peer) else { return peer }
        var client = peer
        for part in forwardedFor.split(separator: ",").reversed().prefix(32) {
            let text = part.trimmingSpaces()
            guard IPAddress(text) != nil else { break }
            client = text
            if !self.isTrusted(text) { break }
        }
        return client
    }

    /// Whether an address is a trusted proxy's.
    package func isTrusted(_ text: String) -> Bool {
        guard let address = IPAddress(text) else { return false }
        return self.trustedProxies.contains { $0.contains(address) }
    }
}

extension StringProtocol {
    fileprivate func trimmingSpaces() -> String {
        let start = self.firstIndex { $0 != " " && $0 != "\t" } ?? self.endIndex
        var end = self.endIndex
        while end > start, case let last = self[self.index(before: end)], last == " " || last == "\t" {
            end = self.index(before: end)
        }
        return String(self[start..<end])
    }
}
