import NIOCore
import NIOHTTP1
import Synchronization

/// One HTTP request and its answer.
///
/// The answer may come from another event loop than the connection's.
///
/// It is `@unchecked Sendable` because a polling session may live on another loop than the connection. Everything that
/// is not constant is either atomic or used only on the connection's loop.
final class HTTPExchange: @unchecked Sendable {
    enum Method {
        case get
        case post
        case other
    }

    let method: Method
    /// Whether the request says that its body is bytes (protocol 3).
    let isBinary: Bool
    /// The compressions that the client accepts for the answer.
    let acceptedEncodings: String?
    private let connection: HTTPConnection
    private let received = Atomic(0)
    private let beingSent = Atomic(false)

    // The connection's:
    /// The transport that the request names.
    private(set) var transport = TransportName.polling
    var context: HTTPResponseContext
    /// The request itself, if a hook wants to see it.
    var request: HandshakeRequest?
    /// Whether it has begun a session, or has tried to.
    var isHandshake = false
    /// The session it belongs to.
    private(set) var session: SessionReference?
    var body = ByteBuffer()
    /// The task that decides whether the session may begin.
    var decision: Task<Void, Never>?

    init(
        connection: HTTPConnection,
        method: Method,
        isBinary: Bool,
        acceptedEncodings: String?,
        context: HTTPResponseContext
    ) {
        self.connection = connection
        self.method = method
        self.isBinary = isBinary
        self.acceptedEncodings = acceptedEncodings
        self.context = context
    }

    convenience init(
        connection: HTTPConnection,
        method: HTTPMethod,
        fields: RequestFields,
        context: HTTPResponseContext
    ) {
        self.init(
            connection: connection,
            method: method == .GET ? .get : method == .POST ? .post : .other,
            isBinary: fields.contentType?.withBytes { $0.equals("application/octet-stream") } ?? false,
            acceptedEncodings: method == .GET ? fields.acceptedEncodings : nil,
            context: context
        )
    }

    /// Gives the request to its session.
    func begin(with session: SessionReference, transport: TransportName) {
        self.session = session
        self.transport = transport
        if let session = session.here { return session.received(self) }
        session.perform { $0.received(self) }
    }

    /// Whether its connection is on that loop.
    func isOf(_ loop: EngineLoop) -> Bool { self.connection.loop === loop }

    /// The request is complete.
    func completed() {
        guard let session = self.session, self.method == .post else { return }
        var body = ByteBuffer()
        swap(&body, &self.body)
        if let session = session.here { return session.received(body: body, of: self) }
        session.perform { [body] in $0.received(body: body, of: self) }
    }

    /// The connection closed before the answer.
    func aborted() {
        self.decision?.cancel()
        self.session?.perform { $0.aborted(self) }
    }

    // MARK: From any loop

    /// Answers the request.
    ///
    /// Nothing happens if it has been answered before, or if its connection is gone.
    func answer(_ response: HTTPResponse) {
        let loop = self.connection.loop
        if loop.eventLoop.inEventLoop { return self.connection.answer(self, response) }
        loop.eventLoop.execute { self.connection.answer(self, response) }
    }

    /// Answers the request with an error, and tells the application.
    func refuse(_ error: HandshakeError) {
        self.connection.loop.perform {
            let server = self.connection.server
            server.refused(error, from: self.request.map(server.clientAddress(of:)) ?? self.connection.peerAddress)
            self.connection.answer(self, .error(error))
        }
    }

    /// Closes the connection without an answer if the request is not complete.
    func destroy() {
        self.connection.loop.perform { self.connection.destroy(self) }
    }

    /// How much of the body has arrived.
    var receivedBytes: Int {
        get { self.received.load(ordering: .relaxed) }
        set { self.received.store(newValue, ordering: .relaxed) }
    }

    /// Whether a big answer is still being sent.
    var isBeingSent: Bool {
        get { self.beingSent.load(ordering: .acquiring) }
        set { self.beingSent.store(newValue, ordering: .releasing) }
    }
}

/// A session as seen from any loop.
///
/// It is `@unchecked Sendable` because only closures that run on the session's loop get the session.
struct SessionReference: @unchecked Sendable {
    private let session: EngineSession
    let loop: EngineLoop

    init(_ session: EngineSession) {
        self.session = session
        self.loop = session.loop
    }

    /// The session, if this is its loop.
    var here: EngineSession? { self.loop.eventLoop.inEventLoop ? self.session : nil }

    /// Runs a closure on the session's loop, at once if that is the current loop.
    func perform(_ body: @escaping @Sendable (EngineSession) -> Void) {
        self.loop.perform { body(self.session) }
    }
}

extension EngineLoop {
    /// Runs a closure on this loop, at once if that is the current loop.
    func perform(_ body: @escaping @Sendable () -> Void) {
        if self.eventLoop.inEventLoop {
            body()
        } else {
            self.eventLoop.execute(body)
        }
    }
}
