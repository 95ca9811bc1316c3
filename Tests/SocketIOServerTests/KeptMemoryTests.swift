import SocketIOWire
import Synchronization
import Testing

@testable import SocketIOServer

/// What waits for its handler is counted by its own length, so it must not keep more than that.
@Suite(.timeLimit(.minutes(1))) struct KeptMemoryTests {
    /// The memory that each event keeps while it waits.
    private final class Memory: Sendable {
        private let counts = Mutex<[Int]>([])

        var all: [Int] { self.counts.withLock { $0 } }

        func note(_ event: ReceivedEvent) { self.counts.withLock { $0.append(event.arguments.memoryCount) } }
    }

    /// Sends short events in one read with a long one, whose memory they would otherwise lie in.
    private func send(to server: StillServer) throws {
        let client = try server.join()
        let long = Array("42[\"nobody\",\"\(String(repeating: "x", count: 60_000))\"]".utf8)
        let short = Array("42[\"late\",1]".utf8)
        let announcing = Array("451-[\"late\",{\"_placeholder\":true,\"num\":0}]".utf8)
        try client.send([(.text, long), (.text, short), (.text, long), (.text, announcing), (.binary, [1, 2, 3])])
        // Alone, but longer than others: that is not copied for nothing.
        try client.send([(.text, Array("42[\"late\",\"\(String(repeating: "x", count: 50_000))\"]".utf8))])
        try client.close()
    }

    private func expect(_ memory: Memory) throws {
        #expect(memory.all.count == 3)
        #expect(memory.all.prefix(2).allSatisfy { (1...1024).contains($0) })
        #expect((50_000...131_072).contains(try #require(memory.all.last)))
    }

    @Test func anEventThatWaitsKeepsNothingElse() throws {
        let server = StillServer()
        let memory = Memory()
        let handler = EventHandler(body: .asynchronous { memory.note($0) }, answersOnce: false)
        server.io.register(HandlerRegistration(.event("late", handler)))
        try self.send(to: server)
        try self.expect(memory)
    }

    @Test func norDoesOneThatWaitsForMiddlewares() throws {
        let server = StillServer()
        let memory = Memory()
        server.io.onConnection { socket in
            socket.use { event in if event.name == "late" { memory.note(event) } }
        }
        try self.send(to: server)
        try self.expect(memory)
    }
}
