public import EngineIO
import OrderedCollections
public import SocketIOWire

/// How a client connected; the fields of Node's `socket.handshake`.
public struct Handshake: Sendable {
    /// The HTTP request that opened the connection.
    public let request: HandshakeRequest
    /// What the client sent as `auth`: an object, `{}` if it sent none.
    public let auth: JSONValue
}

extension Handshake {
    /// The request's header fields as Node has them: in order, names in lower case, repeated ones as one.
    public var headers: [(name: String, value: String)] { self.request.headers }

    /// The value of that header, its name in any case; repeated ones as in ``headers``.
    public func header(_ name: String) -> String? { self.request.header(name) }

    /// The parameters of the request's query, `EIO` and `transport` included; of repeated ones the last.
    public var query: [(name: String, value: String)] { self.request.query }

    /// The address that the connection comes from: the last proxy's, if there is one.
    public var address: String { self.request.remoteAddress }

    /// Whether the request came from another origin (it has an `Origin` header).
    public var isCrossDomain: Bool { self.request.hasOrigin }

    /// Whether the connection is encrypted: `false`, because TLS ends at the load balancer in front of this server.
    public var isSecure: Bool { self.request.isSecure }

    /// When the connection was made, in milliseconds since 1970.
    public var issued: Int { Int(self.request.issued) }

    /// The request's target: path and query.
    public var url: String { self.request.target }

    /// The handshake as other nodes get it, keys in Node's order.
    public var json: JSONValue {
        .object([
            "headers": .object(
                JSONObject(self.headers.map { (UTF8Text($0.name), .string($0.value)) }) { first, _ in first }
            ),
            "time": .string(JavaScriptDate.string(fromMilliseconds: self.issued)),
            "address": .string(self.address),
            "xdomain": .bool(self.isCrossDomain),
            "secure": .bool(self.isSecure),
            "issued": .int(self.issued),
            "url": .string(self.url),
            "query": .object(JSONObject(self.query.map { (UTF8Text($0.name), .string($0.value)) }) { $1 }),
            "auth": self.auth,
        ])
    }
}

/// Dates as JavaScript's `Date.toString` writes them, in UTC.
enum JavaScriptDate {
    /// Such as `Sat Nov 21 2026 05:12:39 GMT+0000 (Coordinated Universal Time)`.
    static func string(fromMilliseconds milliseconds: Int) -> String {
        let seconds = milliseconds / 1000
        let days = seconds / 86_400
        let time = seconds % 86_400
        // Days to civil date: the algorithm for the proleptic Gregorian calendar, eras of 400 years.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(weekdays[days % 7]) \(months[month - 1]) \(two(day)) \(year) "
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) GMT+0000 (Coordinated Universal Time)"
    }
}
