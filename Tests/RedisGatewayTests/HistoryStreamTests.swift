import Gateway
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisTestSupport
import SocketIOServer
import Testing

@testable import RedisGateway

/// Histories in streams of a real Redis.
@Suite(.timeLimit(.minutes(2)), .serialized)
struct HistoryStreamTests {
    /// One node's view of the histories.
    private final class Node: Sendable {
        let client: RESPClient
        let store: any EventHistory
        private let signals: AsyncStream<HistorySignal>
        private let subscription: SignalSubscription

        init(_ server: RedisServer) async throws {
            self.client = RESPClient(configuration: try RESPConfiguration(url: "redis://127.0.0.1:\(server.port)"))
            try await self.client.connect()
            self.store = RedisSharing(client: self.client, prefix: "app").sharing.history
            let (signals, continuation) = AsyncStream<HistorySignal>.makeStream()
            self.signals = signals
            self.subscription = self.store.receive { continuation.yield($0) }
        }

        func append(_ addition: HistoryAddition) async throws {
            try await withCheckedThrowingContinuation { continuation in
                self.store.append(addition) { continuation.resume(with: $0.mapError { $0 as any Error }) }
            }
        }

        func add(_ texts: [String], to streams: HistoryAddition.Stream...) async throws {
            for text in texts { try await self.append(HistoryStreamTests.addition(text, to: streams)) }
        }

        /// The next additions that it hears of.
        func next(_ count: Int) async -> [HistorySignal] {
            var heard: [HistorySignal] = []
            for await signal in self.signals {
                heard.append(signal)
                if heard.count == count { break }
            }
            return heard
        }

        func position(_ stream: HistoryAddition.Stream) async throws -> HistoryPosition {
            try await self.store.read(HistoryQuestion(stream, limit: 1)).position
        }

        /// `["b", "c"]`, or the reason why not.
        func read(
            _ stream: HistoryAddition.Stream,
            since: HistoryPosition? = nil,
            _ extent: HistoryQuestion.Extent = .whole,
            limit: Int = 100,
            bytes: Int = 1_000
        ) async throws -> [String] {
            let answer = try await self.store.read(
                HistoryQuestion(stream, since: since, extent: extent, limit: limit, maximumBytes: bytes)
            )
            if let loss = answer.loss { return ["!\(loss.rawValue)"] }
            return answer.events.map { String(buffer: $0.message) } + (answer.hasMore ? ["…"] : [])
        }
    }

    private static func stream(
        _ name: String = "room:é\na",
        size: Int = 3,
        ttl: Int = 60_000,
        mark: String? = nil
    ) -> HistoryAddition.Stream {
        .init(name: name, retention: HistoryRetention(size: size, ttl: .milliseconds(ttl)), mark: mark)
    }

    private static func addition(_ text: String, to streams: [HistoryAddition.Stream]) -> HistoryAddition {
        HistoryAddition(id: text, streams: streams, message: ByteBuffer(string: text))
    }

    private func run(_ arguments: [String] = [], _ body: (RedisServer, Node, Node) async throws -> Void) async throws {
        let server = try await RedisServer.start(arguments: arguments)
        let nodes = (try await Node(server), try await Node(server))
        do {
            try await body(server, nodes.0, nodes.1)
        } catch {
            server.stop()
            throw error
        }
        await nodes.0.client.close()
        await nodes.1.client.close()
        server.stop()
    }

