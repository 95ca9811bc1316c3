import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import RESP
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What the official streams adapter was seen to do while clients may come back.
@Suite(.timeLimit(.minutes(1)))
struct StreamsRecoveryFixtureTests {
    static let records = StreamRecord.recovery.filter { record in record.commands.contains { $0.name == "XADD" } }

    /// An own event is the same entry whether its place is awaited or not, and is delivered at that place.
    @Test(arguments: Self.records) func sent(_ record: StreamRecord) async throws {
        for command in record.commands where command.name == "XADD" {
            // Events to one client that it acknowledges don't leave a Swift node.
            guard command.data["packet"]?["id"] == nil else { continue }
            let (uid, namespace) = (command.arguments[6], command.arguments[8])
            let cluster = try LogCluster(1, namespace: namespace) { $0.makeID = { uid } }
            try await cluster[0].adapter.start()
            cluster[0].host.forget()
            cluster.redis.redis.forgetCommands()
            let options = BroadcastOptions(recorded: command.data["opts"] ?? [:])
            let arguments = command.data["packet"]?["data"]?.arrayValue ?? []
            let broadcast = Broadcast(arguments: arguments, options: options)
            let host = cluster[0].host
            if options.flags.isVolatile {
                cluster[0].adapter.publish(broadcast)
            } else {
                cluster[0].adapter.publish(broadcast) { host.note("own \(LogHost.text($0))") }
            }
            await cluster.settle()
            let sent = cluster.redis.redis.commands.filter { $0.name == "XADD" }
            #expect(sent.map(\.arguments) == [command.arguments])
            #expect(host.lines == (options.flags.isVolatile ? [] : ["own 1000-1"]))
            await cluster[0].adapter.close()
        }
    }

    /// Another node's event has a place if the official node told its client one; all that were missed are read again, but for
    /// those that clients are not to be sent twice.
    @Test(arguments: Self.records) func received(_ record: StreamRecord) async throws {
        let commands = record.commands.filter { $0.name == "XADD" }
        let namespace = try #require(commands.first?.arguments[8])
        let cluster = try LogCluster(1, namespace: namespace)
        try await cluster[0].adapter.start()
        cluster[0].host.forget()
        for command in commands {
            cluster.redis.execute("official", (["XADD"] + command.arguments).map { ByteBuffer(string: $0) })
        }
        await cluster.settle()
        let prefix = namespace == "/" ? "" : "\(namespace),"
        var expected: [String] = []
        for (number, command) in commands.enumerated() where command.arguments[8] == namespace {
            let options = command.data["opts"] ?? [:]
            let isPlaced = options["flags"]?["volatile"] == nil && command.data["packet"]?["id"] == nil
            let arguments = command.data["packet"]?["data"] ?? .null
            let hasBytes = !command.arguments[12].hasPrefix("{")
            let text = hasBytes ? "451-\(prefix)" : "42\(prefix)\(arguments)"
            expected.append("got \(isPlaced ? "1000-\(number + 1)" : "-") \(text)")
            // As the official node told its own client, where that got the event at once.
            let told = record.frames.compactMap { $0["text"]?.stringValue }.filter { $0.contains("\"1795") }
            if commands.count == 1, record.frames.contains(where: { $0["client"] != nil }) {
                #expect(told.isEmpty != isPlaced)
            }
        }
        let lines = cluster[0].host.lines
        #expect(lines.count == expected.count)
        for (line, start) in zip(lines, expected) { #expect(line.hasPrefix(start)) }
        let (start, end) = (try #require(EventOffset("1000-0")), try #require(EventOffset("1000-\(commands.count)")))
        let page = try #require(try await cluster[0].adapter.events(after: start, through: end, limit: 100))
        #expect(page.events.count == expected.count { !$0.hasPrefix("got - ") })
        await cluster[0].adapter.close()
    }
}
