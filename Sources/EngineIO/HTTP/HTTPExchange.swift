import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// One HTTP request and its answer, which may come from another event loop than the connection's.
///
/// `@unchecked Sendable` because a polling session may live on another loop than the connection: what is not constant is
/// either behind a lock or touched on the connection's loop only.
final class HTTPExchange: @unchecked Sendable {
    enum Method {
        case get
        case post
        case other
    }

    private struct Progress {
        var receivedBytes = 0
        var isBeingSent = false
    }

    let method: Method
    /// Whether the body is said to be bytes, of protocol 3.
    let isBinary: Bool
    /// What compression of the answer the client accepts.
    let acceptedEncodings: String?
    private let connection: HTTPConnection
    private let progress = NIOLockedValueBox(Progress())

    // The connection's:
    /// The transport that the request names.
    private(set) var transport = TransportName.polling
    var context: HTTPResponseContext
    /// The request itself, if a hook wants to see it.
    var request: HandshakeRequest?
    /// Whether it began a session, or tried to.
    var isHandshake = false
    /// The session it belongs to.
    private(set) var session: SessionReference?
    var body = ByteBuffer()
    /// What decides whether the session may begin.
    var decision: Task<Void, Never>?

    init(connection: HTTPConnection, method: HTTPMethod, fields: RequestFields, context: HTTPResponseContext) {
        self.connection = connection
        self.context = context
        self.isBinary = fields.contentType?.withBytes { $0.equals("application/octet-stream") } ?? false
        self.acceptedEncodings = method == .GET ? fields.acceptedEncodings : nil
        switch method {
        case .GET: self.method = .get
        case .POST: self.method = .post
        default: self.method = .other
        }
    }

    /// Hands the request to its session.
    func begin(with session: SessionReference, transport: TransportName) {
        self.session = session
        self.transport = transport
        session.perform { $0.received(self) }
    }

    /// The request is complete.
    func completed() {
        guard let session = self.session, self.method == .post else { return }
        var body = ByteBuffer()
        swap(&body, &self.body)
        session.perform { [body] in $0.received(body: body, of: self) }
    }

    /// The connection closed before the answer.
    func aborted() {
        self.decision?.cancel()
        self.session?.perform { $0.aborted(self) }
    }

    // MARK: From any loop

    /// Answers the request; nothing happens if it has been answered or its connection is gone.
    func answer(_ response: HTTPResponse) {
        self.connection.loop.perform { self.connection.answer(self, response) }
    }

    /// Answers the request with an error that the application is told about.
    func refuse(_ error: HandshakeError) {
        self.connection.server.refused(error)
        self.answer(.error(error))
    }

    /// Closes the connection, without an answer, if the request is not complete.
    func destroy() {
        self.connection.loop.perform { self.connection.destroy(self) }
    }

    /// How much of the body has arrived.
    var receivedBytes: Int {
        get { self.progress.withLockedValue { $0.receivedBytes } }
        set { self.progress.withLockedValue { $0.receivedBytes = newValue } }
    }

    /// Whether a big answer is on its way.
    var isBeingSent: Bool {
        get { self.progress.withLockedValue { $0.isBeingSent } }
        set { self.progress.withLockedValue { $0.isBeingSent = newValue } }
    }
}

/// A session as seen from any loop.
///
/// `@unchecked Sendable` because the session is only handed to closures that run on its loop.
struct SessionReference: @unchecked Sendable {
    private let session: EngineSession
    let loop: EngineLoop

    init(_ session: EngineSession) {
        self.session = session
        self.loop = session.loop
    }

    /// Runs on the session's loop: at once if that is this one.
    func perform(_ body: @escaping @Sendable (EngineSession) -> Void) {
        self.loop.perform { body(self.session) }
    }
}

extension EngineLoop {
    /// Runs on this loop: at once if that is the current one.
    func perform(_ body: @escaping @Sendable () -> Void) {
        if self.eventLoop.inEventLoop {
            body()
        } else {
            self.eventLoop.execute(body)
        }
    }
}
