import OrderedCollections

/// An answer of another node.
package struct ClusterResponse: Sendable {
    /// The kinds of questions.
    package enum Question: Sendable, Hashable {
        case sockets
        case rooms
        case serverSideEmit
        case acknowledgements
    }

    package enum Answer: Sendable {
        case sockets([SocketDescription])
        case rooms([Room])
        /// Another server's answer to an event; `nil` if that was nothing.
        case serverSide(JSONValue?)
        case clientCount(Int)
        /// The first argument of a client's acknowledgement; `nil` if it had none.
        case acknowledgement(JSONValue?)
        /// There is no list where one was asked for; some nodes leave empty lists out.
        case nothing
        /// The other node refuses to answer, for that reason.
        case refusal(String)
    }

    /// How an answer tells which kind of question it answers.
    enum Content: Sendable {
        /// It does not tell. It is read as an answer to the question that its id belongs to.
        case untyped(JSONObject)
        case typed(Question, Answer)
    }

    /// The question that is answered.
    package let requestID: UTF8Text
    /// Who answers, if the message says so.
    package let uid: UTF8Text?
    private let content: Content

    init(requestID: UTF8Text, uid: UTF8Text? = nil, content: Content) {
        self.requestID = requestID
        self.uid = uid
        self.content = content
    }

    /// What this answers to a question.
    ///
    /// - Throws: ``ClusterProtocolError`` if it is no answer to that kind of question.
    package func answer(to question: Question) throws(ClusterProtocolError) -> Answer {
        switch self.content {
        case .untyped(let members): return try Self.classicAnswer(members, to: question)
        case .typed(question, let answer): return answer
        case .typed: throw ClusterProtocolError(.unexpectedShape, "an answer to another kind of question")
        }
    }

    /// The member that says why a node does not answer; official nodes don't look at it.
    static let refusalKey: UTF8Text = "refused"
}

// MARK: - What adapters have in common

extension ClusterResponse {
    /// The sockets of a list that can be addressed.
    static func sockets(_ list: [JSONValue]) -> [SocketDescription] { list.compactMap { SocketDescription($0) } }

    /// A number of clients.
    static func clientCount(_ value: JSONValue?) throws(ClusterProtocolError) -> Int {
        switch value {
        case nil, .null?: return 0
        case .string(let text)?:
            if let count = Int(text) { return max(0, count) }
        case let value?:
            if let count = value.intValue { return max(0, count) }
        }
        throw ClusterProtocolError(.unexpectedShape, "a response without a count")
    }
}

extension SocketDescription {
    /// A socket as another node describes it; `nil` if it has no id by which it can be addressed.
    fileprivate init?(_ value: JSONValue) {
        guard let id = value["id"].flatMap({ Room($0) })?.name else { return nil }
        let handshake = value["handshake"]?.objectValue ?? [:]
        self.init(
            id: id,
            handshake: .object(handshake),
            rooms: RoomList(value["rooms"])?.rooms ?? [],
            data: value["data"] ?? .object([:])
        )
    }
}
