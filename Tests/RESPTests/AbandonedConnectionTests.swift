import Logging
import NIOCore
import NIOPosix
import Testing

@testable import RESP

/// What becomes of a connection that the client gives up.
@Suite(.timeLimit(.minutes(1)))
struct AbandonedConnectionTests {
    /// What was written to it must not arrive any more: what is published meanwhile on the next one would come first.
    @Test(arguments: [true, false])
    func silentConnectionIsReset(isGivenUp: Bool) async throws {
        let ends = AsyncStream.makeStream(of: Bool.self)
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SilentRedis(ends: ends.continuation))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        var configuration = try RESPConfiguration(url: "redis://127.0.0.1:\(server.localAddress?.port ?? 0)")
        configuration.keepAliveInterval = isGivenUp ? .milliseconds(50) : .seconds(60)
        let client = RESPClient(configuration: configuration, logger: Logger(label: "test"))
        try await client.connect()
        if !isGivenUp { await client.close() }
        var iterator = ends.stream.makeAsyncIterator()
        #expect(await iterator.next() == isGivenUp)
        await client.close()
        try await server.close()
    }
}

/// Says hello, and nothing more; tells whether the client resets the connection.
private final class SilentRedis: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let ends: AsyncStream<Bool>.Continuation
    private var isGreeted = false
    private var isReset = false

    init(ends: AsyncStream<Bool>.Continuation) {
        self.ends = ends
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isGreeted else { return }
        self.isGreeted = true
        context.writeAndFlush(NIOAny(ByteBuffer(string: FakeRedis.hello)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.isReset = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ends.yield(self.isReset)
    }
}
