import NIOCore
import NIOEmbedded
import NIOPosix
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct RulesTests {
    private func rules(_ change: (inout GatewayConfiguration) -> Void = { _ in }) async throws -> Rules {
        var configuration = Samples.configuration
        change(&configuration)
        return try await Rules(configuration, hooks: GatewayHooks())
    }

    /// What one turn of a loop sees does not change under it, and what comes later sees the new rules.
    @Test func aLoopChangesOverBetweenItsTurns() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let inForce = RulesInForce(try await self.rules(), eventLoops: [loop])
        let second = try await self.rules { $0.events.payloadFormat = .envelope }
        let (before, after) = try await loop.submit {
            let before = inForce.value(on: loop).version
            Task { await inForce.replace(by: second) }
            // The turn goes on until another thread has replaced the rules.
            while inForce.value.version == 1 {}
            return (before, inForce.value(on: loop).version)
        }.get()
        #expect(before == 1)
        #expect(after == 1)
        #expect(inForce.value(on: loop).version == 2, "Who is not on the loop sees the newest rules")
        let old = await inForce.replace(by: second)
        #expect(old.version == 2)
        let seen = try await loop.submit { inForce.value(on: loop) }.get()
        #expect(seen.version == 3)
        #expect(seen.content.payloadFormat == .envelope)
    }

    /// Many replacements at once: every loop ends with the same rules, those with the highest number.
    @Test func everyLoopEndsWithTheNewestRules() async throws {
        let loops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator().prefix(4))
        let first = try await self.rules()
        let inForce = RulesInForce(first, eventLoops: loops)
        let count = 50
        let replaced = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<count { group.addTask { await inForce.replace(by: first).version } }
            return await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        // Each replaced another one's, so nobody's rules were lost between two readings.
        #expect(replaced == Set(1...count))
        #expect(inForce.value.version == count + 1)
        for loop in loops {
            let version = try await loop.submit { inForce.value(on: loop).version }.get()
            #expect(version == count + 1)
        }
    }

    /// A loop that is none of the server's, such as a test's, goes by the newest rules.
    @Test func strangersSeeTheNewestRules() async throws {
        let stranger = NIOAsyncTestingEventLoop()
        let first = try await self.rules()
        let inForce = RulesInForce(first, eventLoops: [])
        await inForce.replace(by: first)
        #expect(try await stranger.executeInContext { inForce.value(on: stranger).version } == 2)
        await stranger.shutdownGracefully()
    }
}
