import OrderedCollections
import SocketIOWire

/// What one node has counted.
struct NodeCount: Sendable {
    var node: String
    /// For each audience.
    var counts: [Int]
    /// Of the socket that was asked about, if it is on this node.
    var queuedBytes: Int?

    var value: JSONValue {
        var object: JSONObject = ["node": .string(self.node), "counts": .array(self.counts.map { .int($0) })]
        object["queuedBytes"] = self.queuedBytes.map { .int($0) }
        return .object(object)
    }

    init(node: String, counts: [Int], queuedBytes: Int?) {
        self.node = node
        self.counts = counts
        self.queuedBytes = queuedBytes
    }

    /// Reads another node's answer; `nil` if it is something else.
    init?(_ value: JSONValue, audiences: Int) {
        guard let node = value["node"]?.stringValue, let counts = value["counts"]?.arrayValue,
            counts.count == audiences, !counts.contains(where: { $0.intValue ?? -1 < 0 })
        else { return nil }
        self.init(node: node, counts: counts.compactMap(\.intValue), queuedBytes: value["queuedBytes"]?.intValue)
    }
}

/// What all nodes have counted.
struct ClusterCount {
    var nodes: [NodeCount]

    var queuedBytes: Int? { self.nodes.lazy.compactMap(\.queuedBytes).first }

    /// How many sockets of each node an audience has among the receivers.
    func receivers(of audience: Int) -> [String: Int] {
        var result: [String: Int] = [:]
        for node in self.nodes { result[node.node, default: 0] += node.counts[audience] }
        return result
    }
}
