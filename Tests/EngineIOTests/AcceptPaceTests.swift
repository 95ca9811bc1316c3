import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import EngineIO

/// When connections wait for each other.
@Suite(.timeLimit(.minutes(1))) struct AcceptPaceTests {
    private var pace = AcceptPace()
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// Accepts one connection after each of these pauses: how long the next one waits.
    private mutating func accept(after pauses: [TimeAmount]) -> [TimeAmount?] {
        pauses.map { pause in
            self.now = self.now + pause
            return self.pace.wait(after: 1, of: 4, at: self.now)
        }
    }

    @Test mutating func whoComesAloneDoesNotWait() {
        let waits = self.accept(after: Array(repeating: .milliseconds(2), count: 100))
        #expect(waits == Array(repeating: nil, count: 100))
        // Two at a time are no crowd either.
        let waitsOfTwo = self.accept(after: [.seconds(1), .zero, .seconds(1), .zero])
        #expect(waitsOfTwo == [nil, nil, nil, nil])
    }

    @Test mutating func aCrowdWaits() {
        let waits = self.accept(after: [.zero, .microseconds(250), .microseconds(250)])
        #expect(waits == [nil, nil, AcceptPace.wait])
        // As long as each wait brings more than one.
        for _ in 0..<10 {
            self.now = self.now + AcceptPace.wait
            let waits = [4, 4, 0, 1].map { self.pace.wait(after: $0, of: 4, at: self.now) }
            #expect(waits == [nil, nil, nil, AcceptPace.wait])
        }
        self.now = self.now + AcceptPace.wait
        let last = self.pace.wait(after: 1, of: 4, at: self.now)
        #expect(last == nil)
    }

    @Test mutating func clientThatOpensOneAfterTheOtherWaitsSeldom() {
        // Each as soon as the one before has been served.
        var waits = 0
        let start = self.now
        for _ in 0..<10_000 {
            self.now = self.now + .microseconds(100)
            guard let wait = self.pace.wait(after: 1, of: 4, at: self.now) else { continue }
            waits += 1
            self.now = self.now + wait
        }
        let most = (self.now - start).nanoseconds / AcceptPace.respite.nanoseconds + 1
        #expect(waits > 0)
        #expect(waits <= most)
    }

    @Test mutating func whileMoreMayBeThereNobodyWaits() {
        let waits = (0..<100).map { _ in self.pace.wait(after: 4, of: 4, at: self.now) }
        #expect(waits == Array(repeating: nil, count: 100))
        let last = self.pace.wait(after: 2, of: 4, at: self.now)
        #expect(last == AcceptPace.wait)
    }

    /// Counts the reads that reach the listening socket.
    private final class Listener: ChannelOutboundHandler {
        typealias OutboundIn = any Channel
        var reads = 0

        func read(context: ChannelHandlerContext) { self.reads += 1 }
    }

    @Test func listenerReadsNothingMeanwhile() throws {
        let channel = EmbeddedChannel()
        let listener = Listener()
        let gate = AcceptGate(
            reserve: nil,
            state: AcceptState(),
            pace: AcceptPace(),
            countFree: { _, count, _ in count },
            report: { _ in }
        )
        try channel.pipeline.syncOperations.addHandlers([listener, gate])
        func accept(_ count: Int) {
            for _ in 0..<count {
                channel.pipeline.fireChannelRead(EmbeddedChannel(loop: channel.embeddedEventLoop) as any Channel)
            }
            channel.pipeline.read()
        }
        accept(0)
        for _ in 0..<3 { accept(1) }
        #expect(listener.reads == 3)
        channel.pipeline.read()
        channel.embeddedEventLoop.advanceTime(by: AcceptPace.wait - .nanoseconds(1))
        #expect(listener.reads == 3)
        channel.embeddedEventLoop.advanceTime(by: .nanoseconds(1))
        #expect(listener.reads == 4)
        accept(1)
        #expect(listener.reads == 5)
        // Whoever is still waiting when the listener goes is nobody's concern.
        for _ in 0..<3 { accept(1) }
        _ = try channel.finish()
    }

    /// Connections inherit what keeps small writes from waiting for each other: nothing is set for each.
    @Test func smallWritesDoNotWait() async throws {
        try await EchoServer.run { server in
            let client = try await ClientBootstrap(group: EchoServer.group).connect(to: server.address).get()
            try await client.writeAndFlush(ByteBuffer(string: "GET /engine.io/ HTTP/1.1\r\n"))
            var values: [Int] = []
            while values.isEmpty {
                for loop in server.server.loops {
                    let found = try await loop.eventLoop.submit {
                        try loop.connections.values.compactMap { connection in
                            try connection.context?.channel.syncOptions?.getOption(.tcpOption(.tcp_nodelay))
                        }
                    }.get()
                    values += found.map { Int($0) }
                }
            }
            #expect(values.allSatisfy { $0 != 0 })
            try await client.close()
        }
    }
}
