import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// How many sockets of each node an event would reach.
extension Explainer {
    /// Counts on this node and asks the others.
    func ask(
        _ audiences: [[BroadcastOptions]],
        _ target: ExplanationTarget
    ) async -> (ClusterCount, missing: [String]) {
        var socketID: String?
        if case .socket(let id) = target { socketID = id }
        var cluster = ClusterCount(nodes: [await self.count(audiences, socketID)])
        var question: JSONObject = ["audiences": .array(audiences.map { .array($0.map(\.addressing)) })]
        question["socket"] = socketID.map { .string($0) }
        let (answers, missing) = await self.context.askOthers(
            Self.explainEvent,
            .object(question),
            in: self.context.main
        )
        let counts = answers.compactMap { $0.flatMap { NodeCount($0, audiences: audiences.count) } }
        cluster.nodes += counts
        return (cluster, missing + Array(repeating: "unknown", count: answers.count - counts.count))
    }

    func count(_ audiences: [[BroadcastOptions]], _ socketID: String?) async -> NodeCount {
        var counts: [Int] = []
        for audience in audiences {
            var count = 0
            for options in audience { count += (try? await self.context.main.localTargetCount(of: options).get()) ?? 0 }
            counts.append(count)
        }
        var queuedBytes: Int?
        if let id = socketID.flatMap({ SocketID($0) }), let socket = await self.context.main.socket(id) {
            queuedBytes = try? await socket.eventLoop.submit { socket.queuedBytes }.get()
        }
        let name = self.context.configuration.nodeName ?? "unknown"
        return NodeCount(node: name, counts: counts, queuedBytes: queuedBytes)
    }
}

extension EventPlan.Variant {
    /// Whom it addresses.
    var options: [BroadcastOptions] {
        self.deliveries.map {
            BroadcastOptions(rooms: Array(OrderedSet($0.rooms)), except: Array(OrderedSet($0.except)))
        }
    }
}
