import Logging
import Metrics
import NIOCore
import NIOEmbedded

@testable import RESP

/// The server's end of every connection a client makes, played by the test; time stands still unless it says otherwise.
///
/// `@unchecked Sendable`: only ever touched by the thread of the one synchronous test that made it, which is also the
/// thread of its loop.
final class FakeRedis: @unchecked Sendable {
    /// The answer to `HELLO 3` of a Redis that will do.
    static let hello = "%2\r\n+mode\r\n+standalone\r\n+role\r\n+master\r\n"

    let loop = EmbeddedEventLoop()
    private(set) var channels: [EmbeddedChannel] = []
    private var parsers: [RESPParser] = []
    /// Connections to come fail with this.
    var connectError: (any Error)?
    var randoms: [Double] = []

    func makeClient(
        _ configuration: RESPConfiguration = RESPConfiguration(),
        metricsFactory: any MetricsFactory = NOOPMetricsHandler.instance
    ) -> RESPClient {
        RESPClient(
            configuration: configuration,
            eventLoop: self.loop,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: metricsFactory,
            connector: self.connector,
            random: { self.randoms.isEmpty ? 0 : self.randoms.removeFirst() }
        )
    }

    var connector: RESPConnector { { _, loop in self.connect(loop) } }

    private func connect(_ loop: any EventLoop) -> EventLoopFuture<any Channel> {
        if let connectError = self.connectError { return loop.makeFailedFuture(connectError) }
        let channel = EmbeddedChannel(loop: self.loop)
        do {
            channel.connect(to: try SocketAddress(unixDomainSocketPath: "/unused"), promise: nil)
        } catch {
            return loop.makeFailedFuture(error)
        }
        self.channels.append(channel)
        self.parsers.append(RESPParser())
        return loop.makeSucceededFuture(channel)
    }

    /// The commands that were written to a connection since the last call.
    func commands(_ index: Int) throws -> [[String]] {
        self.loop.run()
        var commands: [[String]] = []
        while let bytes = try self.channels[index].readOutbound(as: ByteBuffer.self) {
            self.parsers[index].append(bytes)
            while let command = try self.parsers[index].next() {
                commands.append(command.arrayValue?.compactMap(\.stringValue) ?? [])
            }
        }
        return commands
    }

    /// How many writes were made to a connection since the last call.
    func writes(_ index: Int) throws -> Int {
        self.loop.run()
        var count = 0
        while try self.channels[index].readOutbound(as: ByteBuffer.self) != nil { count += 1 }
        return count
    }

    func reply(_ index: Int, _ text: String) throws {
        try self.channels[index].writeInbound(ByteBuffer(string: text))
        self.loop.run()
    }

    /// Drops a connection as a crash of Redis would.
    func drop(_ index: Int) {
        self.channels[index].close(promise: nil)
        self.loop.run()
    }

    func advance(_ time: TimeAmount) {
        self.loop.advanceTime(by: time)
        self.loop.run()
    }
}
