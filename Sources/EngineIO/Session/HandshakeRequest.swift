package import NIOCore
package import NIOHTTP1

/// The request that began a session.
///
/// Its bytes are kept as long as the session lives, and are read when somebody asks.
///
/// It always takes two allocations, because every connection keeps one.
public final class HandshakeRequest: Sendable {
    /// The peer's address, the method, the target, then `name: value` lines, each ending in a line feed.
    private let bytes: [UInt8]
    private let targetStart: UInt32
    private let headersStart: UInt32
    private let addressEnd: UInt16
    /// Whether the request came over TLS.
    ///
    /// It is `false`, because the server itself does not speak TLS, even if its load balancer does.
    public let isSecure: Bool
    /// When the request arrived, in milliseconds since 1970.
    public let issued: Int64

    /// Copies the important parts of a request.
    package init(head: HTTPRequestHead, remoteAddress: SocketAddress?, issued: Int64, isSecure: Bool = false) {
        let address = remoteAddress?.ipAddress ?? ""
        let method = head.method.rawValue
        var count = address.utf8.count + method.utf8.count + head.uri.utf8.count + 1
        for (name, value) in head.headers { count += name.utf8.count + value.utf8.count + 3 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        bytes.append(contentsOf: address.utf8.prefix(64))
        self.addressEnd = UInt16(bytes.count)
        bytes.append(contentsOf: method.utf8)
        self.targetStart = UInt32(bytes.count)
        bytes.append(contentsOf: head.uri.utf8)
        bytes.append(UInt8(ascii: "\n"))
        self.headersStart = UInt32(bytes.count)
        for (name, value) in head.headers {
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: value.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        self.bytes = bytes
        self.issued = issued
        self.isSecure = isSecure
    }

    /// The peer's IP address; empty if it has none (a Unix domain socket).
    public var remoteAddress: String { String(decoding: self.bytes[..<Int(self.addressEnd)], as: UTF8.self) }

    /// The method, usually `GET`.
    public var method: String {
        String(decoding: self.bytes[Int(self.addressEnd)..<Int(self.targetStart)], as: UTF8.self)
    }

    /// The request target as the client sent it: path and query.
    public var target: String {
        String(decoding: self.bytes[Int(self.targetStart)..<Int(self.headersStart) - 1], as: UTF8.self)
    }

    /// The header fields as Node's `request.headers` has them: in order, names in lower case, each name once.
    ///
    /// If a field is repeated, the first one counts for `Authorization`, `Host`, `User-Agent`, `Referer` and similar
    /// ones. The values of `Cookie` are joined with `; `, and all others with `, `. Bytes beyond ASCII are Latin-1.
    public var headers: [(name: String, value: String)] {
        var names: [Bytes] = []
        var headers: [(name: String, value: String)] = []
        self.bytes.withUnsafeBufferPointer { bytes in
            Self.forEachHeader(in: bytes.part(Int(self.headersStart)..<bytes.count)) { name, value in
                if let index = names.firstIndex(where: { $0.equalsIgnoringCase(name) }) {
                    FieldRepetition(of: name).add(value.text, to: &headers[index].value)
                } else {
                    names.append(name)
                    headers.append((Self.lowercased(name), value.text))
                }
                return true
            }
        }
        return headers
    }

    /// The value of a field.
    ///
    /// Its name may be in upper or lower case. Repeated fields are read as in ``headers``.
    public func header(_ name: String) -> String? {
        name.withBytes { name in
            self.bytes.withUnsafeBufferPointer { bytes in
                var found: String?
                Self.forEachHeader(in: bytes.part(Int(self.headersStart)..<bytes.count)) { field, value in
                    guard field.equalsIgnoringCase(name) else { return true }
                    guard var first = found else {
                        found = value.text
                        return true
                    }
                    let repetition = FieldRepetition(of: name)
                    repetition.add(value.text, to: &first)
                    found = first
                    return repetition != .first
                }
                return found
            }
        }
    }

    /// How many packets the client takes in one answer to a poll.
    ///
    /// Only python-engineio has a limit, which is 16. The server recognises it by the HTTP libraries that it uses.
    var maximumPacketsPerPoll: Int {
        guard let agent = self.header("user-agent") else { return .max }
        return agent.withBytes { $0.begins(with: "python-requests/") || $0.contains(" aiohttp/") } ? 16 : .max
    }

    /// Whether there is an `Origin` field.
    ///
    /// Browsers send one with a request from another site, and with every WebSocket.
    public var hasOrigin: Bool { self.header("origin") != nil }

    /// The query parameters in order, decoded.
    ///
    /// A repeated parameter has its last value, in the place of the first.
    public var query: [(name: String, value: String)] { RequestTarget.query(of: self.target) }

    private static func forEachHeader(in lines: Bytes, _ body: (Bytes, Bytes) -> Bool) {
        var index = 0
        while index < lines.count {
            let rest = lines.part(index..<lines.count)
            guard let colon = rest.firstIndex(of: UInt8(ascii: ":")),
                let end = rest[colon...].firstIndex(of: UInt8(ascii: "\n")),
                body(rest.part(0..<colon), rest.part(min(colon + 2, end)..<end))
            else { return }
            index += end + 1
        }
    }

    private static func lowercased(_ name: Bytes) -> String {
        String(decoding: name.lazy.map(\.asciiLowercased), as: UTF8.self)
    }
}
