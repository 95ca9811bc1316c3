import Logging
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// Handlers under names that no client's event has: what Node's applications listen for otherwise.
@Suite(.timeLimit(.minutes(1))) struct RegistrationTests {
    @Test(arguments: [
        ("connection", "onConnection(_:)"), ("connect", "onConnection(_:)"), ("disconnect", "onDisconnect(_:)"),
        ("disconnecting", "onDisconnecting(_:)"), ("connect_error", "use(_:)"),
        ("new_namespace", "onNewNamespace(_:)"), ("newListener", "reserved"), ("removeListener", "reserved"),
    ])
    func namespacesSayWhatToUse(_ name: String, _ advice: String) throws {
        let log = LogRecorder()
        let io = SocketServer(logger: log.logger())
        io.on(name) { (_: Socket) in }
        // Once is enough.
        io.on(name) { (_: Socket, _: Int) in 1 }
        let entry = try #require(log.all.first)
        #expect(log.all.count == 1)
        #expect(entry.level == .warning)
        #expect(entry.message.contains("\"\(name)\""))
        #expect(entry.message.contains(advice))
        #expect(entry.metadata["sio.namespace"] == "/")
        let raw = LogRecorder()
        SocketServer(logger: raw.logger()).of("/a").onRaw(name) { _ in }
        #expect(raw.all.first?.message == entry.message)
        let parent = LogRecorder()
        SocketServer(logger: parent.logger()).of { _, _ in true }.on(name) { (_: Socket) async in await Task.yield() }
        #expect(parent.all.first?.message == entry.message)
    }

    @Test(arguments: [
        ("connect", "onConnection(_:)"), ("disconnect", "onDisconnect(_:)"),
        ("disconnecting", "onDisconnecting(_:)"), ("connect_error", "use(_:)"), ("newListener", "reserved"),
        ("removeListener", "reserved"),
    ])
    func socketsSayWhatToUse(_ name: String, _ advice: String) async throws {
        let log = LogRecorder()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in
                io.onConnection { socket in
                    socket.on(name) { 1 }
                    socket.once(name) {}
                    socket.onRaw(name) { _ in }
                }
            }
        ).run { _, address in
            for _ in 0..<2 { _ = try await TestClient.join(at: address) }
            let entry = try #require(await log.entries.next())
            #expect(entry.level == .warning)
            #expect(entry.message.contains("\"\(name)\" never runs"))
            #expect(entry.message.contains(advice))
            #expect(log.all.count == 1)
        }
    }

    @Test(arguments: ["connect", "connection", "new_namespace"]) func serversSayWhatToUse(_ name: String) throws {
        let log = LogRecorder()
        SocketServer(logger: log.logger()).onServerSide(name) { _, _ in }
        #expect(try #require(log.all.first).level == .warning)
    }

    #if DEBUG
    /// Who gave no logger is told on standard error while developing.
    @Test func theSilentLoggerIsNotAskedWhileDebugging() {
        let standardError = LogRecorder()
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let check = RegistrationCheck(logger: silent, standardError: standardError.logger())
        check.check("connection", on: .registry, of: "/")
        #expect(standardError.all.first?.message.contains("onConnection(_:)") == true)
        let log = LogRecorder()
        RegistrationCheck(logger: log.logger(), standardError: standardError.logger())
            .check("disconnect", on: .socket, of: "/")
        #expect(log.all.count == 1)
        #expect(standardError.all.count == 1)
    }
    #endif

    /// Names that only look like those, in bytes or as text.
    @Test(arguments: ["message", "Connection", "connections", "disconnec\u{301}t", "", "error"])
    func otherNamesAreOrdinary(_ name: String) {
        let log = LogRecorder()
        let io = SocketServer(logger: log.logger(.trace))
        io.on(name) { (_: Socket) in }
        io.onServerSide(name) { _, _ in }
        #expect(log.all.isEmpty)
    }

    /// The compiler warns of these; a client that waits for what can't be sent is told so.
    @available(*, deprecated)
    @Test func resultsThatCannotBeSentAreTold() async throws {
        struct Unsendable: Sendable {}
        let log = LogRecorder()
        try await TestServer(
            logger: log.logger(),
            setUp: { io in
                io.on("now") { (_: Socket) -> Unsendable in Unsendable() }
                io.on("later") { (_: Socket) async -> (Int, Int) in
                    await Task.yield()
                    return (1, 2)
                }
                io.onConnection { socket in
                    socket.on("own") { (number: Int) -> [String: Any] in ["ok": true, "number": number] }
                    socket.once("once") { (number: Int) async -> Unsendable in Unsendable() }
                }
            }
        ).run { _, address in
            let client = try await TestClient.join(at: address)
            for (id, event) in ["now", "later", "own", "once"].enumerated() {
                try await client.send("42\(id)[\"\(event)\",1]")
                #expect(await client.next() == .text("43\(id)[{\"error\":\"internal error\"}]"))
                let entry = try #require(await log.entries.next())
                #expect(entry.metadata["sio.event"] == event)
                #expect(entry.metadata["error"]?.contains("can't be sent") == true)
            }
            // Nobody waits: nothing is missing.
            try await client.send("42[\"now\"]")
            #expect(try await client.hasNothingMore())
            #expect(log.all.count == 4)
        }
    }
}
