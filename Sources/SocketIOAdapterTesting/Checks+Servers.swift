import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire

// Servers among themselves.

extension AdapterConformance {
    static func serverSideEvents(_ cluster: ConformanceCluster) async throws {
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
        try expect(Set(answers.compactMap { $0?.intValue }), Set(1..<max(1, cluster.nodes.count)))
        try expect(answers.count, cluster.nodes.count - 1)
        let nothing = try await cluster.first.sockets.serverSideEmitWithAck("nothing")
        // With streams, JavaScript's `undefined` is written as null.
        try expect(nothing.count, cluster.nodes.count - 1)
        try expect(nothing.allSatisfy { $0?.isNull ?? true }, true)
        continuation.finish()
        var received: Set<String> = []
        for await event in events { received.insert(event) }
        let expected = (1..<max(1, cluster.nodes.count)).flatMap { ["\($0) [1,{\"a\":\"b\"}]", "\($0) [2]"] }
        try expect(received, Set(expected))
    }

    static func nodeThatLeavesIsNotWaitedFor(_ cluster: ConformanceCluster) async throws {
        _ = try await cluster.clientOfEach()
        try expect(try await cluster.first.sockets.serverCount(), cluster.nodes.count)
        if cluster.nodes.count > 1 {
            await cluster.last.close()
            try expect(try await cluster.first.sockets.serverCount(), cluster.nodes.count - 1)
            try expect(try await cluster.first.sockets.fetchSockets().count, cluster.nodes.count - 1)
        }
    }

    static func namespaceMadeLaterJoins(_ cluster: ConformanceCluster) async throws {
        for node in cluster.nodes { _ = node.of("/late") }
        // Made without waiting; counted once it listens.
        while try await cluster.first.of("/late").serverCount() < cluster.nodes.count { await Task.yield() }
        let client = try await cluster.client(on: cluster.nodes.count - 1, "/late")
        cluster.first.of("/late").emit("hello")
        try expect(await client.nextText(), "42/late,[\"hello\"]")
    }
}
