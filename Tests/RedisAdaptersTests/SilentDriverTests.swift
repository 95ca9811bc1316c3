import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire
import Testing

/// A driver that takes everything and never answers must not keep anybody waiting for ever.
@Suite(.timeLimit(.minutes(1)))
struct SilentDriverTests {
    /// Answers only when it is released.
    private final class SilentDriver: ClusterDriver {
        private let waiting = NIOLockedValueBox<[CheckedContinuation<Void, Never>]>([])
        let asked = AsyncStream<Void>.makeStream()

        private func fallSilent() async {
            await withCheckedContinuation { continuation in
                self.waiting.withLockedValue { $0.append(continuation) }
                self.asked.continuation.yield()
            }
        }

        func release() {
            for one in self.waiting.withLockedValue({ $0 }) { one.resume() }
        }

        func join(_ member: ClusterMember, _ inbox: ClusterInbox) async throws {}
        func leave(_ member: ClusterMember) async {}
        func send(_ bytes: ByteBuffer, to destination: ClusterDestination, from member: ClusterMember) throws {}
        func confirm(_ member: ClusterMember) async throws { await self.fallSilent() }

        func countMembers(of namespace: String) async throws -> Int {
            await self.fallSilent()
            return 2
        }
    }

    /// Runs something that asks the driver, and lets a second pass when the driver has been asked.
    private func passing<Result: Sendable>(
        _ driver: SilentDriver,
        _ loop: NIOAsyncTestingEventLoop,
        _ body: @escaping @Sendable () async -> Result
    ) async -> Result {
        async let result = body()
        var asked = driver.asked.stream.makeAsyncIterator()
        _ = await asked.next()
        await loop.advanceTime(by: .seconds(1))
        return await result
    }

    @Test func nobodyWaitsForLongerThanAllowed() async throws {
        let (driver, loop) = (SilentDriver(), NIOAsyncTestingEventLoop())
        var configuration = ClusterConfiguration()
        configuration.requestsTimeout = .seconds(1)
        let adapter = ClusterAdapterFactory(driver: driver, configuration: configuration)
            .makeAdapter(for: FakeHost(name: "/", eventLoop: loop))
        let operation = ClusterOperation(.emit(["e"]), options: BroadcastOptions())
        let queued = await self.passing(driver, loop) {
            await adapter.publish([operation], whileUnreachable: .queue, timeout: .seconds(1))
        }
        #expect(queued == .queued)
        let refused = await self.passing(driver, loop) {
            await adapter.publish([operation], whileUnreachable: .refuse, timeout: .seconds(1))
        }
        guard case .unconfirmed = refused else {
            Issue.record("\(refused) is more than is known")
            return
        }
        let count = await self.passing(driver, loop) { try? await adapter.serverCount() }
        #expect(count == nil)
        driver.release()
        await loop.shutdownGracefully()
    }
}
