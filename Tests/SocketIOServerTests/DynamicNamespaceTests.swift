import Dispatch
import EngineIO
import MetricsTestKit
import NIOCore
import NIOPosix
import RegexBuilder
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Namespaces that exist because a client asked for them.
@Suite(.timeLimit(.minutes(1))) struct DynamicNamespaceTests {
    @Test func patternMatchesTheWholeName() async throws {
        try await TestServer(setUp: { io in _ = io.of(matching: /\/dyn-\d+/) }).run { io, address in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/dyn-7")
            for name in ["/dyn-", "/dyn-7x", "/x/dyn-7", "/dyn-7?a=b", "//dyn-7", "/dyn-%37"] {
                try await #expect(client.connect(name) == "44\(name),{\"message\":\"Invalid namespace\"}")
            }
            #expect(Set(io.namespaces.keys) == ["/", "/dyn-7"])
            let child = try #require(io.namespaces["/dyn-7"])
            #expect(child.parent?.name == "/_0")
            #expect(child.localSocketCount == 1)
        }
    }

    @Test func closureSeesNameAndAuth() async throws {
        struct Broken: Error {}
        try await TestServer(setUp: { io in
            _ = io.of { name, auth in
                if name == "/broken" { throw Broken() }
                return auth["token"] == "ok"
            }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            try await #expect(client.connect("/a") == "44/a,{\"message\":\"Invalid namespace\"}")
            try await #expect(
                client.connect("/broken", auth: "{\"token\":\"ok\"}") == "44/broken,{\"message\":\"Invalid namespace\"}"
            )
            _ = try await client.join("/a", auth: ["token": "ok"])
            // It exists now, so nobody is asked any more: who may enter is the middlewares' business.
            let other = try await TestClient.connect(to: address)
            _ = try await other.join("/a")
        }
    }

    /// As in Node: the first one that says yes.
    @Test func parentsAreAskedInTheirOrder() async throws {
        let asked = Recorder<String>()
        try await TestServer(setUp: { io in
            let closure = io.of { name, _ in
                asked.record(name)
                return false
            }
            closure.onConnection { _ in asked.record("never") }
            io.of(matching: /\/b.*/).onConnection { _ in asked.record("pattern") }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/b1")
            #expect(await asked.next() == "/b1")
            #expect(await asked.next() == "pattern")
        }
    }

    @Test func childrenHaveTheirParentsMiddlewaresAndHandlers() async throws {
        let events = Recorder<String>()
        try await TestServer(setUp: { io in
            let tenants = io.of(matching: /\/tenant-.+/)
            tenants.use { socket in
                guard socket.handshake.auth["ok"] == true else { throw ConnectError("no") }
            }
            tenants.onConnection { socket in events.record("connected \(socket.namespace.name)") }
            tenants.onDisconnect { socket, reason in events.record("\(reason) \(socket.namespace.name)") }
            tenants.on("echo") { (socket: Socket, text: String) in "\(socket.namespace.name) \(text)" }
            io.onNewNamespace { namespace in
                events.record("new \(namespace.name)")
                namespace.on("late") { (_: Socket) in 1 }
            }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            try await #expect(client.connect("/tenant-a") == "44/tenant-a,{\"message\":\"no\"}")
            #expect(await events.next() == "new /tenant-a")
            try await #expect(client.connect("/tenant-b", auth: "{\"ok\":true}")?.hasPrefix("40/tenant-b,{") == true)
            try await client.send("42/tenant-b,1[\"echo\",\"x\"]")
            try await client.send("42/tenant-b,2[\"late\"]")
            #expect(await client.next() == .text("43/tenant-b,1[\"/tenant-b x\"]"))
            #expect(await client.next() == .text("43/tenant-b,2[1]"))
            try await client.send("41/tenant-b,")
            #expect(await events.next() == "new /tenant-b")
            #expect(await events.next() == "connected /tenant-b")
            #expect(await events.next() == "client namespace disconnect /tenant-b")
        }
    }

    /// Without a middleware there is no pause: the events behind a CONNECT in the same read find their handlers.
    @Test func eventsRightBehindTheFirstConnectAreHandled() async throws {
        try await TestServer(setUp: { io in
            io.of(matching: /\/d\d/).on("echo") { (_: Socket, text: String) in text }
            io.onNewNamespace { namespace in namespace.on("late") { (_: Socket) in 1 } }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            let texts = ["40/d1,", "42/d1,1[\"echo\",\"x\"]", "42/d1,2[\"late\"]"]
            try await client.send(together: texts.map { .text($0) })
            #expect(await client.nextText()?.hasPrefix("40/d1,{\"sid\"") == true)
            #expect(await client.next() == .text("43/d1,1[\"x\"]"))
            #expect(await client.next() == .text("43/d1,2[1]"))
        }
    }

    @Test func parentAddressesTheClientsOfAllChildren() async throws {
        try await TestServer().run { io, address in
            let parent = io.of(matching: /\/p-\d/)
            parent.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
            let a = try await TestClient.join("/p-1", at: address)
            let b = try await TestClient.join("/p-2", at: address)
            let outsider = try await TestClient.join(at: address)
            try await b.send("42/p-2,0[\"join\",\"r\"]")
            #expect(await b.next() == .text("43/p-2,0[]"))
            #expect(Set(parent.children.map(\.name)) == ["/p-1", "/p-2"])
            parent.emit("all", 1)
            parent.to("r").emit("room")
            parent.except("r").emit("rest")
            #expect(await a.next() == .text("42/p-1,[\"all\",1]"))
            #expect(await a.next() == .text("42/p-1,[\"rest\"]"))
            #expect(await b.next() == .text("42/p-2,[\"all\",1]"))
            #expect(await b.next() == .text("42/p-2,[\"room\"]"))
            try await #expect(outsider.hasNothingMore())
            // Unlike in Node, whose parents can't tell.
            try await #expect(parent.fetchSockets().count == 2)
            async let answers = parent.timeout(.seconds(20)).emitWithAck("q", returning: Int.self)
            for (client, name, answer) in [(a, "/p-1", 1), (b, "/p-2", 2)] {
                let question = try #require(await client.nextText())
                let id = question.dropFirst(2 + name.utf8.count + 1).prefix { $0.isNumber }
                try await client.send("43\(name),\(id)[\(answer)]")
            }
            try await #expect(Set(answers) == [1, 2])
            parent.disconnectSockets()
            #expect(await a.next() == .text("41/p-1,"))
            #expect(await b.next() == .text("41/p-2,"))
        }
    }

    @Test func namespaceOfTheServerBecomesAChildIfAPatternMatches() async throws {
        try await TestServer().run { io, address in
            let parent = io.of(matching: /\/x-\d/)
            parent.on("who") { (_: Socket) in "child" }
            #expect(io.of("x-1").parent === parent)
            #expect(io.of("/y").parent == nil)
            let client = try await TestClient.join("/x-1", at: address)
            try await client.send("42/x-1,0[\"who\"]")
            #expect(await client.next() == .text("43/x-1,0[\"child\"]"))
        }
    }

    @Test func emptyChildrenGoIfToldTo() async throws {
        var configuration = SocketServerConfiguration()
        configuration.cleanupEmptyChildNamespaces = true
        let adapters = AdapterRecorder()
        let events = adapters.events
        try await TestServer(
            configuration: configuration,
            adapter: adapters,
            setUp: { io in
                io.of(matching: /\/dyn-\d+/).use { socket in
                    if socket.handshake.auth["no"] != nil { throw ConnectError("no") }
                }
            }
        ).run { io, address in
            #expect(await events.next() == "start /")
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/dyn-1")
            #expect(await events.next() == "start /dyn-1")
            let other = try await TestClient.connect(to: address)
            _ = try await other.join("/dyn-1")
            try await client.send("41/dyn-1,")
            try await #expect(client.hasNothingMore())
            #expect(io.namespaces.keys.contains("/dyn-1"))
            // The last one, by the end of its connection.
            await other.close()
            #expect(await events.next() == "close /dyn-1")
            #expect(Set(io.namespaces.keys) == ["/"])
            // One that is refused leaves an empty one, too.
            try await #expect(client.connect("/dyn-2", auth: "{\"no\":1}") == "44/dyn-2,{\"message\":\"no\"}")
            #expect(await events.next() == "start /dyn-2")
            #expect(await events.next() == "close /dyn-2")
            #expect(Set(io.namespaces.keys) == ["/"])
            // And it can be made again.
            _ = try await client.join("/dyn-1")
            #expect(await events.next() == "start /dyn-1")
        }
        #expect(await Set([events.next(), events.next()]) == ["close /", "close /dyn-1"])
    }

    /// Names come from clients, so there have to be bounds: empty ones make room, the others are refused.
    @Test func numberOfChildrenIsBounded() async throws {
        var configuration = SocketServerConfiguration()
        configuration.limits.dynamicNamespaces = 2
        let metrics = TestMetrics()
        try await TestServer(
            configuration: configuration,
            metrics: metrics,
            setUp: { io in _ = io.of(matching: /\/d-\d+/) }
        ).run { io, address in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/d-1")
            _ = try await client.join("/d-2")
            let refusal =
                "44/d-3,{\"message\":\"Too many namespaces exist\",\"data\":{\"code\":\"dynamic_namespaces\",\"limit\":2}}"
            try await #expect(client.connect("/d-3") == refusal)
            let rejected = try metrics.expectCounter("socketio_rejected_total", [("reason", "dynamic_namespaces")])
            #expect(rejected.totalValue == 1)
            try await client.send("41/d-1,")
            _ = try await client.join("/d-3")
            #expect(Set(io.namespaces.keys) == ["/", "/d-2", "/d-3"])
        }
    }

    /// Clients that are away may come back to a child; but for that it does not keep its place from others.
    @Test func childrenThatClientsMayComeBackToMakeRoomLast() async throws {
        var configuration = SocketServerConfiguration()
        configuration.limits.dynamicNamespaces = 2
        configuration.connectionStateRecovery = ConnectionStateRecovery()
        let disconnects = Recorder<String>()
        try await TestServer(
            configuration: configuration,
            setUp: { io in
                io.of(matching: /\/d-\d+/).onDisconnect { socket, _ in disconnects.record(socket.namespace.name) }
            }
        ).run { io, address in
            let away = try await TestClient.join("/d-1", at: address)
            await away.close()
            _ = await disconnects.next()
            let client = try await TestClient.join("/d-2", at: address)
            try await client.send("41/d-2,")
            _ = await disconnects.next()
            _ = try await client.join("/d-3")
            #expect(Set(io.namespaces.keys) == ["/", "/d-1", "/d-3"])
            _ = try await client.join("/d-4")
            #expect(Set(io.namespaces.keys) == ["/", "/d-3", "/d-4"])
        }
    }

    @Test func oneAddressHasItsShare() async throws {
        var configuration = SocketServerConfiguration()
        configuration.limits.dynamicNamespacesPerAddress = 2
        configuration.engine.trustedProxies = ["127.0.0.1"].compactMap { AddressRange($0) }
        try await TestServer(
            configuration: configuration,
            setUp: { io in _ = io.of(matching: /\/d-\d+/) }
        ).run { _, address in
            // From one network, over two connections.
            var clients: [TestClient] = []
            for forwarded in ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"] {
                clients.append(try await TestClient.connect(to: address, headers: [("X-Forwarded-For", forwarded)]))
            }
            _ = try await clients[0].join("/d-1")
            _ = try await clients[1].join("/d-2")
            let refusal =
                "44/d-3,{\"message\":\"Too many namespaces of one address\","
                + "\"data\":{\"code\":\"dynamic_namespaces_per_address\",\"limit\":2}}"
            try await #expect(clients[0].connect("/d-3") == refusal)
            _ = try await clients[2].join("/d-3")
            _ = try await clients[0].join("/d-3")
        }
    }

    /// What a pattern is matched with has a length that the application knows.
    @Test func longNamesAreNotMatched() async throws {
        try await TestServer(setUp: { io in
            _ = io.of(matching: /\/d+/)
            _ = io.of("/" + String(repeating: "e", count: 200))
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/" + String(repeating: "d", count: 127))
            let long = "/" + String(repeating: "d", count: 128)
            try await #expect(
                client.connect(long)
                    == "44\(long),{\"message\":\"Namespace name too long\","
                    + "\"data\":{\"code\":\"dynamic_namespace_bytes\",\"limit\":128}}"
            )
            // Those that exist have the names that they have.
            _ = try await client.join("/" + String(repeating: "e", count: 200))
        }
    }

    // MARK: What is slow

    /// Two clients whose connections are on different loops.
    private func withTwoLoops(
        _ setUp: (SocketServer) -> Void,
        _ body: (TestClient, TestClient) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let io = SocketServer(eventLoopGroup: group)
        io.sockets.on("loop") { (socket: Socket) in "\(ObjectIdentifier(socket.eventLoop))" }
        setUp(io)
        let address = try await io.listen(host: "127.0.0.1", port: 0)
        var clients: [String?: TestClient] = [:]
        while clients.count < 2 {
            let client = try await TestClient.join(at: address)
            clients[try await self.answer(to: client)] = client
        }
        let both = Array(clients.values)
        try await body(both[0], both[1])
        await io.close()
        try await group.shutdownGracefully()
    }

    /// Asks for the loop, which answers only if it does not stand still.
    private func answer(to client: TestClient) async throws -> String? {
        try await client.send("420[\"loop\"]")
        let answer = await client.nextText()
        #expect(answer?.hasPrefix("430[") == true)
        return answer
    }

    /// A client's name may take a pattern long: on one loop, not on those of all other clients.
    @Test func slowPatternHoldsUpNoOtherLoop() async throws {
        let begun = Recorder<Void>()
        let gate = DispatchSemaphore(value: 0)
        let setUp = { (io: SocketServer) in _ = io.of(matching: Regex { Slow(begun: begun, gate: gate) }) }
        try await self.withTwoLoops(setUp) { first, second in
            try await first.send("40/slow,")
            await begun.next()
            try await second.send("40/other,")
            _ = try await self.answer(to: second)
            gate.signal()
            #expect(await first.nextText()?.hasPrefix("40/slow,{") == true)
            #expect(await second.nextText()?.hasPrefix("40/other,{") == true)
        }
    }

    /// The application takes its time with one namespace: who wants another one has nothing to wait for.
    @Test func makingANamespaceHoldsUpNoOtherLoop() async throws {
        let begun = Recorder<Void>()
        let gate = DispatchSemaphore(value: 0)
        let setUp = { (io: SocketServer) in
            _ = io.of(matching: /\/\w+/)
            io.onNewNamespace { namespace in
                guard namespace.name == "/slow" else { return }
                begun.record(())
                gate.wait()
                namespace.use { _ in throw ConnectError("closed") }
            }
        }
        try await self.withTwoLoops(setUp) { first, second in
            try await first.send("40/slow,")
            await begun.next()
            // Nor does who wants the same keep others waiting; but it gets in no sooner.
            try await second.send("40/slow,")
            _ = try await self.answer(to: second)
            try await #expect(second.connect("/other")?.hasPrefix("40/other,{") == true)
            gate.signal()
            #expect(await first.nextText() == "44/slow,{\"message\":\"closed\"}")
            #expect(await second.nextText() == "44/slow,{\"message\":\"closed\"}")
        }
    }

    /// A metric has one dimension for all children, however many names clients think of.
    @Test func childrenShareTheirParentsMetrics() async throws {
        let metrics = TestMetrics()
        try await TestServer(metrics: metrics, setUp: { io in _ = io.of(matching: /\/d-\d+/) }).run { _, address in
            let client = try await TestClient.connect(to: address)
            for number in 0..<10 { _ = try await client.join("/d-\(number)") }
            let meters = metrics.meters.filter { $0.label == "socketio_sockets" }
            #expect(Set(meters.map { $0.dimensions.first?.1 }) == ["/", "/_0"])
        }
    }

    @Test func closureThatTakesItsTimeMakesOneSocket() async throws {
        let gate = Gate()
        let asked = Recorder<Void>()
        try await TestServer(setUp: { io in
            _ = io.of { name, _ in
                guard name == "/slow" else { return false }
                asked.record(())
                await gate.wait()
                return true
            }
        }).run { io, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40/slow,")
            try await client.send("40/slow,")
            await asked.next()
            let leaving = try await TestClient.connect(to: address)
            try await leaving.send("40/slow,")
            await asked.next()
            await leaving.close()
            gate.open()
            #expect(await client.nextText()?.hasPrefix("40/slow,{") == true)
            gate.open()
            try await #expect(client.hasNothingMore())
            #expect(io.namespaces["/slow"]?.localSocketCount == 1)
        }
    }

    @Test func eventForANamespaceThatIsBeingDecidedClosesTheConnection() async throws {
        let gate = Gate()
        try await TestServer(setUp: { io in
            _ = io.of { _, _ in
                await gate.wait()
                return true
            }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            try await client.send("40/slow,")
            try await client.send("42/slow,[\"x\"]")
            #expect(await client.next() == .close)
            gate.open()
        }
    }
}

/// Matches everything; with some names it takes its time.
private struct Slow: CustomConsumingRegexComponent {
    typealias RegexOutput = Substring

    let begun: Recorder<Void>
    let gate: DispatchSemaphore

    func consuming(
        _ input: String,
        startingAt index: String.Index,
        in bounds: Range<String.Index>
    ) throws -> (upperBound: String.Index, output: Substring)? {
        if input.hasSuffix("slow") {
            self.begun.record(())
            self.gate.wait()
        }
        return (bounds.upperBound, input[index..<bounds.upperBound])
    }
}

/// Adapters that say when they start and close.
struct AdapterRecorder: AdapterFactory {
    let events = Recorder<String>()

    func makeAdapter(for host: any AdapterHost) -> any Adapter { Recording(name: host.name, events: self.events) }

    private struct Recording: LonelyAdapter {
        let name: String
        let events: Recorder<String>

        func start() async throws { self.events.record("start \(self.name)") }
        func close() async { self.events.record("close \(self.name)") }
    }
}
