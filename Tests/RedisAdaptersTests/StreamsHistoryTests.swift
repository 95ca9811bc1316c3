import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What clients have missed is told in full, or not at all.
@Suite(.timeLimit(.minutes(1)))
struct StreamsHistoryTests {
    private static func offset(_ text: String) throws -> EventOffset { try #require(EventOffset(text)) }

    private func read(
        _ node: LogCluster.Node,
        _ start: String,
        _ end: String,
        limit: Int = 100
    ) async throws -> EventPage? {
        try await node.adapter.events(after: Self.offset(start), through: Self.offset(end), limit: limit)
    }

    private func texts(_ page: EventPage?) -> [String]? {
        page?.events.map { "\($0.offset.text) \(String(buffer: $0.packet.text))" }
    }

    @Test func missedEventsAreRead() async throws {
        try await LogCluster.run { cluster in
            for name in ["a", "b", "c"] { cluster[0].publish(name) }
            cluster[0].adapter.publish(LogCluster.Node.broadcast("v", volatile: true))
            cluster[0].adapter.delSockets(BroadcastOptions(), rooms: ["r"])
            let data = #"{"packet":{"type":2,"data":["ack"],"id":7},"opts":{"rooms":[],"except":[],"flags":{}}}"#
            for namespace in ["/", "/other"] {
                cluster.redis.add(["uid", "x", "nsp", namespace, "type", "3", "data", data])
            }
            cluster[1].publish("d")
            await cluster.settle()
            let page = try await self.read(cluster[1], "1000-0", "1000-8")
            #expect(
                self.texts(page)
                    == [
                        "1000-1 42[\"a\"]", "1000-2 42[\"b\"]", "1000-3 42[\"c\"]", "1000-8 42[\"d\"]",
                    ]
            )
            #expect(page?.end.text == "1000-8")
            try await #expect(self.texts(self.read(cluster[1], "1000-1", "1000-2")) == ["1000-2 42[\"b\"]"])
            // Some at a time.
            var seen: [String] = []
            var place = "1000-0"
            while place != "1000-8" {
                let page = try #require(try await self.read(cluster[0], place, "1000-8", limit: 3))
                seen += self.texts(page) ?? []
                #expect(page.end.text != place)
                place = page.end.text
            }
            #expect(seen == self.texts(page))
        }
    }

    /// What may be missing behind a place, and what is certainly not.
    @Test func whatIsGoneIsTold() async throws {
        try await LogCluster.run { cluster in
            for number in 0..<6 { cluster[0].publish("\(number)") }
            await cluster.settle()
            cluster.redis.trim("socket.io", keeping: 4)
            try await #expect(self.read(cluster[1], "1000-1", "1000-6") == nil)
            try await #expect(self.read(cluster[1], "1000-2", "1000-6")?.events.count == 4)
            try await #expect(self.read(cluster[1], "1000-3", "1000-6")?.events.count == 3)
            // What was never there.
            try await #expect(self.read(cluster[1], "2000-0", "2000-1") == nil)
            cluster.redis.execute("somebody", "XDEL", "socket.io", "1000-5")
            try await #expect(self.read(cluster[1], "1000-4", "1000-6") == nil)
            try await #expect(self.read(cluster[1], "1000-5", "1000-6")?.events.count == 1)
            cluster.redis.flush()
            try await #expect(self.read(cluster[1], "1000-5", "1000-6") == nil)
            cluster.redis.advance(by: 10)
            cluster[0].publish("after")
            await cluster.settle()
            try await #expect(self.read(cluster[1], "1000-6", "1010-0") == nil)
            cluster[0].publish("again")
            try await #expect(self.read(cluster[1], "1010-0", "1010-1")?.events.count == 1)
        }
    }

    /// A copy without the last entries was promoted: the same ids may mean something else.
    @Test func anotherHistory() async throws {
        try await LogCluster.run { cluster in
            cluster[0].publish("a")
            cluster[0].publish("b")
            await cluster.settle()
            cluster.redis.becomeAnother("second")
            try await #expect(self.read(cluster[1], "1000-1", "1000-2") == nil)
            await cluster.settle()
            #expect(cluster[1].host.lines.last == "begins second 1000-2")
            #expect(cluster[1].host.gaps == 1)
            // From then on it is the history.
            try await #expect(self.read(cluster[1], "1000-1", "1000-2")?.events.count == 1)
            // The other one finds out when its connection is back.
            cluster.redis.lose("A")
            cluster.redis.restore("A")
            await cluster.settle()
            #expect(cluster[0].host.lines.last == "begins second 1000-2")
        }
    }

