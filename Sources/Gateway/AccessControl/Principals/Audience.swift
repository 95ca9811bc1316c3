public import SocketIOWire

/// A group that receives the same variants of events: one role, or one token.
public struct Audience: Sendable, Hashable {
    /// Every socket is in the room of exactly one audience.
    public let room: Room
    /// What its members may do.
    public let ability: Ability
    /// Which fields the audience sees, by the uid of a content type or component.
    public let fields: [String: Role.FieldRule]
    /// Unix time after which it receives nothing more; `nil` if there is no such time.
    public let expiresAt: Double?

    /// The audience of a role.
    public init(_ role: Role) {
        self.room = RoomName.role(role.type)
        self.ability = Ability(role.scopes)
        self.fields = role.fields
        self.expiresAt = nil
    }

    /// The audience of a token.
    public init(_ token: APIToken) {
        self.room = RoomName.token(token.slug)
        self.ability = token.ability
        self.fields = [:]
        self.expiresAt = token.expiresAt
    }

    private init(room: Room, ability: Ability) {
        self.room = room
        self.ability = ability
        self.fields = [:]
        self.expiresAt = nil
    }

    /// Those who run the gateway.
    public static let operators = Audience(room: RoomName.operators, ability: .full)
}
