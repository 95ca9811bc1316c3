/// The cookie of the polling handshake, meant for load balancers; the server never reads it.
public struct CookieConfiguration: Sendable {
    /// The `SameSite` attribute.
    public enum SameSite: String, Sendable {
        /// Sent from pages of other sites only when a link leads here.
        case lax = "Lax"
        /// Sent from pages of this site only.
        case strict = "Strict"
        /// Sent from every page; browsers want ``CookieConfiguration/secure`` with it.
        case none = "None"
    }

    /// The `Priority` attribute: which cookies Chromium's browsers drop last.
    public enum Priority: String, Sendable {
        /// Dropped first.
        case low = "Low"
        /// What a cookie without the attribute has.
        case medium = "Medium"
        /// Dropped last.
        case high = "High"
    }

    /// The cookie's name.
    public var name = "io"
    /// The `Path` attribute; `nil` leaves it out.
    public var path: String? = "/"
    /// The `HttpOnly` attribute.
    public var httpOnly = true
    /// The `SameSite` attribute; `nil` leaves it out.
    public var sameSite: SameSite? = .lax
    /// The `Max-Age` attribute, in seconds.
    public var maxAge: Int?
    /// The `Domain` attribute.
    public var domain: String?
    /// The `Expires` attribute, in seconds since 1970; where both are set, browsers take ``maxAge``.
    public var expires: Int?
    /// The `Secure` attribute.
    public var secure = false
    /// The `Partitioned` attribute: a cookie for each site that embeds the server; needs ``secure``.
    public var partitioned = false
    /// The `Priority` attribute; `nil` leaves it out.
    public var priority: Priority?

    /// The reference implementation's cookie.
    public init() {}
}

/// No cookie can be made of a ``CookieConfiguration``: a value would end its attribute, and begin another.
public struct CookieError: Error, Hashable, CustomStringConvertible {
    /// The attribute.
    public let attribute: String
    /// Its value.
    public let value: String

    /// What is wrong.
    public var description: String { "the cookie's \(self.attribute) can't be \(self.value.debugDescription)" }
}

extension CookieConfiguration {
    /// Checks what applications may have from elsewhere (RFC 6265, section 4.1.1).
    func validate() throws(CookieError) {
        guard !self.name.isEmpty, self.name.utf8.allSatisfy(\.isTokenCharacter) else {
            throw CookieError(attribute: "name", value: self.name)
        }
        if let path = self.path {
            guard path.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ";") }) else {
                throw CookieError(attribute: "path", value: path)
            }
        }
        if let expires = self.expires, !HTTPDate.range.contains(expires) {
            throw CookieError(attribute: "expires", value: "\(expires)")
        }
        guard !self.partitioned || self.secure else {
            throw CookieError(attribute: "partitioned", value: "true without secure")
        }
        if let domain = self.domain {
            let labels = (domain.hasPrefix(".") ? domain.dropFirst() : domain[...])
                .utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            guard domain.utf8.count <= 255, labels.allSatisfy(Self.isLabel) else {
                throw CookieError(attribute: "domain", value: domain)
            }
        }
    }

    /// Letters, digits, and hyphens in between.
    private static func isLabel(_ label: Substring.UTF8View) -> Bool {
        guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else {
            return false
        }
        return label.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                true
            default:
                false
            }
        }
    }
}