    @Test func allNodesHearOfEventsInTheOrderOfTheirPlaces() async throws {
        try await self.run { _, one, two in
            let (a, b) = (Self.stream("a"), Self.stream("b"))
            #expect(await one.next(1) == [.gap])
            #expect(await two.next(1) == [.gap])
            try await one.add(["1", "2"], to: a, b)
            try await two.add(["3"], to: a)
            let positions = (try await one.position(a), try await two.position(b))
            #expect(positions.0.offset == 3)
            #expect(positions.1.offset == 2)
            func place(_ offset: Int, of top: HistoryPosition) -> HistoryPosition {
                HistoryPosition(offset: offset, epoch: top.epoch)
            }
            for node in [one, two] {
                let heard = await node.next(3)
                #expect(
                    heard == [
                        .added([place(1, of: positions.0), place(1, of: positions.1)], ByteBuffer(string: "1")),
                        .added([place(2, of: positions.0), place(2, of: positions.1)], ByteBuffer(string: "2")),
                        .added([place(3, of: positions.0)], ByteBuffer(string: "3")),
                    ]
                )
            }
        }
    }

    @Test func everythingBehindAPositionIsThereOrNothing() async throws {
        try await self.run { _, one, two in
            let stream = Self.stream()
            let start = try await one.position(stream)
            #expect(start.offset == 0)
            #expect(try await two.position(stream) == start)
            try await one.add(["a"], to: stream)
            let first = try await two.position(stream)
            try await two.add(["b", "c"], to: stream)
            #expect(try await two.read(stream, since: start) == ["a", "b", "c"])
            #expect(try await two.read(stream, since: first) == ["b", "c"])
            #expect(try await two.read(stream, since: first, limit: 1) == ["!too many"])
            #expect(try await two.read(stream, since: first, bytes: 1) == ["!too many"])
            #expect(try await two.read(stream, .page, limit: 2) == ["b", "c"])
            #expect(try await two.read(stream, since: start, .page, limit: 2) == ["a", "b", "…"])
            #expect(try await two.read(stream, since: start, .page, bytes: 0) == ["a", "…"])
            try await one.add(["d"], to: stream)
            #expect(try await one.read(stream, since: start) == ["!trimmed"])
            #expect(try await one.read(stream, since: first) == ["b", "c", "d"])
            #expect(try await one.read(stream, since: .init(offset: 5, epoch: first.epoch)) == ["!epoch"])
            #expect(try await one.read(stream, since: .init(offset: 2, epoch: "other")) == ["!epoch"])
            // Somebody has removed one in the middle.
            let ids = try await one.client.send("XRANGE", .string("app-gateway:history:\(stream.name)"), "-", "+")
            let middle = try #require(ids.arrayValue?[1].arrayValue?[0].stringValue)
            _ = try await one.client.send("XDEL", .string("app-gateway:history:\(stream.name)"), .string(middle))
            #expect(try await one.read(stream, since: first) == ["!trimmed"])
        }
    }

    @Test func aHistoryThatWasLostHasAnotherEpoch() async throws {
        try await self.run(["--enable-debug-command", "yes"]) { server, one, _ in
            let stream = Self.stream()
            for command in [["DEL", "app-gateway:history:\(stream.name)"], ["FLUSHALL"]] {
                try await one.add(["a"], to: stream)
                let position = try await one.position(stream)
                _ = try await one.client.send(RESPCommand(words: command))
                #expect(try await one.read(stream, since: position) == ["!epoch"])
                try await one.add(["b", "c"], to: stream)
                #expect(try await one.read(stream, since: position) == ["!epoch"])
            }
            // Another Redis, or the same with older data, has another replication id.
            let position = try await one.position(stream)
            _ = try await one.client.send(RESPCommand(words: ["DEBUG", "CHANGE-REPL-ID"]))
            #expect(try await one.read(stream, since: position) == ["!epoch"])
        }
    }

    @Test func timeTakesEvents() async throws {
        try await self.run { _, one, _ in
            let stream = Self.stream(ttl: 1_000)
            let start = try await one.position(stream)
            try await one.add(["a"], to: stream)
            #expect(try await one.read(stream, since: start) == ["a"])
            let key = "app-gateway:history:\(stream.name)"
            let left = try #require(try await one.client.send("PTTL", .string(key)).integerValue)
            #expect((1...1_000).contains(left))
            // An old event in a history that lives.
            _ = try await one.client.send("DEL", .string(key))
            _ = try await one.client.send("XADD", .string(key), "7-1", "t", "1000", "i", "x", "m", "old")
            try await one.add(["b"], to: stream)
            let top = try await one.position(stream)
            #expect(top.offset == 2)
            #expect(try await one.read(stream, .page) == ["b"])
            #expect(try await one.read(stream, since: .init(offset: 0, epoch: top.epoch)) == ["!trimmed"])
            #expect(try await one.read(stream, since: .init(offset: 1, epoch: top.epoch)) == ["b"])
        }
    }

    @Test func whatIsMissingMakesPositionsWorthless() async throws {
        try await self.run { _, one, _ in
            let (number, text) = (Self.stream("1", mark: "n"), Self.stream("2", mark: "t"))
            #expect(await one.next(1) == [.gap])
            try await one.add(["a"], to: number, text)
            let positions = (try await one.position(number), try await one.position(text))
            var marked = Self.addition("b", to: [number])
            marked.marks = ["t"]
            try await one.append(marked)
            #expect(try await one.read(number, since: positions.0) == ["b"])
            #expect(try await one.read(text, since: positions.1) == ["!epoch"])
            var dropped = Self.addition("c", to: [number])
            dropped.isKept = false
            try await one.append(dropped)
            #expect(try await one.read(number, since: positions.0) == ["!epoch"])
            let later = (try await one.position(number), try await one.position(text))
            var all = HistoryAddition(id: "", streams: [], message: ByteBuffer())
            all.marksEverything = true
            try await one.append(all)
            #expect(try await one.read(number, since: later.0) == ["!epoch"])
            #expect(try await one.read(text, since: later.1) == ["!epoch"])
            // What is added after that has the epoch that readers are told.
            #expect(await one.next(2).count == 2)
            try await one.add(["d"], to: text)
            let top = try await one.position(text)
            #expect(await one.next(1) == [.added([top], ByteBuffer(string: "d"))])
        }
    }

    @Test func whatWasAddedBeforeIsNotAddedAgain() async throws {
        try await self.run { _, one, _ in
            let stream = Self.stream()
            let start = try await one.position(stream)
            try await one.add(["a"], to: stream)
            var again = Self.addition("a", to: [stream])
            again.isRepeated = true
            try await one.append(again)
            #expect(try await one.read(stream, since: start) == ["a"])
        }
    }

    @Test func aKeyOfAnotherKindIsAnErrorAndWhoIsCutOffHearsOfAGap() async throws {
        try await self.run { server, one, two in
            let stream = Self.stream()
            _ = try await one.client.send("SET", .string("app-gateway:history:\(stream.name)"), "x")
            await #expect(throws: ClusterError.self) { try await one.position(stream) }
            await #expect(throws: ClusterError.self) { try await one.add(["a"], to: stream) }
            #expect(await two.next(1) == [.gap])
            _ = try await one.client.send("CLIENT", "KILL", "TYPE", "pubsub")
            #expect(await two.next(1) == [.gap])
            server.stop()
            await #expect(throws: ClusterError.self) { try await one.position(stream) }
            await #expect(throws: ClusterError.self) { try await one.add(["a"], to: stream) }
        }
    }

    /// The first use of a script sends its text, and all that is started before the answer stays in order.
    @Test func additionsStayInTheOrderOfTheCalls() async throws {
        try await self.run { _, one, _ in
            let stream = Self.stream(size: 1_000)
            let start = try await one.position(stream)
            try await one.add(["0"], to: stream)
            let texts = (1...500).map { "\($0)" }
            for text in texts { one.store.append(Self.addition(text, to: [stream])) { _ in } }
            try await one.add(["501"], to: stream)
            let read = try await one.read(stream, since: start, limit: 1_000, bytes: 100_000)
            #expect(read == ["0"] + texts + ["501"])
        }
    }
}
