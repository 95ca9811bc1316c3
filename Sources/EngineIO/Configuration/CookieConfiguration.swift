/// The cookie of the polling handshake, meant for load balancers; the server never reads it.
public struct CookieConfiguration: Sendable {
    /// The `SameSite` attribute.
    public enum SameSite: String, Sendable {
        case lax = "Lax"
        case strict = "Strict"
        case none = "None"
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
    /// The `Secure` attribute.
    public var secure = false

    /// The reference implementation's cookie.
    public init() {}
}
