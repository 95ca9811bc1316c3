import OrderedCollections

/// The kinds of messages of the official ClusterAdapter, with their numbers.
package enum ClusterMessageType: Int, Sendable, CaseIterable {
    /// Only nodes that count each other by heartbeats send this, and ``heartbeat`` and ``adapterClose``.
    case initialHeartbeat = 1
    case heartbeat = 2
    case broadcast = 3
    case join = 4
    case leave = 5
    case disconnect = 6
    case fetchSockets = 7
    case fetchSocketsResponse = 8
    case serverSideEmit = 9
    case serverSideEmitResponse = 10
    case broadcastClientCount = 11
    case broadcastAcknowledgement = 12
    case adapterClose = 13

    /// Whether official nodes write such a message in MessagePack if there are bytes in its data.
    package var mayCarryBytes: Bool {
        switch self {
        case .broadcast, .fetchSocketsResponse, .serverSideEmit, .serverSideEmitResponse, .broadcastAcknowledgement:
            true
        case .initialHeartbeat, .heartbeat, .join, .leave, .disconnect, .fetchSockets, .broadcastClientCount,
            .adapterClose:
            false
        }
    }
}

/// A message of the official ClusterAdapter on its way to other nodes (sharded and streams adapters).
///
/// ``ClusterEncoder`` writes it.
package enum ClusterMessage: Sendable {
    /// `[event, argument...]` for clients; with a request id, they acknowledge it.
    ///
    /// A packet with an id is for a single client, which acknowledges it to its own node. With recovery on, official
    /// nodes add such packets to the stream, too.
    case broadcast([JSONValue], BroadcastOptions, requestID: String?, packetID: Int? = nil)
    case join(BroadcastOptions, rooms: [Room])
    case leave(BroadcastOptions, rooms: [Room])
    case disconnect(BroadcastOptions, closingConnection: Bool)
    case fetchSockets(BroadcastOptions, requestID: String)
    /// `[event, argument...]` for servers; with a request id, they answer it.
    case serverSideEmit([JSONValue], requestID: String?)
    case sockets([SocketDescription], requestID: JSONValue?)
    /// Refuses to answer and says why; official nodes read it as an empty list of sockets.
    case refusal(reason: String, requestID: JSONValue?)
    /// `nil` is JavaScript's `undefined`.
    case serverSideAnswer(JSONValue?, requestID: JSONValue?)
    case clientCount(Int, requestID: JSONValue?)
    /// The first argument of a client's acknowledgement; `nil` is JavaScript's `undefined`.
    case acknowledgement(JSONValue?, requestID: JSONValue?)

    package var type: ClusterMessageType {
        switch self {
        case .broadcast: .broadcast
        case .join: .join
        case .leave: .leave
        case .disconnect: .disconnect
        case .fetchSockets: .fetchSockets
        case .serverSideEmit: .serverSideEmit
        case .sockets, .refusal: .fetchSocketsResponse
        case .serverSideAnswer: .serverSideEmitResponse
        case .clientCount: .broadcastClientCount
        case .acknowledgement: .broadcastAcknowledgement
        }
    }

    /// Whether it is for the one node that asked.
    package var isResponse: Bool {
        switch self {
        case .broadcast, .join, .leave, .disconnect, .fetchSockets, .serverSideEmit: false
        case .sockets, .refusal, .serverSideAnswer, .clientCount, .acknowledgement: true
        }
    }

    /// Whether there are bytes anywhere in what it carries.
    var hasBytes: Bool {
        switch self {
        case .broadcast(let arguments, _, _, _), .serverSideEmit(let arguments, _):
            arguments.contains(where: \.hasBytes)
        case .sockets(let sockets, _): sockets.contains { $0.handshake.hasBytes || $0.data.hasBytes }
        case .serverSideAnswer(let value, let id), .acknowledgement(let value, let id):
            value?.hasBytes ?? false || id?.hasBytes ?? false
        case .refusal(_, let id): id?.hasBytes ?? false
        case .join, .leave, .disconnect, .fetchSockets, .clientCount: false
        }
    }
}

extension JSONValue {
    /// Whether there are bytes at any depth.
    fileprivate var hasBytes: Bool {
        switch self {
        case .null, .bool, .int, .double, .string: false
        case .binary: true
        case .array(let elements): elements.contains(where: \.hasBytes)
        case .object(let members): members.values.contains(where: \.hasBytes)
        }
    }
}
