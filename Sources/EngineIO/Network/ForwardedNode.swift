/// A client or a proxy, as a proxy names it.
enum ForwardedNode: Equatable {
    case address(IPAddress)
    /// `unknown`, a hidden name, or something that makes no sense.
    case unreadable

    /// Reads an item of `X-Forwarded-For`.
    ///
    /// `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`, each also in quotes.
    init(item: Bytes) {
        let node = item.unquoted
        if let address = IPAddress(utf8: node) {
            self = .address(address)
        } else {
            self.init(withPort: node)
        }
    }

    /// Reads an element of `Forwarded` (RFC 7239, section 4): the node behind `for=`.
    init(element: Bytes) {
        var nodes: [ForwardedNode] = []
        element.splitOutsideQuotes(at: UInt8(ascii: ";")) { pair in
            let pair = pair.trimmed
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                pair.part(0..<equals).trimmed.equalsIgnoringCase("for")
            else { return }
            nodes.append(ForwardedNode(item: pair.part(equals + 1..<pair.count).trimmed))
        }
        self = nodes.count == 1 ? nodes[0] : .unreadable
    }

    /// An IPv4 address, or an IPv6 address in brackets, with or without a port.
    private init(withPort node: Bytes) {
        self = .unreadable
        let host: Bytes
        let rest: Bytes
        if node.first == UInt8(ascii: "[") {
            guard let end = node.firstIndex(of: UInt8(ascii: "]")) else { return }
            host = node.part(1..<end)
            rest = node.part(end + 1..<node.count)
            guard host.contains(UInt8(ascii: ":")) else { return }
        } else {
            let end = node.firstIndex(of: UInt8(ascii: ":")) ?? node.count
            host = node.part(0..<end)
            rest = node.part(end..<node.count)
        }
        guard rest.isEmpty || Self.isPort(rest), let address = IPAddress(utf8: host) else { return }
        self = .address(address)
    }

    /// A colon and a number, or a name that hides the port (RFC 7239, section 6.2).
    private static func isPort(_ bytes: Bytes) -> Bool {
        guard bytes.count >= 2, bytes[0] == UInt8(ascii: ":") else { return false }
        let port = bytes.part(1..<bytes.count)
        if port[0] == UInt8(ascii: "_") { return port.count > 1 && port.allSatisfy(\.isTokenCharacter) }
        return port.count <= 5 && port.allSatisfy(\.isDigit)
    }
}

extension Bytes {
    /// The bytes without quotes around them.
    fileprivate var unquoted: Bytes {
        guard self.count >= 2, self[0] == UInt8(ascii: "\""), self[self.count - 1] == UInt8(ascii: "\"") else {
            return self
        }
        return self.part(1..<self.count - 1)
    }

    fileprivate func splitOutsideQuotes(at separator: UInt8, _ body: (Bytes) -> Void) {
        var start = 0
        var isQuoted = false
        for index in 0..<self.count {
            if self[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
            guard self[index] == separator, !isQuoted else { continue }
            body(self.part(start..<index))
            start = index + 1
        }
        body(self.part(start..<self.count))
    }
}
