import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import Testing

@testable import RESP

private func name(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

private func commands(_ bytes: ByteBuffer) throws -> [[String]] {
    var parser = RESPParser()
    parser.append(bytes)
    var commands: [[String]] = []
    while let command = try parser.next() { commands.append(command.arrayValue?.compactMap(\.stringValue) ?? []) }
    return commands
}

@Suite(.timeLimit(.minutes(1)))
struct RosterTableTests {
    private func describe(_ event: SubscriptionTable<String>.Event) throws -> String {
        switch event {
        case .none: "none"
        case .message(let handlers, let message):
            "\(handlers) \(String(buffer: message.channel)) \(message.isSharded)"
        case .heard(let roster, let name): "heard \(roster) \(String(buffer: name))"
        case .refusedName(let roster, let name, let error):
            "refused \(roster) \(String(buffer: name)) \(error.serverCode ?? "")"
        case .askedAgain(let bytes): "asked \(try commands(bytes))"
        case .ended(let bytes): "ended \(try commands(bytes))"
        case .mended(let rosters, let name): "mended \(rosters) \(String(buffer: name))"
        case .unserved: "unserved"
        default: "\(event)"
        }
    }

    private func insert(
        _ table: inout SubscriptionTable<String>,
        _ names: String...,
        roster: Int = 1
    ) throws -> [[String]] {
        for text in names { _ = table.insert(name(text), intoRoster: roster) }
        return try commands(table.commands(ofRoster: roster, isConnected: true))
    }

    @Test func namesComeAndGo() throws {
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: .shardedChannel, handler: "one")
        #expect(try self.insert(&table, "a", "b") == [["SSUBSCRIBE", "a", "b"]])
        #expect(try self.describe(table.received(push("ssubscribe", "a", count: 1))) == "heard 1 a")
        // A message may come before the confirmation of its neighbour; the plain channel is another one.
        #expect(try self.describe(table.received(push("smessage", "b", "x"))) == #"["one"] b true"#)
        #expect(try self.describe(table.received(push("message", "b", "x"))) == "none")
        #expect(try self.describe(table.received(push("ssubscribe", "b", count: 2))) == "heard 1 b")
        #expect(table.insert(name("a"), intoRoster: 1) == true)
        for text in ["a", "b"] { table.remove(name(text), fromRoster: 1) }
        #expect(try commands(table.commands(ofRoster: 1, isConnected: true)) == [["SUNSUBSCRIBE", "a", "b"]])
        for text in ["a", "b"] {
            #expect(try self.describe(table.received(push("sunsubscribe", text, count: 0))) == "none")
        }
        #expect(table.isEmpty)
        #expect(table.expected.isEmpty)
    }

    /// A confirmation belongs to the command that it answers, not to one that came later.
    @Test func aNameThatLeftAndCameBackIsNotHeardTooSoon() throws {
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: .channel, handler: "one")
        #expect(try self.insert(&table, "a") == [["SUBSCRIBE", "a"]])
        table.remove(name("a"), fromRoster: 1)
        #expect(try commands(table.commands(ofRoster: 1, isConnected: true)) == [["UNSUBSCRIBE", "a"]])
        #expect(try self.insert(&table, "a") == [["SUBSCRIBE", "a"]])
        #expect(try self.describe(table.received(push("subscribe", "a", count: 1))) == "none")
        #expect(try self.describe(table.received(push("unsubscribe", "a", count: 0))) == "none")
        #expect(try self.describe(table.received(push("subscribe", "a", count: 1))) == "heard 1 a")
    }

    @Test func namesThatOthersShareStay() throws {
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: .channel, handler: "one")
        table.addRoster(2, kind: .channel, handler: "two")
        _ = table.add(3, patterns: [], channels: ["a"], handler: "three", isConnected: true)
        _ = try self.insert(&table, "a")
        _ = try self.insert(&table, "a", "b", roster: 2)
        for text in ["a", "a", "a", "b"] { _ = table.received(push("subscribe", text, count: 1)) }
        #expect(try self.describe(table.received(push("message", "a", "x"))) == #"["three", "one", "two"] a false"#)
        #expect(try commands(table.removeRoster(1, isConnected: true)) == [])
        #expect(table.remove(3, isConnected: true) == [])
        #expect(try self.describe(table.received(push("message", "a", "x"))) == #"["two"] a false"#)
        let left = try commands(table.removeRoster(2, isConnected: true))
        #expect(left.map { $0.sorted() } == [["UNSUBSCRIBE", "a", "b"]])
        #expect(table.isEmpty)
    }

    @Test func oneRefusedNameOfManyRefusesNoOther() throws {
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: .channel, handler: "one")
        _ = try self.insert(&table, "a", "b", "c")
        table.remove(name("c"), fromRoster: 1)
        _ = table.commands(ofRoster: 1, isConnected: true)
        let refusal = RESPValue.error(RESPError(reply: "NOPERM no"))
        #expect(try self.describe(table.received(refusal)) == #"asked [["SUBSCRIBE", "a"], ["SUBSCRIBE", "b"]]"#)
        _ = table.received(push("unsubscribe", "c", count: 0))
        #expect(try self.describe(table.received(refusal)) == "refused 1 a NOPERM")
        #expect(try self.describe(table.received(push("subscribe", "b", count: 1))) == "heard 1 b")
        // What was granted once and is not any more makes the node deaf.
        _ = table.disconnected()
        #expect(try commands(table.restoreRosters()) == [["SUBSCRIBE", "b"]])
        #expect(!table.isRestored)
        #expect(try self.describe(table.received(refusal)) == "unserved")
    }

    /// A Redis that executes nothing now has not refused the names.
    @Test func whatIsNotExecutedIsAskedForLater() throws {
        for word in ["BUSY", "LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN"] {
            var table = SubscriptionTable<String>()
            table.addRoster(1, kind: .shardedChannel, handler: "one")
            _ = try self.insert(&table, "a", "b")
            #expect(try self.describe(table.received(.error(RESPError(reply: "\(word) x")))) == "unserved")
            _ = table.disconnected()
            #expect(try commands(table.restoreRosters()).flatMap { $0 }.count == 3)
        }
    }

    @Test(arguments: [RESPSubscriptionKind.channel, .shardedChannel, .pattern])
    func aSubscriptionThatRedisEndsIsMadeAgain(kind: RESPSubscriptionKind) throws {
        let (subscribe, unsubscribe) = (kind.subscribeCommand, kind.unsubscribeCommand)
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: kind, handler: "one")
        _ = try self.insert(&table, "a", "b")
        for text in ["a", "b"] { _ = table.received(push(subscribe.lowercased(), text, count: 1)) }
        // Asked for: nothing to be said. Not asked for: again.
        table.remove(name("b"), fromRoster: 1)
        _ = table.commands(ofRoster: 1, isConnected: true)
        let ended = try self.describe(table.received(push(unsubscribe.lowercased(), "a", count: 0)))
        #expect(ended == #"ended [["\#(subscribe)", "a"]]"#)
        #expect(table.insert(name("a"), intoRoster: 1) == false, "it is not heard now")
        #expect(try self.describe(table.received(push(unsubscribe.lowercased(), "b", count: 0))) == "none")
        #expect(try self.describe(table.received(push(subscribe.lowercased(), "a", count: 1))) == "mended [1] a")
        #expect(table.insert(name("a"), intoRoster: 1) == true)
        // One that nobody wants any more is no news.
        #expect(try self.describe(table.received(push(unsubscribe.lowercased(), "b", count: 0))) == "none")
    }

    @Test func restoresInBatches() throws {
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: .channel, handler: "one")
        for number in 0..<2500 { _ = table.insert(name("\(number)"), intoRoster: 1) }
        #expect(try commands(table.commands(ofRoster: 1, isConnected: false)) == [])
        let restored = try commands(table.restoreRosters())
        #expect(restored.map(\.count) == [1001, 1001, 501])
        for command in restored {
            for text in command.dropFirst() {
                #expect(!table.isRestored)
                _ = table.received(push("subscribe", text, count: 1))
            }
        }
        #expect(table.isRestored)
    }

    /// Work that grows with the number of names would end this test by its time limit.
    @Test func aNameCostsAsMuchHoweverManyThereAre() {
        var table = SubscriptionTable<Int>()
        table.addRoster(1, kind: .channel, handler: 1)
        for number in 0..<40_000 {
            _ = table.insert(name("\(number)"), intoRoster: 1)
            _ = table.commands(ofRoster: 1, isConnected: true)
        }
        for number in 0..<40_000 {
            _ = table.received(push("subscribe", "\(number)", count: 1))
            table.remove(name("\(number)"), fromRoster: 1)
            _ = table.commands(ofRoster: 1, isConnected: true)
        }
        #expect(table.isEmpty)
    }

    /// Whatever is inserted, removed, refused, ended and lost, in any order: what is subscribed in the end is what is
    /// wanted, each name that is heard is one that Redis has, and after all have left nothing is left behind.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func churn(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var table = SubscriptionTable<String>()
        table.addRoster(1, kind: .shardedChannel, handler: "one")
        var wanted: Set<String> = []
        var model: Set<String> = []
        var replies: [RESPValue] = []
        func execute(_ bytes: ByteBuffer) throws {
            for command in try commands(bytes) {
                for text in command.dropFirst() {
                    if command[0] == "SSUBSCRIBE" { model.insert(text) } else { model.remove(text) }
                    replies.append(push(command[0].lowercased(), text, count: model.count))
                }
            }
        }
        func receive(_ count: Int) throws {
            for _ in 0..<min(count, replies.count) {
                switch table.received(replies.removeFirst()) {
                case .ended(let bytes), .askedAgain(let bytes): try execute(bytes)
                case .none, .heard, .mended: break
                case let event: Issue.record("\(event)")
                }
            }
        }
        for _ in 0..<300 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                var batch: [String: Bool] = [:]
                for _ in 0..<4 { batch["\(Int.random(in: 0..<8, using: &random))"] = Bool.random(using: &random) }
                for (text, isWanted) in batch.sorted(by: { $0.key < $1.key }) {
                    if isWanted {
                        wanted.insert(text)
                        _ = table.insert(name(text), intoRoster: 1)
                    } else {
                        wanted.remove(text)
                        table.remove(name(text), fromRoster: 1)
                    }
                }
                try execute(table.commands(ofRoster: 1, isConnected: true))
            case 6..<8: try receive(Int.random(in: 0..<6, using: &random))
            case 8:
                guard let moved = model.sorted().randomElement(using: &random) else { continue }
                model.remove(moved)
                replies.append(push("sunsubscribe", moved, count: 0))
            default:
                replies = []
                model = []
                _ = table.disconnected()
                try execute(table.restoreRosters())
            }
        }
        while !replies.isEmpty { try receive(1) }
        #expect(model == wanted)
        #expect(table.isRestored)
        for text in wanted { #expect(table.insert(name(text), intoRoster: 1) == true) }
        try execute(table.removeRoster(1, isConnected: true))
        while !replies.isEmpty { try receive(1) }
        #expect(model.isEmpty && table.isEmpty && table.expected.isEmpty && table.rosters.isEmpty)
    }
}