    /// Redis has lost everything, and its clock is behind: what is added then stands before what was read.
    @Test func streamThatBeginsAnew() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.advance(by: 5_000)
            cluster[0].publish("a")
            await cluster.settle()
            cluster.redis.flush()
            cluster.redis.state.withLockedValue { $0.milliseconds = 10 }
            // Nobody has noticed: the first event finds out, and is not lost to this node.
            cluster[0].publish("b")
            await cluster.settle()
            #expect(cluster[0].host.lines.contains("own - b"))
            #expect(cluster[0].host.lines.contains("begins first 10-0 10-0"))
            #expect(cluster[0].host.gaps == 1)
            cluster[0].publish("c")
            await cluster.settle()
            #expect(cluster[0].host.lines.last == "own 10-1 c")
            // The others find out with their own, or when the connection is back.
            cluster.redis.lose("B")
            cluster.redis.restore("B")
            await cluster.settle()
            cluster[0].publish("d")
            await cluster.settle()
            #expect(cluster[1].host.lines.last == "got 10-2 42[\"d\"]")
        }
    }

    /// A copy that lags was promoted: several streams end before what was read, and the node notices all at once.
    @Test func severalStreamsThatBeginAnew() async throws {
        try await LogCluster.run(1, streamCount: 3) { cluster in
            func addEverywhere() {
                for stream in StreamName("socket.io", count: 3).allStreams {
                    cluster.redis.execute("x", "XADD", stream, "*", "anchor", "x")
                }
            }
            addEverywhere()
            await cluster.settle()
            cluster.redis.lose("A")
            cluster.redis.flush()
            cluster.redis.state.withLockedValue { $0.milliseconds = 10 }
            addEverywhere()
            cluster.redis.restore("A")
            await cluster.settle()
            #expect(cluster[0].host.gaps == 1)
            #expect(cluster[0].host.lines == ["begins first 10-0 10-0"])
            cluster[0].publish("a")
            await cluster.settle()
            #expect(cluster[0].host.lines.last == "own 10-1 a")
        }
    }

    /// A node that was away for so long that entries were trimmed which it has not read.
    @Test func nodeThatWasAwayForTooLong() async throws {
        try await LogCluster.run { cluster in
            cluster.redis.lose("B")
            for number in 0..<6 { cluster[0].publish("\(number)") }
            await cluster.settle()
            cluster.redis.trim("socket.io", keeping: 3)
            cluster.redis.restore("B")
            await cluster.settle()
            #expect(cluster[1].host.gaps == 1)
            #expect(cluster[1].host.lines.count == 3)
            // One that was away for a moment has missed nothing.
            cluster.redis.lose("B")
            cluster[0].publish("a")
            await cluster.settle()
            cluster.redis.restore("B")
            await cluster.settle()
            #expect(cluster[1].host.gaps == 1)
            #expect(cluster[1].host.lines.last?.hasSuffix("42[\"a\"]") == true)
        }
    }

    /// A reader that falls behind looks whether the stream was faster.
    @Test func readerThatIsTooSlow() async throws {
        try await LogCluster.run(readCount: 2) { cluster in
            cluster.redis.stop("B")
            for number in 0..<6 { cluster[0].publish("\(number)") }
            await cluster.settle()
            cluster.redis.stop("B", false)
            await cluster.settle()
            #expect(cluster[1].host.gaps == 0)
            #expect(cluster[1].host.lines.count == 6)
            cluster.redis.stop("B")
            for number in 0..<6 { cluster[0].publish("\(number)") }
            await cluster.settle()
            cluster.redis.trim("socket.io", keeping: 3)
            cluster.redis.stop("B", false)
            await cluster.settle()
            #expect(cluster[1].host.gaps > 0)
            #expect(cluster[1].host.lines.count == 9)
        }
    }
}
