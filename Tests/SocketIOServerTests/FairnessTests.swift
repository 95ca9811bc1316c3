import NIOCore
import NIOPosix
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Synchronization
import Testing

/// One client's work keeps no other client waiting for long.
@Suite(.timeLimit(.minutes(1))) struct FairnessTests {
    @Test func manyEventsOfOneClientLeaveTheOthersTheirTurns() async throws {
        // One loop, so that both clients are on it.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = SocketServer(eventLoopGroup: group)
        let handled = Handled()
        let started = Recorder<Void>()
        server.sockets.on("work") { (_: Socket) async in
            if handled.count.add(1, ordering: .relaxed).newValue == 1 { started.record(()) }
            let end = NIODeadline.now() + .microseconds(200)
            while NIODeadline.now() < end {}
        }
        server.sockets.on("ask") { (_: Socket) async in handled.count.load(ordering: .relaxed) }
        let address = try await server.listen(host: "127.0.0.1", port: 0)

        let asking = try await TestClient.join(at: address)
        let open = try await exchange("GET", "/socket.io/?EIO=4&transport=polling", with: address).body
        let session = "/socket.io/?EIO=4&transport=polling&sid=\(open.dropFirst("0{\"sid\":\"".count).prefix(20))"
        _ = try await exchange("POST", session, body: "40", with: address)
        // All in one body, so the loop has them all at once: 0.4 s of work.
        let body = Array(repeating: "42[\"work\"]", count: 2000).joined(separator: "\u{1E}")
        async let flood = exchange("POST", session, body: body, with: address)
        await started.next()
        try await asking.send("421[\"ask\"]")
        let answer = try #require(await asking.nextText())
        let count = try #require(Int(answer.dropFirst("431[".count).dropLast()))
        #expect(count < 1000, "the answer came after \(count) of 2000 events of the other client")
        _ = try await flood
        await server.close()
        try await group.shutdownGracefully()
    }

    private final class Handled: Sendable {
        let count = Atomic<Int>(0)
    }

    /// Time that grows with the square of the number would end this test by its time limit.
    @Test func manyRoomsCostAsMuchEachAsFew() {
        let server = SocketServer()
        let rooms = (0..<300_000).map { Room(String($0)) }
        var target = server.sockets.to(rooms + rooms)
        target = target.except(rooms + rooms)
        target.emit("x")
    }
}