/// What happened, in order.
private final class Record: Sendable {
    private let lines = NIOLockedValueBox<[String]>([])
    func add(_ line: String) { self.lines.withLockedValue { $0.append(line) } }
    var taken: [String] {
        self.lines.withLockedValue { lines in
            defer { lines = [] }
            return lines
        }
    }
    func heard(_ name: String) -> RESPRoster.Heard {
        { result in
            switch result {
            case .success: self.add("heard \(name)")
            case .failure(let error): self.add("\(error.code) \(name)")
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct RosterTests {
    let redis = FakeRedis()
    private let record = Record()

    private func connected() throws -> RESPClient {
        let client = self.redis.makeClient()
        let connected = client.connected()
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello)
        #expect(try connected.map { true }.wait())
        return client
    }

    private func confirm(_ index: Int, _ names: String...) throws {
        try self.redis.reply(index, names.map { ">3\r\n+subscribe\r\n+\($0)\r\n:1\r\n" }.joined())
    }

    @Test func namesOfOneTickLeaveInOneCommand() throws {
        let client = try self.connected()
        let roster = client.addRoster { _ in }
        for text in ["a", "b", "c"] { roster.insert(text, heard: self.record.heard(text)) }
        roster.remove("b")
        roster.remove("c")
        roster.insert("c", heard: self.record.heard("c again"))
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        let commands = try self.redis.commands(1)
        #expect(commands.map { [$0[0]] + $0.dropFirst().sorted() } == [["SUBSCRIBE", "a", "c"]])
        #expect(self.record.taken == ["closed b", "closed c"])
        try self.confirm(1, commands[0][1])
        #expect(self.record.taken.count == 1)
        try self.confirm(1, commands[0][2])
        #expect(self.record.taken.count == 1)
        #expect(client.isReady)
        // Now that there is a connection, one write for as many as there are.
        for text in ["d", "e"] { roster.insert(text, heard: self.record.heard(text)) }
        roster.remove("a")
        roster.insert("x")
        roster.remove("x")
        roster.insert("c", heard: self.record.heard("c"))
        #expect(try self.redis.commands(1) == [["SUBSCRIBE", "d", "e"], ["UNSUBSCRIBE", "a"]])
        #expect(self.record.taken == ["heard c"], "it was heard already")
        try self.confirm(1, "d", "e")
        #expect(self.record.taken == ["heard d", "heard e"])
    }

    @Test func whoWaitsIsToldOfALossAndTheNameComesBack() throws {
        let client = try self.connected()
        let gaps = Record()
        client.onGap { gaps.add($0.isOver ? "over" : "began \($0.reason.message)") }
        let roster = client.addRoster { [record] in record.add(String(buffer: $0.payload)) }
        roster.insert("a")
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        _ = try self.redis.commands(1)
        try self.confirm(1, "a")
        roster.insert("b", heard: self.record.heard("b"))
        self.redis.loop.run()
        self.redis.drop(1)
        #expect(self.record.taken == ["disconnected b"])
        #expect(gaps.taken == ["began Redis closed the connection"])
        roster.insert("c", heard: self.record.heard("c"))
        self.redis.loop.run()
        #expect(self.record.taken == ["disconnected c"])
        self.redis.advance(.milliseconds(50))
        _ = try self.redis.commands(2)
        try self.redis.reply(2, FakeRedis.hello)
        let restored = try self.redis.commands(2)
        #expect(restored.map { [$0[0]] + $0.dropFirst().sorted() } == [["SUBSCRIBE", "a", "b", "c"]])
        #expect(!client.isReady)
        try self.confirm(2, "a", "b", "c")
        #expect(client.isReady)
        #expect(gaps.taken == ["over"])
        try self.redis.reply(2, ">3\r\n+message\r\n+c\r\n$2\r\nhi\r\n")
        #expect(self.record.taken == ["hi"])
        let cancelled = roster.cancelled()
        let left = try self.redis.commands(2)
        #expect(left.map { [$0[0]] + $0.dropFirst().sorted() } == [["UNSUBSCRIBE", "a", "b", "c"]])
        try cancelled.wait()
        roster.insert("late", heard: self.record.heard("late"))
        self.redis.loop.run()
        #expect(self.record.taken == ["closed late"])
    }

    /// As long as Redis goes on confirming, many names take the time that they take.
    @Test func restoringEndsWhenRedisIsSilent() throws {
        let client = try self.connected()
        let roster = client.addRoster { _ in }
        for text in ["a", "b", "c"] { roster.insert(text) }
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        for text in ["a", "b"] {
            self.redis.advance(.seconds(4))
            try self.confirm(1, text)
        }
        self.redis.advance(.milliseconds(4999))
        #expect(self.redis.channels[1].isActive)
        self.redis.advance(.milliseconds(1))
        #expect(!self.redis.channels[1].isActive)
    }

    @Test func aSlotThatMovesIsAGap() throws {
        let client = try self.connected()
        let gaps = Record()
        client.onGap { gaps.add("\($0.isOver)") }
        let subscription = client.addSubscription(shardedChannels: ["s"]) { [record] message in
            record.add("\(message.isSharded)")
        }
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        #expect(try self.redis.commands(1) == [["SSUBSCRIBE", "s"]])
        try self.redis.reply(1, ">3\r\n+ssubscribe\r\n+s\r\n:1\r\n>3\r\n+sunsubscribe\r\n+s\r\n:0\r\n")
        #expect(gaps.taken == ["false"])
        #expect(try self.redis.commands(1) == [["SSUBSCRIBE", "s"]])
        try self.redis.reply(1, ">3\r\n+ssubscribe\r\n+s\r\n:1\r\n>3\r\n+smessage\r\n+s\r\n+x\r\n")
        #expect(gaps.taken == ["true"])
        #expect(self.record.taken == ["true"])
        try client.publish(shardedChannel: "s", message: ByteBuffer(string: "x"))
        #expect(try self.redis.commands(0) == [["SPUBLISH", "s", "x"]])
        _ = subscription
    }

    @Test func aMessageThatIsSkippedIsAGap() throws {
        var configuration = RESPConfiguration()
        configuration.limits.maximumStringLength = 10
        let client = self.redis.makeClient(configuration)
        client.onGap { [record] in record.add("\($0.isOver) \($0.reason.code)") }
        _ = client.connected()
        let subscription = client.addSubscription(channels: ["c"]) { _ in }
        for index in 0...1 {
            _ = try self.redis.commands(index)
            try self.redis.reply(index, FakeRedis.hello)
        }
        try self.confirm(1, "c")
        try self.redis.reply(1, ">3\r\n+message\r\n+c\r\n$11\r\n01234567890\r\n")
        #expect(self.record.taken == ["true tooLong"])
        _ = subscription
    }
}
