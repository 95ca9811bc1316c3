import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// What every adapter has to do: the same checks on every kind of cluster, with real servers and real clients.
///
/// That something does not arrive is shown by what was sent after it having arrived.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct AdapterConformanceTests {
    @Test(arguments: ClusterKind.allCases)
    func broadcastsReachTheRightClientsOnce(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let last = cluster.nodes.count - 1
            let a = try await cluster.client(on: 0, in: "1", "2")
            let b = try await cluster.client(on: last, in: "2", "3")
            let c = try await cluster.client(on: last, in: "3", "é€ #*")
            for (number, node) in cluster.nodes.enumerated() {
                node.sockets.emit("all", number)
                node.to("1", "2").emit("rooms", number)
                node.to("3").except("2").emit("except", number)
                node.to(Room(b.id)).emit("socket", number)
                node.except("1", "2").emit("others", number)
                node.to("é€ #*").volatile.compress(false).emit("flags", number)
                node.to("nobody").emit("never", number)
                node.sockets.emit("end", number)
                let expected: [(TestClient, [String])] = [
                    (a, ["all", "rooms", "end"]), (b, ["all", "rooms", "socket", "end"]),
                    (c, ["all", "except", "others", "flags", "end"]),
                ]
                for (client, events) in expected {
                    for event in events {
                        #expect(await client.nextText() == "42[\"\(event)\",\(number)]")
                    }
                }
            }
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func orderIsKept(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let clients = try await cluster.clientOfEach(in: "r")
            for number in 0..<300 {
                if number.isMultiple(of: 2) {
                    cluster.first.to("r").emit("n", number)
                } else {
                    cluster.first.sockets.emit("n", number)
                }
            }
            for client in clients {
                for number in 0..<300 { #expect(await client.nextText() == "42[\"n\",\(number)]") }
            }
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func valuesArriveAsTheyAre(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let clients = try await cluster.clientOfEach()
            let values: [JSONValue] = [
                .null, true, -1, 255, 65_536, 9_007_199_254_740_991, 0.1, 1e300, "é€ 😀 \u{0} \u{2028} \" \\", [], [:],
                ["b": [1, ["a": .null]], "a": "order is kept"], .string(String(repeating: "x", count: 70_000)),
            ]
            cluster.first.sockets.emit("values", values: values)
            let bytes = ByteBuffer(repeating: 7, count: 70_000)
            cluster.first.sockets.emit(
                "bytes",
                values: [.binary(ByteBuffer(bytes: [1, 2])), ["n": [.binary(bytes), .binary(ByteBuffer())]]]
            )
            let text = JSONValue.array(["values"] + values)
            for client in clients {
                #expect(await client.nextText() == "42\(text)")
                let placeholders = (0..<3).map { "{\"_placeholder\":true,\"num\":\($0)}" }
                #expect(
                    await client.nextText()
                        == "453-[\"bytes\",\(placeholders[0]),{\"n\":[\(placeholders[1]),\(placeholders[2])]}]"
                )
                for bytes in [[1, 2], Array(repeating: 7, count: 70_000), []] as [[UInt8]] {
                    #expect(await client.next() == .binary(bytes))
                }
            }
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func localStaysLocal(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let clients = try await cluster.clientOfEach(in: "r")
            cluster.first.sockets.local.emit("local")
            cluster.first.sockets.local.socketsJoin(["l"])
            cluster.first.sockets.emit("end")
            cluster.first.to("l").emit("room")
            #expect(await clients[0].nextText() == "42[\"local\"]")
            for client in clients { #expect(await client.nextText() == "42[\"end\"]") }
            #expect(await clients[0].nextText() == "42[\"room\"]")
            #expect(try await cluster.first.sockets.local.fetchSockets().map(\.id) == [clients[0].id])
            cluster.first.sockets.local.disconnectSockets()
            cluster.first.sockets.emit("end")
            #expect(await clients[0].nextText() == "41")
            for client in clients.dropFirst() { #expect(await client.nextText() == "42[\"end\"]") }
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func namespacesAreApart(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let last = cluster.nodes.count - 1
            let main = try await cluster.client(on: last, in: "r")
            let other = try await cluster.client(on: last, "/other", in: "r")
            cluster.first.to("r").emit("main")
            cluster.first.of("/other").to("r").emit("other")
            cluster.first.sockets.emit("end")
            cluster.first.of("/other").emit("end")
            #expect(await main.nextText() == "42[\"main\"]")
            #expect(await main.nextText() == "42[\"end\"]")
            #expect(await other.nextText() == "42/other,[\"other\"]")
            #expect(await other.nextText() == "42/other,[\"end\"]")
            #expect(try await cluster.first.of("/other").fetchSockets().map(\.id) == [other.id])
        }
    }

    // MARK: Acknowledgements

    /// Reads an event that wants an acknowledgement, and answers it.
    private func acknowledge(_ client: TestClient, with text: String) async throws {
        let event = try #require(await client.nextText())
        let id = event.dropFirst(2).prefix { $0.isNumber }
        try #require(!id.isEmpty, "no acknowledgement is wanted: \(event)")
        try await client.send("43\(id)[\(text)]")
    }

    @Test(arguments: ClusterKind.allCases)
    func acknowledgementsOfAllClients(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let clients = try await cluster.clientOfEach(in: "r")
            let node = cluster.first
            let answers = Task { () -> [Int] in
                try await node.to("r").timeout(.seconds(20)).emitWithAck("question", returning: Int.self)
            }
            for (number, client) in clients.enumerated() { try await self.acknowledge(client, with: "\(number),9") }
            #expect(try await answers.value.sorted() == Array(0..<clients.count))

            let nobody = try await cluster.last.to("nobody").timeout(.seconds(20))
                .emitWithAck("question", returning: Int.self)
            #expect(nobody == [])
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func missingAcknowledgementsTellWhatDidArrive(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let last = cluster.nodes.count - 1
            let a = try await cluster.client(on: last, in: "r")
            let silent = try await cluster.client(on: last, in: "r")
            let node = cluster.first
            let answers = Task { () -> [String] in
                try await node.to("r").timeout(.milliseconds(300)).emitWithAck("question", returning: String.self)
            }
            try await self.acknowledge(a, with: "\"here\"")
            let error = await #expect(throws: AcknowledgementError.self) { try await answers.value }
            #expect(error?.code == .timeout)
            #expect(error?.responses == ["here"])
            #expect(await silent.nextText()?.hasSuffix("[\"question\"]") == true)
        }
    }

    // MARK: Sockets of other nodes

    @Test(arguments: ClusterKind.allCases)
    func socketsOfAllNodes(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            for node in cluster.nodes {
                node.onConnection { socket in socket.data = ["name": .string("n-\(socket.id)"), "bin": .null] }
            }
            let clients = try await cluster.clientOfEach(in: "r", "42")
            let sockets = try await cluster.first.sockets.fetchSockets()
            #expect(Set(sockets.map(\.id)) == Set(clients.map(\.id)))
            for socket in sockets {
                #expect(Set(socket.rooms) == [Room(socket.id), "r", "42"])
                #expect(socket.data["name"] == .string("n-\(socket.id)"))
                #expect(socket.handshake["query"]?["transport"] == "websocket")
                let keys = socket.handshake.objectValue?.keys.elements
                #expect(
                    keys == ["headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth"]
                )
            }
            let last = try #require(clients.last)
            #expect(try await cluster.first.sockets.in(Room(last.id)).fetchSockets().map(\.id) == [last.id])
            #expect(try await cluster.first.sockets.in("nobody").fetchSockets().isEmpty)
            #expect(try await cluster.first.sockets.in("r").except("42").fetchSockets().isEmpty)
            let rooms = try await cluster.first.sockets.allRooms()
            #expect(rooms == Set(clients.map { Room($0.id) } + ["r", "42"]))
            #expect(try await cluster.first.sockets.serverCount() == kind.nodeCount)
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func commandsToSocketsOfAllNodes(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let clients = try await cluster.clientOfEach(in: "r")
            cluster.first.to("r").socketsJoin(["x", "y"])
            cluster.first.to("x").emit("x")
            cluster.first.to("r").socketsLeave(["x"])
            cluster.first.to("x").emit("never")
            cluster.first.to("y").emit("y")
            for client in clients {
                #expect(await client.nextText() == "42[\"x\"]")
                #expect(await client.nextText() == "42[\"y\"]")
            }
            cluster.first.to("r").disconnectSockets()
            for client in clients { #expect(await client.nextText() == "41") }
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func remoteSockets(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let client = try await cluster.client(on: cluster.nodes.count - 1)
            let remote = try #require(try await cluster.first.sockets.fetchSockets().first)
            #expect(remote.id == client.id)
            remote.emit("direct", 1)
            #expect(await client.nextText() == "42[\"direct\",1]")
            remote.join("x")
            cluster.first.to("x").emit("joined")
            #expect(await client.nextText() == "42[\"joined\"]")
            remote.leave("x")
            cluster.first.to("x").emit("never")
            remote.disconnect(closingConnection: true)
            while let text = await client.nextText() { #expect(text != "42[\"never\"]") }
        }
    }

    // MARK: Servers among themselves

    @Test(arguments: ClusterKind.allCases)
    func serverSideEvents(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            let (events, continuation) = AsyncStream<String>.makeStream()
            for (number, node) in cluster.nodes.enumerated() {
                node.sockets.onServerSide("hello") { arguments, reply in
                    continuation.yield("\(number) \(JSONValue.array(arguments))")
                    reply?(.int(number))
                    reply?("only the first answer counts")
                }
                node.sockets.onServerSide("nothing") { _, reply in reply?(nil) }
            }
            try cluster.first.sockets.serverSideEmit("hello", 1, ["a": "b"])
            let answers = try await cluster.first.sockets.serverSideEmitWithAck("hello", 2)
            #expect(Set(answers.compactMap { $0?.intValue }) == Set(1..<max(1, kind.nodeCount)))
            #expect(answers.count == kind.nodeCount - 1)
            let nothing = try await cluster.first.sockets.serverSideEmitWithAck("nothing")
            // With streams, JavaScript's `undefined` is written as null.
            #expect(nothing.count == kind.nodeCount - 1 && nothing.allSatisfy { $0?.isNull ?? true })
            continuation.finish()
            var received: Set<String> = []
            for await event in events { received.insert(event) }
            let expected = (1..<max(1, kind.nodeCount)).flatMap { ["\($0) [1,{\"a\":\"b\"}]", "\($0) [2]"] }
            #expect(received == Set(expected))
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func nodeThatLeavesIsNotWaitedFor(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            _ = try await cluster.clientOfEach()
            #expect(try await cluster.first.sockets.serverCount() == kind.nodeCount)
            if kind.nodeCount > 1 {
                await cluster.last.close()
                #expect(try await cluster.first.sockets.serverCount() == kind.nodeCount - 1)
                #expect(try await cluster.first.sockets.fetchSockets().count == kind.nodeCount - 1)
            }
        }
    }

    @Test(arguments: ClusterKind.allCases)
    func namespaceMadeLaterJoins(_ kind: ClusterKind) async throws {
        try await TestCluster.run(kind) { cluster in
            for node in cluster.nodes { _ = node.of("/late") }
            // Made without waiting; counted once it listens.
            while try await cluster.first.of("/late").serverCount() < kind.nodeCount { await Task.yield() }
            let client = try await cluster.client(on: cluster.nodes.count - 1, "/late")
            cluster.first.of("/late").emit("hello")
            #expect(await client.nextText() == "42/late,[\"hello\"]")
        }
    }
}
