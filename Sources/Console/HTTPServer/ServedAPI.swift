import NIOCore

/// What an ``APIServer`` serves: it decides about requests by their heads, and answers those that it admits.
protocol ServedAPI: Sendable {
    /// A request whose head has passed all checks.
    associatedtype Request: Sendable

    var limits: ServerLimits { get }
    /// Limits the bytes of all bodies and answers together.
    var budget: ByteBudget { get }

    /// Decides about a request by its head.
    ///
    /// What an admitted request holds is held until ``release(_:)``.
    func admit(
        _ head: RequestHead,
        from address: SocketAddress?,
        isShuttingDown: Bool
    ) throws(APIError) -> Admission<Request>

    /// Whether a request is answered so quickly that its loop may do it.
    ///
    /// The others are answered on a thread that serves no clients.
    func isShort(_ request: Request, bodyBytes: Int) -> Bool

    /// Answers an admitted request.
    func answer(_ request: Request, body: ByteBuffer) async -> APIAnswer

    /// An admitted request is over, however it ended.
    func release(_ request: Request)

    /// A request was refused.
    ///
    /// - Parameters:
    ///   - error: Why.
    ///   - request: What it was; `nil` if its head was refused.
    ///   - address: Who asked.
    func refused(_ error: APIError, _ request: Request?, from address: SocketAddress?)

    /// A connection was closed in favour of others, because there are too many.
    func gaveWay()
}

/// What becomes of a request by its head.
enum Admission<Request: Sendable>: Sendable {
    /// It is answered when its body has come.
    case request(Request)
    /// It is answered at once.
    case answered(APIAnswer)
}

/// How much time and room the connections of a server have.
struct ServerLimits: Sendable {
    /// How long a new connection may take to send the head of its first request.
    var headTimeout: TimeAmount
    /// How long a body may take to arrive.
    var bodyTimeout: TimeAmount
    /// How long an answer may take to leave.
    var answerTimeout: TimeAmount
    /// How long a connection may wait for its next request.
    var idleTimeout: TimeAmount
    /// The longest body, in bytes.
    var maximumBodyBytes: Int
    /// The most connections.
    ///
    /// If there are more, the server closes those that have been idle longest.
    var maximumConnections: Int

    /// How long a body that is still arriving may take when the service ends.
    static let farewell = TimeAmount.seconds(1)
    /// How long the connection reads what a client still writes behind a refusal.
    ///
    /// Many clients read the answer only when they have written everything.
    static let lingeringTime = TimeAmount.seconds(3)
    /// How much of that it reads and throws away.
    static let lingeringBytes = 8_388_608
}
