package import NIOCore
package import NIOHTTP1

/// The request that began a session.
///
/// Its bytes are kept as long as the session lives, and are read when somebody asks.
///
/// It always takes two allocations, because every connection keeps one. For the same reason its texts are in memory of
/// its own: an array and wider numbers would cost every connection 48 bytes more.
public final class HandshakeRequest: Sendable {
    // Invariant behind `nonisolated(unsafe)`: nobody writes to the memory after `init`. It is freed with this object, and
    // no pointer to it leaves this object's methods.

    /// How many bytes follow, in four bytes; then the peer's address, the method, the target, and `name: value` lines,
    /// each ending in a line feed.
    nonisolated(unsafe) private let memory: UnsafeMutableRawPointer
    /// When the request arrived, in milliseconds since 1970.
    public let issued: Int64
    private let headersStart: UInt32
    private let addressCount: UInt8
    private let methodCount: UInt8
    /// Whether the request came over TLS.
    ///
    /// It is `false`, because the server itself does not speak TLS, even if its load balancer does.
    public let isSecure: Bool

    /// Copies the important parts of a request.
    package init(head: HTTPRequestHead, remoteAddress: SocketAddress?, issued: Int64, isSecure: Bool = false) {
        let peer = remoteAddress?.ipAddress ?? ""
        let address = peer.utf8.prefix(64)
        let verb = head.method.rawValue
        let method = verb.utf8.prefix(Int(UInt8.max))
        var count = address.count + method.count + head.uri.utf8.count + 1
        for (name, value) in head.headers { count += name.utf8.count + value.utf8.count + 3 }

        var texts = TextWriter(count: count)
        texts.append(address)
        texts.append(method)
        texts.append(head.uri.utf8)
        texts.append("\n".utf8)
        self.headersStart = UInt32(texts.count)
        for (name, value) in head.headers {
            texts.append(name.utf8)
            texts.append(": ".utf8)
            texts.append(value.utf8)
            texts.append("\n".utf8)
        }
        self.memory = texts.memory
        self.addressCount = UInt8(address.count)
        self.methodCount = UInt8(method.count)
        self.issued = issued
        self.isSecure = isSecure
    }

    deinit { self.memory.deallocate() }

    /// Reads the texts.
    ///
    /// The object lives as long as the closure runs.
    private func withTexts<Result>(_ body: (Bytes) -> Result) -> Result {
        withExtendedLifetime(self) {
            body(
                Bytes(
                    start: (self.memory + 4).assumingMemoryBound(to: UInt8.self),
                    count: Int(self.memory.load(as: UInt32.self))
                )
            )
        }
    }

    private func withHeaderLines<Result>(_ body: (Bytes) -> Result) -> Result {
        self.withTexts { body($0.part(Int(self.headersStart)..<$0.count)) }
    }

    private func text(_ range: Range<Int>) -> String {
        self.withTexts { String(decoding: $0.part(range), as: UTF8.self) }
    }

    private var targetStart: Int { Int(self.addressCount) + Int(self.methodCount) }

    /// The peer's IP address; empty if it has none (a Unix domain socket).
    public var remoteAddress: String { self.text(0..<Int(self.addressCount)) }

    /// The method, usually `GET`.
    public var method: String { self.text(Int(self.addressCount)..<self.targetStart) }

    /// The request target as the client sent it: path and query.
    public var target: String { self.text(self.targetStart..<Int(self.headersStart) - 1) }

    /// The header fields as Node's `request.headers` has them: in order, names in lower case, each name once.
    ///
    /// If a field is repeated, the first one counts for `Authorization`, `Host`, `User-Agent`, `Referer` and similar
    /// ones. The values of `Cookie` are joined with `; `, and all others with `, `. Bytes beyond ASCII are Latin-1.
    public var headers: [(name: String, value: String)] {
        var names: [Bytes] = []
        var headers: [(name: String, value: String)] = []
        self.withHeaderLines { lines in
            Self.forEachHeader(in: lines) { name, value in
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
            self.withHeaderLines { lines in
                var found: String?
                Self.forEachHeader(in: lines) { field, value in
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

extension HandshakeRequest {
    /// Writes texts one behind the other into memory of exactly their size, behind their number of bytes.
    private struct TextWriter {
        let memory: UnsafeMutableRawPointer
        private let capacity: Int
        private(set) var count = 0

        init(count: Int) {
            self.capacity = count
            self.memory = .allocate(byteCount: 4 + count, alignment: 4)
            self.memory.storeBytes(of: UInt32(count), as: UInt32.self)
        }

        mutating func append(_ text: some Collection<UInt8>) {
            let rest = UnsafeMutableRawBufferPointer(
                start: self.memory + 4 + self.count,
                count: self.capacity - self.count
            )
            rest.copyBytes(from: text)
            self.count += text.count
        }
    }
}
