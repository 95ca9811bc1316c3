/// Cross-origin headers, with the meaning of the `cors` package's options.
public struct CORSConfiguration: Sendable {
    /// Which origins browsers may connect from.
    public enum Origin: Sendable {
        /// `Access-Control-Allow-Origin: *`.
        case any
        /// Always this origin.
        case fixed(String)
        /// The request's origin if it is one of these.
        case list([String])
        /// The request's origin if the closure says so.
        case matching(@Sendable (_ origin: String) -> Bool)
    }

    /// The origins allowed.
    public var origin: Origin
    /// The methods allowed, for the preflight answer.
    public var methods = "GET,HEAD,PUT,PATCH,POST,DELETE"
    /// The request headers allowed, for the preflight answer; `nil` allows what the request asks for.
    public var allowedHeaders: String?
    /// The response headers that scripts may read.
    public var exposedHeaders: String?
    /// Whether cookies are allowed.
    public var credentials = false
    /// How long browsers may keep the preflight answer, in seconds.
    public var maxAge: Int?
    /// The status of the preflight answer.
    public var optionsSuccessStatus = 204
    /// Whether a preflight request goes on to the engine's own checks instead of being answered.
    public var preflightContinue = false

    /// Headers that allow these origins.
    public init(origin: Origin = .any) { self.origin = origin }
}
