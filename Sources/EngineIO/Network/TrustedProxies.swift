/// The proxies that are believed when they tell a client's address, and the reader of what they write.
package struct TrustedProxies: Sendable {
    private let ranges: [AddressRange]

    /// The most proxies in a row that are believed.
    private static let maximumProxies = 32

    package init(_ ranges: [AddressRange]) { self.ranges = ranges }

    /// Whether an address is a trusted proxy's.
    package func contains(_ address: IPAddress) -> Bool { self.ranges.contains { $0.contains(address) } }

    /// Whether an address is a trusted proxy's.
    package func contains(_ address: ClientAddress) -> Bool {
        guard case .known(let address) = address else { return false }
        return self.contains(address)
    }

    /// The client behind a request.
    ///
    /// `X-Forwarded-For` and `Forwarded` (RFC 7239) count only if the connection comes from a trusted proxy. Then the
    /// client is the last address that is not a trusted proxy itself. Anybody may have written what stands before that.
    /// A proxy writes one of the two headers and passes the other one on as the client wrote it. So if the two
    /// contradict each other, neither is believed.
    package func client(of request: HandshakeRequest) -> ClientAddress {
        let peer = ClientAddress(peer: request.remoteAddress)
        guard !self.ranges.isEmpty, self.contains(peer) else { return peer }
        return self.client(
            of: peer,
            forwardedFor: request.header("x-forwarded-for"),
            forwarded: request.header("forwarded")
        )
    }

    /// The client behind a trusted proxy.
    package func client(of proxy: ClientAddress, forwardedFor: String?, forwarded: String?) -> ClientAddress {
        let first = forwardedFor?.withBytes { self.client(in: $0, ForwardedNode.init(item:)) } ?? nil
        let second = forwarded?.withBytes { self.client(in: $0, ForwardedNode.init(element:)) } ?? nil
        guard let client = first ?? second else { return proxy }
        guard let second, second != client else { return client }
        return .unreadable
    }

    /// The client that a list names; `nil` if it is empty.
    ///
    /// It is read from its end, because only trusted proxies have written there.
    private func client(in list: Bytes, _ read: (Bytes) -> ForwardedNode) -> ClientAddress? {
        var client: ClientAddress?
        var end = list.count
        var count = 0
        while true {
            let start = list.startOfLastItem(before: end)
            let item = list.part(start..<end).trimmed
            if !item.isEmpty {
                guard count < Self.maximumProxies, case .address(let address) = read(item) else { return .unreadable }
                client = .known(address)
                guard self.contains(address) else { return client }
                count += 1
            }
            guard start > 0 else { return client }
            end = start - 1
        }
    }
}

extension Bytes {
    /// Where the last item begins in a list that ends at that index.
    ///
    /// Commas between quotes separate nothing.
    fileprivate func startOfLastItem(before end: Int) -> Int {
        var start = end
        var isQuoted = false
        while start > 0 {
            let byte = self[start - 1]
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: ","), !isQuoted { break }
            start -= 1
        }
        return start
    }
}
