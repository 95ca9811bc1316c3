import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire

// Events for clients.

extension AdapterConformance {
    static func broadcastsReachTheRightClientsOnce(_ cluster: ConformanceCluster) async throws {
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
                    try expect(await client.nextText(), "42[\"\(event)\",\(number)]")
                }
            }
        }
    }

    static func orderIsKept(_ cluster: ConformanceCluster) async throws {
        let clients = try await cluster.clientOfEach(in: "r")
        for number in 0..<300 {
            if number.isMultiple(of: 2) {
                cluster.first.to("r").emit("n", number)
            } else {
                cluster.first.sockets.emit("n", number)
            }
        }
        for client in clients {
            for number in 0..<300 { try expect(await client.nextText(), "42[\"n\",\(number)]") }
        }
    }

    static func valuesArriveAsTheyAre(_ cluster: ConformanceCluster) async throws {
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
            try expect(await client.nextText(), "42\(text)")
            let placeholders = (0..<3).map { "{\"_placeholder\":true,\"num\":\($0)}" }
            try expect(
                await client.nextText(),
                "453-[\"bytes\",\(placeholders[0]),{\"n\":[\(placeholders[1]),\(placeholders[2])]}]"
            )
            for bytes in [[1, 2], Array(repeating: 7, count: 70_000), []] as [[UInt8]] {
                try expect(await client.next(), .binary(bytes))
            }
        }
    }

    static func localStaysLocal(_ cluster: ConformanceCluster) async throws {
        let clients = try await cluster.clientOfEach(in: "r")
        cluster.first.sockets.local.emit("local")
        cluster.first.sockets.local.socketsJoin(["l"])
        cluster.first.sockets.emit("end")
        cluster.first.to("l").emit("room")
        try expect(await clients[0].nextText(), "42[\"local\"]")
        for client in clients { try expect(await client.nextText(), "42[\"end\"]") }
        try expect(await clients[0].nextText(), "42[\"room\"]")
        try expect(try await cluster.first.sockets.local.fetchSockets().map(\.id), [clients[0].id])
        cluster.first.sockets.local.disconnectSockets()
        cluster.first.sockets.emit("end")
        try expect(await clients[0].nextText(), "41")
        for client in clients.dropFirst() { try expect(await client.nextText(), "42[\"end\"]") }
    }

    static func namespacesAreApart(_ cluster: ConformanceCluster) async throws {
        let last = cluster.nodes.count - 1
        let main = try await cluster.client(on: last, in: "r")
        let other = try await cluster.client(on: last, "/other", in: "r")
        cluster.first.to("r").emit("main")
        cluster.first.of("/other").to("r").emit("other")
        cluster.first.sockets.emit("end")
        cluster.first.of("/other").emit("end")
        try expect(await main.nextText(), "42[\"main\"]")
        try expect(await main.nextText(), "42[\"end\"]")
        try expect(await other.nextText(), "42/other,[\"other\"]")
        try expect(await other.nextText(), "42/other,[\"end\"]")
        try expect(try await cluster.first.of("/other").fetchSockets().map(\.id), [other.id])
    }
}
