import Gateway
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What a route answers, before it is written.
struct JSONAnswer: Sendable {
    var status = 200
    var value: JSONValue
    var headers: [(name: String, value: String)] = []
}

/// An answer that is a list (`{"sockets": [...]}`, with `complete` and `missing` if a part is enough).
///
/// The API writes it one element after the other.
struct AnswerList: Sendable {
    var name: String
    var elements: [SocketInfo]
    /// What is told about nodes that have not answered: `complete` and `missing`; `nil` if the list is known to be whole.
    var part: (isComplete: Bool, missing: [ClusterNode])?

    /// A list of which every node has told its part.
    init(name: String, elements: [SocketInfo]) {
        self.name = name
        self.elements = elements
    }

    /// A list of which some nodes may not have told their part.
    init(name: String, _ answer: ClusterAnswer<[SocketInfo]>) {
        self.name = name
        self.elements = answer.value
        self.part = (answer.isComplete, answer.missing)
    }

    func value(of element: SocketInfo) -> JSONValue { element.value }
}

/// What a request has achieved.
struct VerbResult: Sendable {
    /// `false` if there is no such socket, or if it could not be done.
    var success = true
    /// What was sent; `nil` if nothing was.
    var report: PublishReport?
    /// Further members of the answer.
    var details: JSONObject = [:]
    /// An answer of another form.
    var answerInstead: JSONAnswer?
    /// What stands for what was asked about.
    var entityTag: String?

    /// Whether the same request would publish a second time if it were repeated.
    var hasPublished: Bool { self.success && self.report?.delivery != nil && self.report?.delivery != .nobody }

    /// Whether it is known that the other nodes have it.
    private var isKnown: Bool {
        switch self.report?.delivery {
        case nil, .published, .nobody: true
        case .queued, .unconfirmed, .held: false
        }
    }

    /// `{success, delivery?, receipt?, …}`, with status 202 for a message that waits, or of which nobody knows.
    var answer: JSONAnswer {
        if let answer = self.answerInstead { return answer }
        var object: JSONObject = ["success": .bool(self.success)]
        if let report = self.report {
            object["delivery"] = .string(report.delivery.rawValue)
            object["receipt"] = report.receipt?.value
        }
        for (name, value) in self.details { object[name] = value }
        return JSONAnswer(
            status: self.isKnown ? 200 : 202,
            value: .object(object),
            headers: self.entityTag.map { [("ETag", "\"\($0)\"")] } ?? []
        )
    }
}

extension ClusterNode {
    /// `{id, address}`, each `null` if it is not known.
    var value: JSONValue {
        ["id": self.id.map(JSONValue.string) ?? .null, "address": self.address.map(JSONValue.string) ?? .null]
    }
}

extension PublishReceipt {
    /// `{receivers, nodes, missing}`.
    var value: JSONValue {
        [
            "receivers": .int(self.receivers), "nodes": .int(self.nodes),
            "missing": .array(self.missing.map { .string($0) }),
        ]
    }
}
