import NIOCore
import SocketIOWire

/// Something that this node can ask the others; it asks equal inquiries at the same time once.
enum Inquiry: Hashable, Sendable {
    case sockets(BroadcastOptions)
    case rooms
    /// Whether a node has one of some sockets; each caller names one.
    case search
    /// An event for the servers. Each has a number of its own, so no two are equal.
    case serverSideEmit(Int)

    /// What official nodes call it.
    var name: String {
        switch self {
        case .sockets, .search: "fetchSockets"
        case .rooms: "allRooms"
        case .serverSideEmit: "serverSideEmit"
        }
    }

    var question: ClusterResponse.Question {
        switch self {
        case .sockets, .search: .sockets
        case .rooms: .rooms
        case .serverSideEmit: .serverSideEmit
        }
    }

    /// Whether it may be asked twice.
    var isRepeatable: Bool {
        switch self {
        case .sockets, .rooms, .search: true
        // Every server would handle it again.
        case .serverSideEmit: false
        }
    }

    /// For how long at most the next one waits while an equal one is under way, so that many share it.
    var pause: TimeAmount {
        switch self {
        // The answers may be large.
        case .sockets, .rooms: .milliseconds(250)
        // They are small, and a caller waits for each.
        case .search: .milliseconds(5)
        case .serverSideEmit: .zero
        }
    }

    /// The message that asks.
    ///
    /// - Parameters:
    ///   - id: The id of the request.
    ///   - wanted: The sockets that are searched for.
    ///   - arguments: The event for the servers.
    /// - Returns: What to send.
    func message(_ id: String, wanted: [UTF8Text], arguments: [JSONValue]) -> OutgoingMessage {
        switch self {
        case .sockets(let options): return .fetchSockets(requestID: id, options)
        case .search:
            var options = BroadcastOptions()
            options.rooms.appendNew(wanted.map { Room($0.string) })
            return .fetchSockets(requestID: id, options)
        case .rooms: return .allRooms(requestID: id)
        case .serverSideEmit: return .serverSideEmit(requestID: id, arguments)
        }
    }
}
