import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// What happens to events for which an application has no handler.
@Suite(.timeLimit(.minutes(1))) struct UnhandledEventTests {
    private static func serve(
        _ register: @Sendable (SocketServer) -> Void,
        _ body: (SocketAddress) async throws -> Void
    ) async throws {
        let server = SocketServer(configuration: SocketServerConfiguration())
        register(server)
        try await server.start()
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        do {
            try await body(address)
        } catch {
            await server.close()
            throw error
        }
        await server.close()
    }

    /// Short and long names, sockets with and without handlers of their own or middlewares: all take another way.
    @Test(arguments: ["nobody", "nobody-has-a-handler-for-this-long-name"], [0, 1, 2])
    func whatNobodyHandlesIsHandled(name: String, kind: Int) async throws {
        try await Self.serve { server in
            server.on("known") { (_: Socket) in "known" }
            server.onConnection { socket in
                if kind > 0 { socket.on("own") { "own" } }
                if kind > 1 { socket.use { (_: ReceivedEvent) throws -> Void in } }
            }
            server.onUnhandled { event in
                event.acknowledge(values: [.string("nobody handles \(event.name)"), .int(event.arguments.count)])
            }
        } _: { address in
            let client = try await TestClient.join(at: address)
            #expect(try await client.call("known") == "known")
            #expect(try await client.call(name, 1) == .string("nobody handles \(name)"))
            if kind > 0 { #expect(try await client.call("own") == "own") }
        }
    }

    /// A child gets what its parent has; a namespace without a handler ignores such events as before.
    @Test func childrenShareTheHandlerOfTheirParent() async throws {
        try await Self.serve { server in
            let parent = server.of { name, _ in name.utf8.starts(with: "/child-".utf8) }
            parent.onUnhandled { event in event.acknowledge(values: ["unknown"]) }
            server.on("last") { (_: Socket) in "last" }
        } _: { address in
            let client = try await TestClient.join("/child-1", at: address)
            try await client.send("42/child-1,7[\"anything\"]")
            #expect(await client.packet() == .acknowledgement(7, ["unknown"]))
            let other = try await TestClient.join(at: address)
            try await other.send("429[\"anything\"]")
            try await other.send("4210[\"last\"]")
            // The first one got no answer.
            #expect(await other.packet() == .acknowledgement(10, ["last"]))
        }
    }

    /// A handler that takes the event as it came waits for the asynchronous ones before it, and may fail.
    @Test func rawHandlersMayTakeTheirTime() async throws {
        struct Wrong: Error {}
        try await Self.serve { server in
            server.on("first") { (_: Socket) async -> String in
                await Task.yield()
                return "first"
            }
            server.onRaw("later") { (event: ReceivedEvent) async throws in
                await Task.yield()
                event.acknowledge(values: [.array(try event.arguments.values())])
            }
            server.onRaw("wrong") { (_: ReceivedEvent) async throws in
                await Task.yield()
                throw Wrong()
            }
        } _: { address in
            let client = try await TestClient.join(at: address)
            #expect(try await client.call("later", 1, "two") == [1, "two"])
            #expect(try await client.call("wrong") == ["error": "internal error"])
            #expect(try await client.call("first") == "first")
        }
    }
}
