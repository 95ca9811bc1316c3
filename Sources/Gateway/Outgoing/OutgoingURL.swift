/// The address of something on an HTTP server: `https://keys.example.com/jwks.json`.
///
/// It has a host, and neither a user nor a fragment.
public struct OutgoingURL: Sendable, Hashable, CustomStringConvertible {
    /// Whether the connection is encrypted.
    public let isSecure: Bool
    /// A name, an IPv4 address, or an IPv6 address without its brackets; capitals do not matter.
    public let host: String
    /// The port.
    public let port: Int
    /// The path with the query; it begins with a slash.
    public let target: String

    /// The longest text that is read, in bytes.
    public static let maximumBytes = 4096

    /// Reads a URL; `nil` for what is not one of `http` or `https`, and for one with a user or a fragment.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumBytes, bytes.allSatisfy(Self.isAllowed) else { return nil }
        let rest: ArraySlice<UInt8>
        if Self.begins(bytes, "https://") {
            self.isSecure = true
            rest = bytes.dropFirst(8)
        } else if Self.begins(bytes, "http://") {
            self.isSecure = false
            rest = bytes.dropFirst(7)
        } else {
            return nil
        }
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        guard let authority = Self.authority(rest[..<end]) else { return nil }
        self.host = authority.host
        self.port = authority.port ?? (self.isSecure ? 443 : 80)
        let target = String(decoding: rest[end...], as: UTF8.self)
        self.target = target.utf8.first == UInt8(ascii: "/") ? target : "/\(target)"
    }

    /// The URL that a `Location` of this one's answer means; `nil` if it is none that can be followed.
    func following(_ location: String) -> OutgoingURL? {
        let bytes = Array(location.utf8)
        // A fragment is for whoever shows the answer.
        let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self)
        let origin = "\(self.isSecure ? "https" : "http")://\(self.authority)"
        if let absolute = OutgoingURL(text) { return absolute }
        if Self.begins(bytes, "//") { return OutgoingURL("\(self.isSecure ? "https" : "http"):\(text)") }
        if Self.begins(bytes, "/") { return OutgoingURL(origin + text) }
        guard !text.isEmpty, !text.utf8.contains(UInt8(ascii: ":")) else { return nil }
        let path = self.target.utf8.prefix { $0 != UInt8(ascii: "?") }
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        return OutgoingURL("\(origin)\(String(Substring(path[...slash])))\(text)")
    }

    /// Whether both lead to the same server in the same way.
    package func isSameOrigin(as other: OutgoingURL) -> Bool {
        self.isSecure == other.isSecure && self.port == other.port
            && self.host.utf8.elementsEqual(other.host.utf8) { Self.small($0) == Self.small($1) }
    }

    /// The host, with its port unless it is the usual one.
    private var authority: String {
        let host = self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]" : self.host
        return self.port == (self.isSecure ? 443 : 80) ? host : "\(host):\(self.port)"
    }

    /// The whole URL.
    public var description: String { "\(self.isSecure ? "https" : "http")://\(self.authority)\(self.target)" }

    /// The URL without its path and query, which may hold a secret.
    package var origin: String { "\(self.isSecure ? "https" : "http")://\(self.authority)" }

    // MARK: Parts

    private static func authority(_ bytes: ArraySlice<UInt8>) -> (host: String, port: Int?)? {
        var host = bytes
        var port: Int?
        let bracket = bytes.first == UInt8(ascii: "[") ? bytes.firstIndex(of: UInt8(ascii: "]")) : nil
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), bracket.map({ colon == $0 + 1 }) ?? true {
            host = bytes[..<colon]
            let digits = bytes[(colon + 1)...]
            guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            guard (1...65_535).contains(number) else { return nil }
            port = number
        }
        if let bracket {
            guard host.endIndex == bracket + 1 else { return nil }
            host = host.dropFirst().dropLast()
            guard host.contains(UInt8(ascii: ":")),
                host.allSatisfy({ Self.isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E })
            else { return nil }
        } else {
            guard (1...253).contains(host.count), host.allSatisfy(Self.isNameCharacter) else { return nil }
        }
        return (String(decoding: host, as: UTF8.self), port)
    }

    private static func begins(_ bytes: [UInt8], _ prefix: String) -> Bool {
        bytes.prefix(prefix.utf8.count).elementsEqual(prefix.utf8) { Self.small($0) == $1 }
    }

    private static func small(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        guard byte > 0x20, byte < 0x7F else { return false }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"),
            UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
            return false
        default: return true
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(Self.small(byte))
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch Self.small(byte) {
        case 0x30...0x39, UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension OutgoingURL {
    /// Whether both have the same bytes.
    public static func == (left: OutgoingURL, right: OutgoingURL) -> Bool {
        left.description.utf8.elementsEqual(right.description.utf8)
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        for byte in self.description.utf8 { hasher.combine(byte) }
    }
}
