import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A server for tests: what it answers is a function of the request's head.
final class HTTPServer: Sendable {
    enum Answer: Sendable {
        case whole(HTTPResponseStatus = .ok, headers: [(String, String)] = [], body: String = "")
        /// A head, and a body that never ends.
        case endless
        /// Nothing at all.
        case silence
        /// The end of the connection.
        case close
    }

    struct Request: Sendable {
        var head: HTTPRequestHead
        var body: String
    }

    private let channel: any Channel
    private let log: Log

    private final class Log: Sendable {
        let requests = NIOLockedValueBox<[Request]>([])
        let connections = NIOLockedValueBox(0)
    }

    private init(channel: any Channel, log: Log) {
        self.channel = channel
        self.log = log
    }

    static func start(
        tls: NIOSSLContext? = nil,
        _ answer: @escaping @Sendable (HTTPRequestHead) -> Answer
    ) async throws -> HTTPServer {
        let log = Log()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    log.connections.withLockedValue { $0 += 1 }
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Handler(answer: answer, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return HTTPServer(channel: channel, log: log)
    }

    var port: Int { self.channel.localAddress?.port ?? 0 }
    var requests: [Request] { self.log.requests.withLockedValue { $0 } }
    var connections: Int { self.log.connections.withLockedValue { $0 } }

    func stop() async throws { try await self.channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: @Sendable (HTTPRequestHead) -> Answer
        private let log: Log
        private var request: Request?

        init(answer: @escaping @Sendable (HTTPRequestHead) -> Answer, log: Log) {
            self.answer = answer
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head): self.request = Request(head: head, body: "")
            case .body(let bytes): self.request?.body += String(buffer: bytes)
            case .end:
                guard let request = self.request else { return }
                self.log.requests.withLockedValue { $0.append(request) }
                self.send(self.answer(request.head), context)
            }
        }

        private func send(_ answer: Answer, _ context: ChannelHandlerContext) {
            switch answer {
            case .silence: break
            case .close: context.close(promise: nil)
            case .endless:
                let head = HTTPResponseHead(version: .http1_1, status: .ok)
                context.write(self.wrapOutboundOut(.head(head)), promise: nil)
                self.sendMore(context)
            case .whole(let status, let headers, let body):
                var head = HTTPResponseHead(version: .http1_1, status: status)
                head.headers = HTTPHeaders(headers + [("Content-Length", "\(body.utf8.count)")])
                context.write(self.wrapOutboundOut(.head(head)), promise: nil)
                context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }

        private func sendMore(_ context: ChannelHandlerContext) {
            let bytes = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1024)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(bytes)))).whenSuccess {
                let (handler, context) = bound.value
                handler.sendMore(context)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
