import NIOCore
import NIOPosix
import Testing

@testable import EngineIO

/// The box for what belongs to one event loop.
struct LoopBoundTests {
    private final class Box: Sendable {
        let numbers: LoopBound<[Int]>
        init(_ eventLoop: any EventLoop) { self.numbers = LoopBound([], eventLoop: eventLoop) }
    }

    private final class Witness: Sendable {
        let tell: @Sendable () -> Void
        init(_ tell: @escaping @Sendable () -> Void) { self.tell = tell }
        deinit { self.tell() }
    }

    @Test func valueIsReadAndChangedOnItsLoop() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let box = Box(eventLoop)
        for number in 0..<3 { eventLoop.execute { box.numbers.value.append(number) } }
        #expect(try await eventLoop.submit { box.numbers.value }.get() == [0, 1, 2])
    }

    @Test func valueGoesWithTheBox() async {
        await withCheckedContinuation { continuation in
            let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
            _ = LoopBound(Witness { continuation.resume() }, eventLoop: eventLoop)
        }
    }

    /// Release builds do not look.
    @Test func touchingItElsewhereEndsADebugBuild() async {
        #if DEBUG
        await #expect(processExitsWith: .failure) {
            let box = LoopBound(1, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
            box.value += 1
        }
        #endif
    }
}
