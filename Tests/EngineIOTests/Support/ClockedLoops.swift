import Dispatch
import Logging
import Metrics
import NIOCore
import NIOEmbedded
import Testing

@testable import EngineIO

/// Two loops that run at the same time, and whose clocks only the test moves.
///
/// So a test can have requests of one session on different loops, and does not depend on how busy the machine is.
final class ClockedLoops: EventLoopGroup {
    let loops = [NIOAsyncTestingEventLoop(), NIOAsyncTestingEventLoop()]

    func next() -> any EventLoop { self.loops[0] }

    func any() -> any EventLoop { self.loops[0] }

    func makeIterator() -> EventLoopIterator { EventLoopIterator(self.loops) }

    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        queue.async { callback(nil) }
    }

    /// Runs what is due on both, and what that makes due.
    func run() async {
        for _ in 0..<2 {
            for loop in self.loops { await loop.run() }
        }
    }

    /// Drops what is still to be done, so that the loops may go.
    func stop() async {
        for loop in self.loops { await loop.shutdownGracefully() }
    }

    func makeServer() -> EngineServer {
        EngineServer(
            eventLoopGroup: self,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: NOOPMetricsHandler.instance
        ) { _ in nil }
    }

    /// A connection without a network.
    struct Connection {
        private let channel: NIOAsyncTestingChannel

        init(to server: EngineServer, on loop: NIOAsyncTestingEventLoop) async throws {
            let channel = NIOAsyncTestingChannel(loop: loop)
            self.channel = channel
            try await loop.executeInContext { try server.configure(channel) }
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
        }

        /// Sends text; when this returns, the server has read it.
        func send(_ text: String) async throws { try await self.channel.writeInbound(ByteBuffer(string: text)) }

        /// The next answer, head and body.
        func answer() async throws -> String {
            String(buffer: try await self.channel.waitForOutboundWrite(as: ByteBuffer.self))
        }

        func close() async throws { _ = try await self.channel.finish(acceptAlreadyClosed: true) }
    }
}
