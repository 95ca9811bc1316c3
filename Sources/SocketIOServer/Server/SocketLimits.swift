public import NIOCore
import OrderedCollections
import SocketIOWire

/// What one client, and one other node, may make a server do and keep.
///
/// The server tells a client that exceeds a limit (``LimitExceeded``), and counts that (`socketio_rejected_total`).
/// Some limits make clients wait instead; the server counts those pauses (`socketio_reading_paused_total`).
public struct SocketLimits: Sendable {
    /// How many namespaces one connection may have joined at a time.
    public var namespacesPerConnection = 100
    /// How many namespaces may exist because a client asked for them (``SocketServer/of(matching:)``).
    ///
    /// Of the namespaces without clients, the one that has had none for the longest time makes room for a new one.
    public var dynamicNamespaces = 10_000
    /// How many of them one IPv4 address, or one /64 network of IPv6, may hold; `nil`: as many as there may be.
    ///
    /// An address holds a namespace if its client came when the namespace had no clients, and holds it as long as the
    /// namespace has some. Behind a proxy this needs `engine.trustedProxies`; otherwise all clients have the proxy's
    /// address.
    public var dynamicNamespacesPerAddress: Int? = 1_000
    /// The longest name of such a namespace, in bytes of UTF-8 with its leading slash: the name is what patterns are
    /// matched with.
    public var dynamicNamespaceBytes = 128
    /// How many rooms a socket may be in, its own not counted.
    public var roomsPerSocket = 1_000
    /// How many events sent to one socket may wait for its acknowledgement.
    public var pendingAcknowledgements = 1_000
    /// The longest `auth` that a client may send with CONNECT, in bytes of JSON.
    public var authBytes = 64 * 1024
    /// How many events of one socket may wait for its asynchronous handlers and middlewares before the server stops
    /// reading from the client.
    ///
    /// While a handler waits for an acknowledgement of that client, eight times as many events may wait, so that the
    /// server reads the answer. Beyond that the handler's wait ends with ``AcknowledgementError/Code/notRead``.
    public var waitingEvents = 128
    /// How many bytes of a connection's events, attachments included, may wait or be worked at before the server stops
    /// reading; eight times as many, like ``waitingEvents``.
    ///
    /// One event may be longer than that. An event with several asynchronous handlers counts for each of them.
    public var waitingBytes = 1_048_576
    /// How many packets a connection may send; `nil`: as many as it can.
    ///
    /// Off by default, as in Node: what is too much depends on what the application does with an event. A packet counts
    /// once, however many attachments it has.
    public var packetRate: RateLimit?
    /// How many bytes of messages, attachments included, a connection may send; `nil`: as many as it can.
    ///
    /// A client that sends more is slowed down, not refused: the server reads nothing more from the connection until
    /// the bytes that it has read are within the rate. So it takes a message that is longer than the burst, and then
    /// pauses. A compressed message counts with its length after decompression.
    public var byteRate: RateLimit?
    /// How many broadcasts of other nodes may wait for acknowledgements of this node's clients at a time.
    public var remoteAcknowledgements = 1_024
    /// The longest time for which another node's broadcast waits for acknowledgements here, whatever it asks for.
    public var remoteAcknowledgementTimeout: TimeAmount = .minutes(5)

    /// Limits that ordinary clients never meet.
    public init() {}
}

/// A number of things a second in the long run, and a number at once after a pause: a token bucket.
public struct RateLimit: Sendable, Hashable {
    /// How many a second in the long run.
    public var perSecond: Int
    /// How many at once.
    public var burst: Int

    /// A rate.
    ///
    /// - Parameters:
    ///   - perSecond: How many a second in the long run, at least 1.
    ///   - burst: How many at once; twice `perSecond` if `nil`.
    public init(perSecond: Int, burst: Int? = nil) {
        self.perSecond = max(1, perSecond)
        self.burst = max(1, burst ?? (perSecond > Int.max / 2 ? Int.max : perSecond * 2))
    }
}

/// A client did, or was made to do, more than ``SocketLimits`` allows.
///
/// The server tells the client. It refuses a CONNECT with this as the error's `data`. It answers an event that wants an
/// acknowledgement with `{"error": message, "data": …}`. For anything else it sends the event `limit_exceeded`, whose
/// argument this is: `{"code": "packet_rate", "limit": 100, "retryAfter": 20}` (milliseconds). The application hears of
/// it by ``Socket/onError(_:)-((Error,ReceivedEvent?)->Void)``.
public struct LimitExceeded: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which limit.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code as clients and metrics see it.
        public let rawValue: String

        /// A code with a text of one's own.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// ``SocketLimits/namespacesPerConnection``.
        public static let namespacesPerConnection = Code(rawValue: "namespaces_per_connection")
        /// ``SocketLimits/dynamicNamespaces``.
        public static let dynamicNamespaces = Code(rawValue: "dynamic_namespaces")
        /// ``SocketLimits/dynamicNamespacesPerAddress``.
        public static let dynamicNamespacesPerAddress = Code(rawValue: "dynamic_namespaces_per_address")
        /// ``SocketLimits/dynamicNamespaceBytes``.
        public static let dynamicNamespaceBytes = Code(rawValue: "dynamic_namespace_bytes")
        /// ``SocketLimits/roomsPerSocket``.
        public static let roomsPerSocket = Code(rawValue: "rooms_per_socket")
        /// ``SocketLimits/authBytes``.
        public static let authBytes = Code(rawValue: "auth_bytes")
        /// ``SocketLimits/packetRate``.
        public static let packetRate = Code(rawValue: "packet_rate")
    }

    /// Which limit.
    public var code: Code
    /// The limit.
    public var limit: Int
    /// After how many milliseconds it is worth trying again; `nil` for limits that time does not lift.
    public var retryAfterMilliseconds: Int?

    /// The limit in words, for people.
    public var description: String {
        switch self.code {
        case .namespacesPerConnection: "Too many namespaces"
        case .dynamicNamespaces: "Too many namespaces exist"
        case .dynamicNamespacesPerAddress: "Too many namespaces of one address"
        case .dynamicNamespaceBytes: "Namespace name too long"
        case .roomsPerSocket: "Too many rooms"
        case .authBytes: "Auth too large"
        case .packetRate: "Too many packets"
        default: "Limit exceeded"
        }
    }

    /// The event by which clients are told when there is nothing to answer.
    static let event = "limit_exceeded"

    /// What the client gets.
    var json: JSONValue {
        var object: JSONObject = ["code": .string(self.code.rawValue), "limit": .int(self.limit)]
        if let milliseconds = self.retryAfterMilliseconds { object["retryAfter"] = .int(milliseconds) }
        return .object(object)
    }
}
