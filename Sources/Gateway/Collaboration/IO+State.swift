public import NIOCore
import SocketIOServer
public import SocketIOWire

/// What a room remembers; see ``IO/roomState(of:)``.
public struct RoomStateSnapshot: Sendable, Hashable {
    /// The room.
    public var room: Room
    /// `{state: [{key, value, by, connections?, expiresAt?}], version}`.
    public var value: JSONValue

    /// The number of the last change; 0 for a room that remembers nothing.
    public var version: Int { self.value["version"]?.intValue ?? 0 }

    /// The value of a key; `nil` if there is none.
    public subscript(key: String) -> JSONValue? { self.entry(key)?["value"] }

    /// `{key, value, by, connections?, expiresAt?}` of a key; `nil` if there is none.
    public func entry(_ key: String) -> JSONValue? {
        self.value["state"]?.arrayValue?.first { $0["key"]?.stringValue.map { UTF8Text($0) } == UTF8Text(key) }
    }
}

extension IO {
    /// What a room remembers.
    ///
    /// - Parameter room: A room of the main namespace.
    /// - Returns: All keys, and the number of the last change.
    /// - Throws: `ClusterError` if it cannot be read.
    public func roomState(of room: Room) async throws -> RoomStateSnapshot {
        let snapshot = try await self.collaboration.states.snapshot(of: room, for: nil)
        return RoomStateSnapshot(room: room, value: .object(snapshot.object))
    }

    /// Who edits an entry.
    ///
    /// - Parameters:
    ///   - uid: The content type.
    ///   - documentID: The entry.
    /// - Returns: `[{socketId, user, joinedAt, connections, …}]`, first come first.
    /// - Throws: ``GatewayError`` for a text that cannot be an entry's id; `ClusterError` if it cannot be read.
    public func editors(of uid: String, _ documentID: String) async throws -> [JSONValue] {
        try ContentType.checkUID(uid)
        guard EntityRef.isValidID(documentID) else {
            throw GatewayError(.invalidArguments, "'\(documentID.abridged(toBytes: 128))' cannot be the id of an entry")
        }
        let room = RoomName.presence(EntityRef(uid: uid, id: documentID))
        return Presence.editors(try await self.collaboration.states.snapshot(of: room, for: nil).entries)
    }

    /// Whether anybody edits an entry.
    ///
    /// - Throws: As ``editors(of:_:)``.
    public func isBeingEdited(_ uid: String, _ documentID: String) async throws -> Bool {
        try await !self.editors(of: uid, documentID).isEmpty
    }

    /// The users who are online, a part at a time, from an index of the cluster.
    ///
    /// - Parameters:
    ///   - cursor: What the part before has told; `nil` for the first.
    ///   - limit: The most users.
    /// - Returns: The users, how many are online altogether, and the cursor of the next part; `nil` if there is none.
    /// - Throws: ``GatewayError`` for a cursor that nobody has told; `ClusterError` if the index cannot be read.
    public func onlineUsers(after cursor: String? = nil, limit: Int = 100) async throws -> OnlineUsersPage {
        var position: OnlinePosition?
        if let cursor {
            position = OnlinePosition(cursor)
            guard position != nil else {
                throw GatewayError(.invalidArguments, "'cursor' must be the 'next' of an earlier answer")
            }
        }
        guard (1...1_000).contains(limit) else {
            throw GatewayError(.invalidArguments, "'limit' must be 1 to 1000, not \(limit)")
        }
        let (users, next) = try await self.collaboration.online.page(after: position, limit: limit)
        return OnlineUsersPage(users: users, total: try await self.collaboration.online.count(), next: next?.text)
    }

    /// How many sockets are in a room, on all nodes that answer.
    public func countSockets(in room: Room) async -> RoomCount {
        await self.collaboration.counts.sockets(in: room)
    }

    /// Tells the cluster that this node ends, so that nobody waits until its leases are over.
    ///
    /// Call it when all clients are disconnected, and before the connection to the broker is closed.
    public func withdraw() async { await self.collaboration.states.withdraw() }
}

/// A part of the users who are online.
public struct OnlineUsersPage: Sendable, Hashable {
    /// `{userId, user, connectedAt, onlineFor, connections}` of each; times in milliseconds since 1970, `onlineFor` in
    /// seconds.
    public var users: [JSONValue]
    /// How many users are online altogether.
    public var total: Int
    /// Where the next part begins; `nil` if there is none.
    public var next: String?

    /// `{users, counts: {total}, next}`.
    public var value: JSONValue {
        [
            "users": .array(self.users), "counts": ["total": .int(self.total)],
            "next": self.next.map { .string($0) } ?? .null,
        ]
    }
}

// MARK: - Changing

