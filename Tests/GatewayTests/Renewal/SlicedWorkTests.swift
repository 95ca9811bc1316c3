import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOPosix
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct SlicedWorkTests {
    /// The loop gets other things done between slices, and no slice goes on after the element with which its time ends.
    @Test func othersHaveTheirTurnBetweenSlices() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let clock = NIOLockedValueBox(NIODeadline.now())
        let log = NIOLockedValueBox<[String]>([])
        let now: @Sendable () -> NIODeadline = { clock.withLockedValue { $0 } }
        let work = SlicedWork(Array(1...7), 0, on: loop, slice: .milliseconds(1), now: now) { element, sum in
            clock.withLockedValue { $0 = $0 + .microseconds(400) }
            log.withLockedValue { $0.append("\(element)") }
            sum += element
            // What is asked of the loop in a slice is done before the next slice.
            if element == 2 { loop.execute { log.withLockedValue { $0.append("other") } } }
        }
        let sum = try await work.run().get()
        #expect(sum == 28)
        #expect(log.withLockedValue { $0 } == ["1", "2", "3", "other", "4", "5", "6", "7"])
    }

    @Test func noWorkIsDoneAtOnce() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let work = SlicedWork([Int](), "nothing", on: loop, slice: .zero) { _, _ in }
        #expect(try await work.run().get() == "nothing")
    }

    /// Ten thousand sockets of a few roles: the rules are compared once for a role, not once for a socket.
    @Test func rolesAreComparedOnce() async throws {
        let old = try await Rules(Samples.configuration, hooks: GatewayHooks())
        var configuration = Samples.configuration
        configuration.roles[1].scopes = Samples.scopes("\(Samples.author).find")
        let new = try await Rules(configuration, hooks: GatewayHooks()).numbered(2)
        var judge = SocketJudge(from: old, to: new, now: 500)
        var asked = 0
        for number in 0..<10_000 {
            var record = PrincipalRecord(kind: .user)
            record.userID = .int(number)
            record.role = number % 2 == 0 ? "authenticated" : "editor"
            let verdict = judge.judge(
                .init(record: record, own: "own"),
                rooms: {
                    asked += 1
                    return [RoomName.role("authenticated"), RoomName.user(.int(number))]
                },
                owners: { _, _ in nil }
            )
            guard number % 2 == 0 else {
                #expect(verdict == .unchanged)
                continue
            }
            #expect(verdict == .changed(SocketChange(removed: ["api::article.article.*"])))
        }
        #expect(asked == 5_000, "Nobody looks at the rooms of those whom nothing concerns")
    }
}
