/// Finds out where a client really is.
package struct ClientAddress: Sendable {
    package let trustedProxies: [AddressRange]
    private static let maximumProxies = 32

    package init(trustedProxies: [AddressRange]) { self.trustedProxies = trustedProxies }

    /// The address of the client behind a connection.
    ///
    /// `X-Forwarded-For` counts only if the connection comes from a trusted proxy: its last address that isn't a
    /// trusted proxy itself. Whatever stands before that anybody may have written.
    package func resolve(peer: String, forwardedFor: String?) -> String {
        guard let forwardedFor, !self.trustedProxies.isEmpty, self.isTrusted(peer) else { return peer }
        var client = peer
        forwardedFor.withBytes { bytes in
            // From the end: whoever wrote the last one is the proxy that the connection comes from.
            var end = bytes.count
            for _ in 0..<Self.maximumProxies {
                var start = end
                while start > 0, bytes[start - 1] != UInt8(ascii: ",") { start -= 1 }
                let text = bytes.part(start..<end).trimmed
                if !text.isEmpty {
                    guard let address = IPAddress(utf8: text) else { break }
                    client = text.text
                    if !self.isTrusted(address) { break }
                }
                guard start > 0 else { break }
                end = start - 1
            }
        }
        return client
    }

    /// Whether an address is a trusted proxy's.
    package func isTrusted(_ text: String) -> Bool { IPAddress(text).map(self.isTrusted) ?? false }

    private func isTrusted(_ address: IPAddress) -> Bool { self.trustedProxies.contains { $0.contains(address) } }
}
