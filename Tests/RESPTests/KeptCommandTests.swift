import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import RESP

/// Commands that wait for Redis as publishes do, and commands that leave together.
@Suite(.timeLimit(.minutes(1)))
struct KeptCommandTests {
    let redis = FakeRedis()
    private let lines = NIOLockedValueBox<[String]>([])

    private var taken: [String] {
        self.lines.withLockedValue { lines in
            defer { lines = [] }
            return lines
        }
    }

    private func connect(_ configuration: RESPConfiguration = RESPConfiguration()) throws -> RESPClient {
        let client = self.redis.makeClient(configuration)
        _ = client.connected()
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello)
        #expect(client.isReady)
        return client
    }

    private func reconnect(_ index: Int) throws {
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(index)
        try self.redis.reply(index, FakeRedis.hello)
    }

    @discardableResult
    private func add(_ client: RESPClient, _ text: String, resends: Bool = false) throws -> RESPClient.PublishStatus {
        try client.keep(RESPCommand("XADD", "s", "*", "f", .string(text)), resends: resends) { [lines] outcome in
            let line =
                switch outcome {
                case .replied(let value): "\(text) \(value.stringValue ?? "")"
                case .refused(let error): "\(text) refused \(error.serverCode ?? "")"
                case .unconfirmed: "\(text) unconfirmed"
                case .dropped(let error): "\(text) dropped \(error.code)"
                }
            lines.withLockedValue { $0.append(line) }
        }
    }

    private func words(_ index: Int) throws -> [String] {
        try self.redis.commands(index).map { "\($0[0]) \($0.last ?? "")" }
    }

    @Test func repliesComeInOrderAfterOneWrite() throws {
        let client = try self.connect()
        #expect(try self.add(client, "1") == .sent)
        try client.publish(channel: "c", message: ByteBuffer(string: "2"))
        #expect(try self.add(client, "3") == .sent)
        #expect(try self.redis.writes(0) == 1)
        try self.redis.reply(0, "$3\r\n1-0\r\n:0\r\n-OOM no\r\n")
        #expect(self.taken == ["1 1-0", "3 refused OOM"])
    }

    @Test func waitsWithPublishesInOrder() throws {
        let client = try self.connect()
        self.redis.drop(0)
        try client.publish(channel: "c", message: ByteBuffer(string: "1"))
        #expect(try self.add(client, "2") == .queued)
        try client.publish(channel: "c", message: ByteBuffer(string: "3"))
        #expect(try self.add(client, "4") == .queued)
        try self.reconnect(1)
        #expect(try self.words(1) == ["PUBLISH 1", "XADD 2", "PUBLISH 3", "XADD 4"])
        try self.redis.reply(1, ":0\r\n$3\r\n1-0\r\n:0\r\n$3\r\n2-0\r\n")
        #expect(self.taken == ["2 1-0", "4 2-0"])
    }

    /// Lost before the reply: given up or sent again, as its owner wants it, before all that came later.
    @Test func whatMayBeExecutedTwiceIsSentAgain() throws {
        let client = try self.connect()
        let dropped = NIOLockedValueBox(0)
        client.onPublishesDropped { count, _ in dropped.withLockedValue { $0 += count } }
        try self.add(client, "0", resends: true)
        self.redis.loop.run()
        _ = client.flushed(timeout: nil)
        try self.add(client, "1", resends: true)
        try self.add(client, "2")
        try client.publish(channel: "c", message: ByteBuffer(string: "3"))
        try self.add(client, "4", resends: true)
        self.redis.loop.run()
        try self.redis.reply(0, "$3\r\n1-0\r\n")
        self.redis.drop(0)
        #expect(self.taken == ["0 1-0", "2 unconfirmed"])
        #expect(dropped.withLockedValue { $0 } == 2)
        try self.add(client, "5")
        try self.reconnect(1)
        #expect(try self.words(1) == ["XADD 1", "XADD 4", "XADD 5"])
        try self.redis.reply(1, "$3\r\n2-0\r\n$3\r\n2-1\r\n$3\r\n2-2\r\n")
        #expect(self.taken == ["1 2-0", "4 2-1", "5 2-2"])
        // Nothing is left on the books.
        #expect(client.shared.withLockedValue { $0.queue.waiting } == [0, 0])
    }

    @Test func whatRedisDoesNotExecuteNowWaits() throws {
        let client = try self.connect()
        try self.add(client, "1")
        try client.publish(channel: "c", message: ByteBuffer(string: "2"))
        self.redis.loop.run()
        try self.redis.reply(0, "-LOADING x\r\n-LOADING x\r\n")
        #expect(self.taken == [])
        #expect(!client.isReady)
        try self.add(client, "3")
        self.redis.advance(.seconds(1))
        #expect(try self.words(0) == ["XADD 1", "PUBLISH 2", "PING PING"])
        try self.redis.reply(0, "+PONG\r\n")
        #expect(try self.words(0) == ["XADD 1", "PUBLISH 2", "XADD 3"])
    }

    @Test func isDroppedWhenItIsTooOldOrTheClientIsClosed() throws {
        var configuration = RESPConfiguration()
        configuration.queue.maximumAge = .seconds(10)
        let client = try self.connect(configuration)
        try self.add(client, "0")
        self.redis.loop.run()
        self.redis.drop(0)
        #expect(self.taken == ["0 unconfirmed"])
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        try self.add(client, "1")
        self.redis.advance(.seconds(30))
        #expect(self.taken == ["1 dropped disconnected"])
        try self.add(client, "2")
        try self.add(client, "3", resends: true)
        let closed = client.closed()
        self.redis.loop.run()
        try closed.wait()
        #expect(self.taken == ["2 dropped closed", "3 dropped closed"])
        #expect(throws: RESPError.self) { try self.add(client, "4") }
        #expect(self.taken == [])
    }

    @Test func countsAgainstTheQueuesBounds() throws {
        var configuration = RESPConfiguration()
        configuration.queue.maximumBytes = 100
        let client = try self.connect(configuration)
        self.redis.drop(0)
        try self.add(client, "1")
        let error = #expect(throws: RESPError.self) { try self.add(client, String(repeating: "x", count: 60)) }
        #expect(error?.code == .queueFull)
    }

    // MARK: Together

    @Test func transactions() throws {
        let client = try self.connect()
        func transaction(_ reply: String) throws -> String {
            let box = NIOLockedValueBox<String>("")
            client.transaction([RESPCommand("GET", "k"), RESPCommand("DEL", "k")]) { result in
                let text: String
                switch result {
                case .success(let values): text = "\(values)"
                case .failure(let error): text = error.message
                }
                box.withLockedValue { $0 = text }
            }
            #expect(try self.redis.commands(0) == [["MULTI"], ["GET", "k"], ["DEL", "k"], ["EXEC"]])
            try self.redis.reply(0, reply)
            return box.withLockedValue { $0 }
        }
        let done = try transaction("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:5\r\n:1\r\n")
        #expect(done == "\([RESPValue.integer(5), .integer(1)])")
        #expect(
            try transaction("+OK\r\n-NOPERM no\r\n+QUEUED\r\n-EXECABORT Transaction discarded\r\n") == "NOPERM no"
        )
        #expect(try transaction("+OK\r\n+QUEUED\r\n+QUEUED\r\n_\r\n") == "Redis has not executed a transaction")
        let failed = RESPValue.error(RESPError(reply: "WRONGTYPE x"))
        #expect(
            try transaction("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-WRONGTYPE x\r\n:1\r\n")
                == "\([failed, .integer(1)])"
        )
    }

    @Test func oneCallbackForManyReplies() throws {
        let client = try self.connect()
        let results = NIOLockedValueBox<[String]>([])
        func send(_ timeout: TimeAmount) {
            client.send([RESPCommand("GET", "a"), RESPCommand("GET", "b")], timeout: timeout) { result in
                let text: String
                switch result {
                case .success(let values): text = "\(values.map { $0.integerValue ?? -1 })"
                case .failure(let error): text = "\(error.code)"
                }
                results.withLockedValue { $0.append(text) }
            }
        }
        send(.seconds(1))
        #expect(try self.redis.writes(0) == 1)
        try self.redis.reply(0, ":1\r\n-ERR x\r\n")
        #expect(results.withLockedValue { $0 } == ["[1, -1]"])
        send(.milliseconds(100))
        self.redis.loop.run()
        try self.redis.reply(0, ":1\r\n")
        self.redis.advance(.milliseconds(100))
        try self.redis.reply(0, ":2\r\n")
        send(.seconds(1))
        self.redis.loop.run()
        self.redis.drop(0)
        send(.seconds(1))
        #expect(results.withLockedValue { $0 } == ["[1, -1]", "timeout", "disconnected", "disconnected"])
    }
}
