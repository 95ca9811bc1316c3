import NIOCore
import OrderedCollections

extension ClusterEnvelope.Content {
    /// Reads what a message of that type is about.
    init(_ type: ClusterMessageType, uid: UTF8Text?, data: ClusterData?) throws(ClusterProtocolError) {
        switch type {
        case .initialHeartbeat, .heartbeat, .adapterClose:
            self = .heartbeat(type)
            return
        case .broadcast, .join, .leave, .disconnect, .fetchSockets, .fetchSocketsResponse, .serverSideEmit,
            .serverSideEmitResponse, .broadcastClientCount, .broadcastAcknowledgement:
            break
        }
        guard let data else { throw ClusterProtocolError(.unexpectedShape, "a message without data") }
        guard type != .broadcast else {
            self = try data.broadcast().content(uid: uid)
            return
        }
        let members = try data.members()
        let body: ClusterRequest.Body
        switch type {
        case .join:
            body = .join(
                try ClusterOptions.parse(members["opts"]),
                rooms: try ClusterRequest.rooms(members["rooms"])
            )
        case .leave:
            body = .leave(
                try ClusterOptions.parse(members["opts"]),
                rooms: try ClusterRequest.rooms(members["rooms"])
            )
        case .disconnect:
            body = .disconnect(
                try ClusterOptions.parse(members["opts"]),
                closingConnection: ClusterRequest.closesConnection(members)
            )
        case .fetchSockets: body = .fetchSockets(ClusterRequest.questionOptions(members))
        case .serverSideEmit: body = .serverSideEmit(try ClusterRequest.serverSideEvent(members["packet"]))
        case .fetchSocketsResponse, .serverSideEmitResponse, .broadcastClientCount, .broadcastAcknowledgement,
            .initialHeartbeat, .heartbeat, .adapterClose, .broadcast:
            self = .response(try ClusterResponse(type, members, uid: uid))
            return
        }
        self = .request(ClusterRequest(uid: uid, requestID: members["requestId"], body: body))
    }
}

extension ClusterResponse {
    /// Reads an answer; its type tells which kind of question it answers.
    fileprivate init(
        _ type: ClusterMessageType,
        _ members: JSONObject,
        uid: UTF8Text?
    ) throws(ClusterProtocolError) {
        guard let requestID = members["requestId"]?.stringValue else {
            throw ClusterProtocolError(.unexpectedShape, "a response without the id of its request")
        }
        let refusal = members[Self.refusalKey]?.stringValue.map { Answer.refusal($0) }
        let content: Content
        switch type {
        case .fetchSocketsResponse:
            var answer = Answer.nothing
            if case .array(let sockets)? = members["sockets"] { answer = .sockets(Self.sockets(sockets)) }
            content = .typed(.sockets, refusal ?? answer)
        case .serverSideEmitResponse: content = .typed(.serverSideEmit, refusal ?? .serverSide(members["packet"]))
        case .broadcastClientCount:
            content = .typed(.acknowledgements, .clientCount(try Self.clientCount(members["clientCount"])))
        case .broadcastAcknowledgement: content = .typed(.acknowledgements, .acknowledgement(members["packet"]))
        case .initialHeartbeat, .heartbeat, .adapterClose, .broadcast, .join, .leave, .disconnect, .fetchSockets,
            .serverSideEmit:
            throw ClusterProtocolError(.wrongChannel, "a request among the responses")
        }
        self.init(requestID: UTF8Text(requestID), uid: uid, content: content)
    }
}

/// The parts of a broadcast's data.
struct BroadcastParts {
    /// Whether the packet is an event.
    var isEvent = false
    /// `[event, argument...]`; `nil` if clients can't be sent such an event.
    var payload: EventPayload?
    var hasID = false
    /// The sockets that it addresses; an error if that is unclear.
    var options: Result<BroadcastOptions?, ClusterProtocolError> = .failure(
        ClusterProtocolError(.unexpectedShape, "a broadcast without options")
    )
    var requestID: JSONValue?

    init() {}

    /// The broadcast, or a request if the sender waits for acknowledgements.
    func content(uid: UTF8Text?) throws(ClusterProtocolError) -> ClusterEnvelope.Content {
        let payload = self.isEvent ? self.payload : nil
        guard let requestID = self.requestID else {
            guard let payload else { throw ClusterProtocolError(.unexpectedShape, "a broadcast without an event") }
            return .broadcast(ClusterBroadcast(options: try self.options.get(), payload: payload, hasID: self.hasID))
        }
        // This node answers even if the event reaches nobody, because the other node waits.
        var arguments: [JSONValue] = []
        if let payload, let values = try? payload.arguments() { arguments = values }
        let options = (try? self.options.get()) ?? nil
        return .request(
            ClusterRequest(uid: uid, requestID: requestID, body: .broadcast(arguments, options))
        )
    }
}
