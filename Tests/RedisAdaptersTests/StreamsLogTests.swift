import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters

/// A stream as the log of events: one order for all, and never a wait for longer than a moment.
@Suite(.timeLimit(.minutes(1)))
struct StreamsLogTests {
    @Test func everyNodeSeesOneOrder() async throws {
        try await LogCluster.run { cluster in
            cluster[0].publish("a")
            cluster[1].publish("b")
            cluster[0].publish("c")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own 1000-1 a", "got 1000-2 42[\"b\"]", "own 1000-3 c"])
            #expect(cluster[1].host.lines == ["got 1000-1 42[\"a\"]", "own 1000-2 b", "got 1000-3 42[\"c\"]"])
        }
    }

    /// The log begins behind an entry that is there, so that a client without an event has a place to come back to.
    @Test func logBeginsBehindAnEntry() async throws {
        let cluster = try LogCluster(2)
        try await cluster[0].adapter.start()
        #expect(cluster[0].host.lines == ["begins first 1000-0"])
        cluster[0].publish("a")
        await cluster.settle()
        try await cluster[1].adapter.start()
        #expect(cluster[1].host.lines == ["begins first 1000-1"])
        // Official nodes skip what has no namespace, and so do these.
        #expect(cluster.redis.entries(of: "socket.io").map(\.fields.count) == [1, 4])
        for node in cluster.nodes { await node.adapter.close() }
    }

    @Test func placeIsKnownBeforeTheReply() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.mute("A")
            cluster[0].publish("a")
            cluster[0].publish("b")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own 1000-1 a", "own 1000-2 b"])
            cluster.redis.mute("A", false)
            await cluster.advance(by: 1_000)
            #expect(cluster[0].host.lines.count == 2)
        }
    }

    @Test func nobodyWaitsForLong() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.stop("A")
            cluster[0].publish("a")
            await cluster.advance(by: 100)
            cluster[0].publish("b")
            await cluster.advance(by: 149)
            #expect(cluster[0].host.lines == [])
            await cluster.advance(by: 1)
            #expect(cluster[0].host.lines == ["own - a"])
            await cluster.advance(by: 100)
            #expect(cluster[0].host.lines == ["own - a", "own - b"])
            // They are in the stream all the same.
            cluster.redis.stop("A", false)
            cluster[0].publish("c")
            await cluster.settle()
            #expect(
                cluster[0].host.lines.dropFirst(2)
                    == ["late 1000-1 42[\"a\"]", "late 1100-0 42[\"b\"]", "own 1350-0 c"]
            )
            #expect(
                cluster[1].host.lines
                    == ["got 1000-1 42[\"a\"]", "got 1100-0 42[\"b\"]", "got 1350-0 42[\"c\"]"]
            )
        }
    }

    @Test func refusedEventIsDeliveredAtOnce() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.refuse("XADD", with: RESPError(reply: "OOM command not allowed"))
            cluster[0].publish("a")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own - a"])
            cluster.redis.refuse("XADD", with: nil)
            // The queue is full.
            cluster.redis.refuse("keep", with: RESPError(code: .queueFull, message: "full"))
            cluster[0].publish("b")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own - a", "own - b"])
            #expect(cluster[1].host.lines == [])
        }
    }

    @Test func nobodyWaitsForARedisThatIsAway() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.lose("A")
            cluster[0].publish("a")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own - a"])
            cluster[1].publish("b")
            await cluster.settle()
            cluster.redis.restore("A")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own - a", "got 1000-1 42[\"b\"]", "late 1000-2 42[\"a\"]"])
            #expect(cluster[1].host.lines == ["own 1000-1 b", "got 1000-2 42[\"a\"]"])
            // Nothing was missed, and nobody is told so.
            #expect(cluster[0].host.gaps == 0)
        }
    }

    @Test func lostReplyIsNoReasonToWait() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.stop("A")
            cluster.redis.mute("A")
            cluster[0].publish("a")
            cluster.redis.loseReplies(of: "A")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own - a"])
            cluster.redis.stop("A", false)
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own - a", "late 1000-1 42[\"a\"]"])
        }
    }

    /// Volatile events, questions and commands have no place in the log.
    @Test func whatStandsNowhere() async throws {
        try await LogCluster.run { cluster in
            cluster[0].adapter.publish(LogCluster.Node.broadcast("v", volatile: true))
            cluster[0].adapter.addSockets(BroadcastOptions(), rooms: ["r"])
            cluster[0].adapter.serverSideEmit(["s"])
            cluster[0].publish("a")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own 1000-3 a"])
            #expect(
                Set(cluster[1].host.lines)
                    == ["got - 42[\"v\"]", "joins [r]", "serverside [\"s\"]", "got 1000-3 42[\"a\"]"]
            )
        }
    }

    // MARK: How far

    private static func neighbour(_ redis: InProcessStreams) {
        let event = #"{"packet":{"type":2,"data":["x"]},"opts":{"rooms":[],"except":[],"flags":{}}}"#
        redis.add(["uid", "x", "nsp", "/neighbour", "type", "3", "data", event])
    }

    /// A namespace hears now and then how far the stream was read, also while it is others' events that are read.
    @Test func quietNamespaceHearsHowFarItsStreamWasRead() async throws {
        try await LogCluster.run(1) { cluster in
            #expect(cluster[0].host.reached == nil)
            for _ in 0..<3 { Self.neighbour(cluster.redis) }
            await cluster.settle()
            // Not with each entry.
            #expect(cluster[0].host.reached == nil)
            await cluster.advance(by: 1_000)
            #expect(cluster[0].host.reached == "1000-3")
            // While nothing is read, nothing is told.
            await cluster.advance(by: 60_000)
            Self.neighbour(cluster.redis)
            await cluster.advance(by: 999)
            #expect(cluster[0].host.reached == "1000-3")
            await cluster.advance(by: 1)
            #expect(cluster[0].host.reached == "62000-0")
            #expect(cluster[0].host.lines == [])
        }
    }

    /// What is missing stands before the next entry that is read: until then nobody is told that nothing is missing.
    @Test func placeBeforeAGapIsNotTold() async throws {
        try await LogCluster.run(1) { cluster in
            Self.neighbour(cluster.redis)
            await cluster.settle()
            cluster.redis.lose("A")
            cluster.redis.stop("A")
            for _ in 0..<5 { Self.neighbour(cluster.redis) }
            cluster.redis.trim("socket.io", keeping: 2)
            cluster.redis.restore("A")
            await cluster.advance(by: 3_000)
            #expect(cluster[0].host.gaps > 0)
            #expect(cluster[0].host.reached == nil)
            cluster.redis.stop("A", false)
            await cluster.advance(by: 3_000)
            #expect(cluster[0].host.reached == "1000-6")
        }
    }

    // MARK: With an answer

    private func publish(
        _ node: LogCluster.Node,
        _ policy: UnreachablePolicy,
        _ cluster: LogCluster,
        _ actions: [ClusterOperation.Action] = [.emit(["a"]), .join(["r"]), .emit(["b"])]
    ) async -> PublishOutcome {
        let operations = actions.map { ClusterOperation($0, options: BroadcastOptions()) }
        let host = node.host
        return await node.adapter.publish(operations, whileUnreachable: policy, timeout: .seconds(2)) { index, offset in
            host.note("own \(LogHost.text(offset)) #\(index)")
        }
    }

    @Test(arguments: UnreachablePolicy.allCases) func outcome(_ policy: UnreachablePolicy) async throws {
        try await LogCluster.run { cluster in
            #expect(await self.publish(cluster[0], policy, cluster) == .published)
            await cluster.settle()
            #expect(cluster[0].host.lines == ["own 1000-1 #0", "own 1000-3 #2"])
            #expect(cluster[1].host.lines == ["got 1000-1 42[\"a\"]", "joins [r]", "got 1000-3 42[\"b\"]"])

            cluster.redis.refuse("XADD", with: RESPError(reply: "OOM command not allowed"))
            let refused = await self.publish(cluster[0], policy, cluster)
            #expect(refused == .refused(reason: "OOM command not allowed"))
            await cluster.advance(by: 3_000)
            #expect(cluster[0].host.lines.count == 2)
            cluster.redis.refuse("XADD", with: nil)

            cluster.redis.lose("A")
            let away = await self.publish(cluster[0], policy, cluster)
            switch policy {
            case .queue:
                #expect(away == .queued)
                await cluster.settle()
                #expect(cluster[0].host.lines.suffix(2) == ["own - #0", "own - #2"])
            case .refuse:
                #expect(!away.isAccepted)
                await cluster.advance(by: 3_000)
                #expect(cluster[0].host.lines.count == 2)
            }
            cluster.redis.restore("A")
            await cluster.settle()
            #expect(cluster[1].host.lines.count == (policy == .queue ? 6 : 3))
        }
    }

    /// The connection broke before Redis answered: nobody knows, so this node's clients get it like everybody else may.
    @Test func lostReplyIsUnconfirmed() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.mute("A")
            cluster.redis.stop("A")
            let outcome = Task { await self.publish(cluster[0], .queue, cluster, [.emit(["a"])]) }
            while cluster.redis.entries(of: "socket.io").count < 2 { await Task.yield() }
            await cluster.settle()
            cluster.redis.loseReplies(of: "A")
            await cluster.settle()
            #expect(await outcome.value == .unconfirmed(reason: "lost before the reply"))
            await cluster.advance(by: 250)
            #expect(cluster[0].host.lines == ["own - #0"])
        }
    }

    /// A reply that does not come keeps nobody waiting, and is not taken for one.
    @Test func silence() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.mute("A")
            cluster.redis.stop("A")
            let outcome = Task { await self.publish(cluster[0], .queue, cluster, [.emit(["a"])]) }
            while cluster.redis.entries(of: "socket.io").count < 2 { await Task.yield() }
            await cluster.settle()
            await cluster.advance(by: 250)
            #expect(cluster[0].host.lines == ["own - #0"])
            await cluster.advance(by: 1_750)
            #expect(await outcome.value == .queued)
        }
    }
}