extension Publisher {
    /// Gives a key of a room's state a value, whoever's it is.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - room: A room of the main namespace.
    ///   - value: Anything but `null`, without bytes.
    ///   - lifetime: How long it stays; `nil` is until it is removed.
    ///   - author: What members see as the one who did it.
    /// - Returns: What happened to it, and the number of the change.
    /// - Throws: ``GatewayError`` for what rooms do not remember; `ClusterError` if it was refused because the cluster is
    ///   out of reach.
    public func setState(
        _ key: String,
        in room: Room,
        to value: JSONValue,
        lifetime: TimeAmount? = nil,
        by author: JSONValue = .null
    ) async throws -> (PublishReport, version: Int?) {
        let settings = self.io.configuration.roomState
        do throws(ClientRefusal) {
            _ = try RoomStateValue.checked(value, settings)
        } catch {
            throw GatewayError(.invalidArguments, error.message)
        }
        if let lifetime, lifetime <= .zero {
            throw GatewayError(.invalidArguments, ClientRefusal.invalidLifetime.message)
        }
        let milliseconds = lifetime.map { Int($0.nanoseconds / 1_000_000) }
        return try await self.change(key, in: room, .set(value, lifetime: milliseconds.map { max(1, $0) }), author)
    }

    /// Removes a key of a room's state, whoever's it is.
    ///
    /// - Returns: What happened to it, and the number of the change or of the state that had no such key.
    /// - Throws: As ``setState(_:in:to:lifetime:by:)``.
    public func removeState(
        _ key: String,
        in room: Room,
        by author: JSONValue = .null
    ) async throws -> (PublishReport, version: Int?) {
        try await self.change(key, in: room, .remove, author)
    }

    private func change(
        _ key: String,
        in room: Room,
        _ wish: StateRequest.Wish,
        _ author: JSONValue
    ) async throws -> (PublishReport, version: Int?) {
        let settings = self.io.configuration.roomState
        guard settings.enabled else {
            throw GatewayError(.invalidArguments, "Room state is disabled (roomState.enabled)")
        }
        guard Collaboration.hasOwnState(room) else {
            throw GatewayError(
                .invalidArguments,
                "The state of the room '\(room.name.abridged(toBytes: 128))' is the gateway's own"
            )
        }
        guard (1...settings.maximumKeyLength).contains(key.utf8.count) else {
            throw GatewayError(.invalidArguments, "A key must have 1 to \(settings.maximumKeyLength) bytes")
        }
        let request = StateRequest(
            room: room,
            key: UTF8Text(key),
            wish: wish,
            by: author,
            limits: settings.sizes,
            mustNotWait: self.whileUnreachable == .refuse
        )
        switch await self.io.collaboration.states.change(request) {
        case .changed(let version), .unchanged(let version): return (PublishReport(.published), version)
        case .replaced: return (PublishReport(.published), nil)
        case .queued: return (PublishReport(.queued), nil)
        case .refused(.tooManyKeys):
            throw GatewayError(.invalidArguments, ClientRefusal.maximumKeys(settings.maximumKeys).message)
        case .refused(.tooLarge):
            throw GatewayError(.invalidArguments, ClientRefusal.maximumStateBytes(settings.maximumRoomBytes).message)
        case .busy, .notAMember, .tooMany:
            throw ClusterError(code: .refused, message: "Too many changes of room state wait; try again")
        case .unreachable:
            throw ClusterError(code: .unreachable, message: "Could not change the state of a room: Redis is away")
        }
    }

    /// Shows those who preview an entry what it is now.
    ///
    /// Each sees only what its role may see.
    ///
    /// - Parameters:
    ///   - uid: The content type.
    ///   - documentID: The entry.
    ///   - data: The entry.
    ///   - previous: The entry as it was; then they see what is different.
    /// - Returns: What happened to it.
    /// - Throws: ``GatewayError`` for a content type that is not configured; `ClusterError` if it was refused.
    public func emitDraftChange(
        _ uid: String,
        _ documentID: String,
        data: JSONValue,
        previous: JSONValue? = nil
    ) async throws -> PublishReport {
        try await self.preview(.change, uid, documentID, data, previous)
    }

    /// Tells those who preview an entry that it is published; see ``emitDraftChange(_:_:data:previous:)``.
    public func emitPublish(_ uid: String, _ documentID: String, data: JSONValue) async throws -> PublishReport {
        try await self.preview(.publish, uid, documentID, data, nil)
    }

    /// Tells those who preview an entry that it is a draft again; see ``emitDraftChange(_:_:data:previous:)``.
    public func emitUnpublish(_ uid: String, _ documentID: String, data: JSONValue = [:]) async throws -> PublishReport
    {
        try await self.preview(.unpublish, uid, documentID, data, nil)
    }

    private func preview(
        _ kind: LivePreview.Kind,
        _ uid: String,
        _ documentID: String,
        _ data: JSONValue,
        _ previous: JSONValue?
    ) async throws -> PublishReport {
        guard EntityRef.isValidID(documentID) else { return PublishReport(.nobody) }
        return try await self.confirm(
            self.io.collaboration.preview.publication(
                kind,
                EntityRef(uid: uid, id: documentID),
                data: data,
                previous: previous,
                onlyHere: false
            )
        )
    }
}
