/// The cookie of the polling handshake.
///
/// It is for load balancers. The server never reads it.
public struct CookieConfiguration: Sendable {
    /// The `SameSite` attribute.
    public enum SameSite: String, Sendable {
        /// Browsers send the cookie from pages of other sites only when a link leads here.
        case lax = "Lax"
        /// Browsers send the cookie only from pages of this site.
        case strict = "Strict"
        /// Browsers send the cookie from every page. They require ``CookieConfiguration/secure`` with it.
        case none = "None"
    }

    /// The `Priority` attribute.
    ///
    /// Chromium's browsers drop cookies of low priority first.
    public enum Priority: String, Sendable {
        /// The cookie is dropped first.
        case low = "Low"
        /// The priority of a cookie without the attribute.
        case medium = "Medium"
        /// The cookie is dropped last.
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
    /// The `Expires` attribute, in seconds since 1970.
    ///
    /// If both are set, browsers use ``maxAge``.
    public var expires: Int?
    /// The `Secure` attribute.
    public var secure = false
    /// The `Partitioned` attribute: there is a cookie for each site that embeds the server.
    ///
    /// It needs ``secure``.
    public var partitioned = false
    /// The `Priority` attribute; `nil` leaves it out.
    public var priority: Priority?

    /// The reference implementation's cookie.
    public init() {}
}

/// A ``CookieConfiguration`` makes no valid cookie, because a value would end its attribute and begin another.
public struct CookieError: Error, Hashable, CustomStringConvertible {
    /// The attribute.
    public let attribute: String
    /// Its value.
    public let value: String

    /// What is wrong.
    public var description: String { "the cookie's \(self.attribute) can't be \(self.value.debugDescription)" }
}

extension CookieConfiguration {
    /// Checks the values, which the application may have from somewhere else (RFC 6265, section 4.1.1).
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
