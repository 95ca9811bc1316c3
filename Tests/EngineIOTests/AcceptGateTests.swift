import Incidents
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import EngineIO

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// When connections are accepted, told that there is no room, or left waiting.
@Suite(.timeLimit(.minutes(1))) struct AcceptGateTests {
    /// Counts the reads that reach the listening socket.
    private final class Listener: ChannelOutboundHandler {
        typealias OutboundIn = any Channel
        var reads = 0

        func read(context: ChannelHandlerContext) {
            self.reads += 1
            context.read()
        }
    }

    private final class Fixture {
        let channel = EmbeddedChannel()
        let listener = Listener()
        let state = AcceptState()
        var events: [AcceptGate.Event] = []
        /// How many descriptors are in use.
        var used = 0

        init(limit: Int = 100, reserved: Int = 20) throws {
            let gate = AcceptGate(
                reserve: DescriptorReserve(limit: limit, reserved: reserved),
                state: self.state,
                countFree: { [unowned self] mark, count, _ in min(count, max(0, mark - self.used)) },
                report: { [unowned self] in self.events.append($0) }
            )
            try self.channel.pipeline.syncOperations.addHandlers([self.listener, gate])
            self.channel.pipeline.read()
        }

        /// Accepts connections while the gate asks for them.
        func accept(_ count: Int) {
            for _ in 0..<count {
                let before = self.listener.reads
                self.used += 1
                self.channel.pipeline.fireChannelRead(
                    EmbeddedChannel(loop: self.channel.embeddedEventLoop) as any Channel
                )
                self.channel.pipeline.read()
                if self.listener.reads == before { return }
            }
        }

        var isFull: Bool { self.state.isFull.load(ordering: .relaxed) }
    }

    @Test func clientsCannotTakeTheReserve() throws {
        let fixture = try Fixture()
        fixture.accept(1000)
        // 80 for clients, 5 to tell others that there is no room, 15 for everything else.
        #expect(fixture.used == 85)
        #expect(fixture.isFull)
        #expect(fixture.events == [.closed(nil)])
    }

    @Test func itGoesOnByItself() throws {
        let fixture = try Fixture()
        fixture.accept(1000)
        let reads = fixture.listener.reads
        fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(fixture.listener.reads == reads)
        #expect(fixture.events == [.closed(nil)])
        fixture.used = 10
        fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(fixture.events == [.closed(nil), .opened])
        #expect(!fixture.isFull)
        fixture.channel.pipeline.read()
        fixture.accept(5)
        #expect(fixture.used == 15)
    }

    /// Descriptors that became free while nobody connected are free for whoever connects next.
    @Test func noRoomIsNotForEver() throws {
        let fixture = try Fixture()
        fixture.accept(82)
        #expect(fixture.isFull)
        fixture.used = 20
        fixture.accept(1)
        #expect(!fixture.isFull)
    }

    /// Holes in the numbers do not add up to more than the reserve gives.
    @Test func aFewFreeDescriptorsAreAFewConnections() throws {
        let fixture = try Fixture()
        for _ in 0..<50 {
            fixture.accept(1000)
            #expect(fixture.used == 85)
            fixture.used -= 3
            fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            fixture.channel.pipeline.read()
        }
    }

    @Test(arguments: [EMFILE, ENFILE, ENOMEM, ENOBUFS]) func theSystemRefuses(_ code: CInt) throws {
        let fixture = try Fixture()
        let reads = fixture.listener.reads
        fixture.channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        fixture.channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        fixture.channel.pipeline.read()
        #expect(fixture.listener.reads == reads)
        #expect(fixture.events == [.closed(code)])
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(50))
        #expect(fixture.events == [.closed(code), .opened])
        // Nothing was accepted in between: the next pause is longer.
        fixture.channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(99))
        #expect(fixture.events.count == 3)
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(fixture.events.count == 4)
    }

    @Test func otherErrorsAreNotItsOwn() throws {
        let fixture = try Fixture()
        fixture.channel.pipeline.fireErrorCaught(IOError(errnoCode: ECONNABORTED, reason: "accept"))
        #expect(throws: IOError.self) { try fixture.channel.throwIfErrorCaught() }
        #expect(fixture.events == [])
    }

    @Test func theReserveIsNeverMoreThanHalf() {
        #expect(DescriptorReserve(limit: 1024, reserved: 64).fullMark == 960)
        #expect(DescriptorReserve(limit: 64, reserved: 64).fullMark == 32)
        #expect(DescriptorReserve(limit: 64, reserved: 64).closedMark == 40)
    }

    /// What is tried out is given back.
    @Test func countingTakesNothing() {
        let next = dup(2)
        close(next)
        #expect(FileDescriptors.countFree(below: 0, atMost: 5, like: 2) == 0)
        #expect(FileDescriptors.countFree(below: 1 << 20, atMost: 5, like: 2) == 5)
        #expect(FileDescriptors.countFree(below: 1 << 20, atMost: 5, like: -1) == 0)
    }
}
