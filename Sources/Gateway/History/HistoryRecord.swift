import Crypto
import NIOCore
import SocketIOWire

/// What histories get of a publication.
struct HistoryRecord: Sendable {
    var content: HistoryContent
    var addition: HistoryAddition

    /// Whether the event is kept.
    ///
    /// If not, the histories end here, and their followers get the event with everybody else, without a position.
    var isKept: Bool { self.addition.isKept }
    /// The sockets that get the event from the histories.
    var followersRooms: [Room] { self.isKept ? self.content.keys.map(\.followersRoom) : [] }

    private init(_ content: HistoryContent, _ retention: (HistoryKey) -> HistoryRetention, marks: [String]) {
        self.content = content
        self.addition = HistoryAddition(
            id: content.id,
            streams: content.keys.map { .init(name: $0.name, retention: retention($0), mark: $0.mark) },
            message: content.bytes
        )
        self.addition.marks = marks
        if self.addition.message.readableBytes > HistoryContent.maximumBytes { self.drop() }
    }

    private mutating func drop() {
        self.addition.isKept = false
        self.addition.message = ByteBuffer()
    }

    /// A record of an event about an entry.
    ///
    /// - Parameters:
    ///   - kept: The event.
    ///   - isEveryNodes: Whether every node records the same event. Then it can be kept only if it has an id of its own, by
    ///     which the second one is known.
    init(_ kept: KeptEvent, isEveryNodes: Bool) {
        let id = isEveryNodes ? kept.event.eventID.map(Self.sharedID) : Self.newID()
        var event = kept.event
        event.eventID = nil
        self.init(
            HistoryContent(id: id ?? "", keys: kept.keys, except: [], body: .lifecycle(event)),
            { _ in kept.retention },
            marks: kept.marks
        )
        self.addition.isRepeated = isEveryNodes
        if id == nil { self.drop() }
    }

    /// A record of an event for rooms.
    init(_ event: String, _ argument: JSONValue, to rooms: [(Room, HistoryRetention)], except: [Room]) {
        let retentions = Dictionary(rooms) { first, _ in first }
        self.init(
            HistoryContent(
                id: Self.newID(),
                keys: rooms.map { .room($0.0) },
                except: except,
                body: .raw(event: event, argument: argument)
            ),
            { key in if case .room(let room) = key { retentions[room] ?? .off } else { .off } },
            marks: []
        )
    }

    /// A record of an event for those who follow an entity, which they get as it is.
    init(_ event: String, _ argument: JSONValue, to entity: EntityRef, _ retention: HistoryRetention, except: [Room]) {
        self.init(
            HistoryContent(
                id: Self.newID(),
                keys: [.entity(entity)],
                except: except,
                body: .raw(event: event, argument: argument)
            ),
            { _ in retention },
            marks: []
        )
    }

    private static func newID() -> String { "\(String(UInt64.random(in: .min ... .max), radix: 36))" }

    /// The id of an event that every node records.
    private static func sharedID(_ eventID: String) -> String {
        "e" + EventIDMemory.Key(eventID, scope: ["history"]).hexadecimal
    }
}
