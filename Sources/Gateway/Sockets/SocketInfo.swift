import OrderedCollections
public import SocketIOWire

/// A socket, as answers to queries describe it.
public struct SocketInfo: Sendable, Hashable {
    /// Identifies the socket in the cluster.
    public var id: String
    /// The user of the socket, if it belongs to one.
    public var userID: EntityID?
    /// The type of the socket's role, if it has one.
    public var role: String?
    /// The API token of the socket, if it belongs to one.
    public var tokenID: String?
    /// The rooms that it is in, without those that the gateway uses for itself.
    public var rooms: [String]
    /// The user as an object: `{id, username?, email?, …}`.
    public var user: JSONValue?
    /// The node that it is connected to, if the node has a name.
    public var node: String?
    /// When it connected, in milliseconds since 1970.
    public var connectedAt: Int?
    /// The address it connected from.
    public var address: String?

    init(id: String, rooms: [Room], data: JSONValue, handshake: JSONValue) {
        let record = PrincipalRecord(data)
        self.id = id
        self.userID = record?.userID
        self.role = record?.role?.string
        self.tokenID = record?.tokenID?.string
        self.user = record?.user
        self.rooms = rooms.filter { !RoomName.isInternal($0) }.map(\.name)
        self.node = data["node"]?.stringValue
        self.connectedAt = handshake["issued"]?.intValue
        self.address = data["address"]?.stringValue ?? handshake["address"]?.stringValue
    }

    /// The object `{id, userId?, role?, tokenId?, rooms, user?, node?, connectedAt?, address?}`.
    public var value: JSONValue {
        var object: JSONObject = ["id": .string(self.id)]
        object["userId"] = self.userID?.value
        object["role"] = self.role.map { .string($0) }
        object["tokenId"] = self.tokenID.map { .string($0) }
        object["rooms"] = .array(self.rooms.map { .string($0) })
        object["user"] = self.user
        object["node"] = self.node.map { .string($0) }
        object["connectedAt"] = self.connectedAt.map { .int($0) }
        object["address"] = self.address.map { .string($0) }
        return .object(object)
    }
}

/// The result of a subscription.
public struct EntitySubscriptionResult: Sendable, Hashable {
    /// Whether the socket is subscribed.
    public var success: Bool
    /// The entry's room.
    public var room: String?
    /// The content type's uid.
    public var uid: String?
    /// The entry's id, as it was given.
    public var id: EntityID?
    /// Why the socket was not subscribed.
    public var error: String?

    static func done(_ uid: String, _ id: EntityID) -> EntitySubscriptionResult {
        EntitySubscriptionResult(success: true, room: RoomName.entity(uid, id).name, uid: uid, id: id)
    }

    static func failed(_ refusal: ClientRefusal) -> EntitySubscriptionResult {
        EntitySubscriptionResult(success: false, error: refusal.message)
    }

    /// The object `{success, room?, uid?, id?, error?}`.
    public var value: JSONValue {
        var object: JSONObject = ["success": .bool(self.success)]
        object["room"] = self.room.map { .string($0) }
        object["uid"] = self.uid.map { .string($0) }
        object["id"] = self.id?.value
        object["error"] = self.error.map { .string($0) }
        return .object(object)
    }
}

/// The entries that a socket has subscribed to.
public struct EntitySubscriptions: Sendable, Hashable {
    /// One of them.
    public struct Subscription: Sendable, Hashable {
        /// The content type's uid.
        public var uid: String
        /// The entry's id.
        public var id: String
        /// The entry's room.
        public var room: String

        /// The object `{uid, id, room}`.
        public var value: JSONValue {
            ["uid": .string(self.uid), "id": .string(self.id), "room": .string(self.room)]
        }
    }

    /// Whether the socket was found.
    public var success: Bool
    /// What the socket has subscribed to, in alphabetical order; `nil` if the socket was not found.
    public var subscriptions: [Subscription]?
    /// Why there is no list.
    public var error: String?

    init(rooms: some Sequence<Room>) {
        self.success = true
        self.subscriptions = Set(rooms.compactMap(EntityRef.init(followedIn:)))
            .map { Subscription(uid: $0.uid, id: $0.id, room: $0.room.name) }
            .sorted { UTF8Text($0.room) < UTF8Text($1.room) }
    }

    init(_ refusal: ClientRefusal) {
        self.success = false
        self.error = refusal.message
    }

    /// The object `{success, subscriptions?, error?}`.
    public var value: JSONValue {
        var object: JSONObject = ["success": .bool(self.success)]
        object["subscriptions"] = self.subscriptions.map { .array($0.map(\.value)) }
        object["error"] = self.error.map { .string($0) }
        return .object(object)
    }
}
