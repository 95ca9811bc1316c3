import NIOConcurrencyHelpers
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Entries that sockets follow, and what this node knows about entries: which ids belong to the same entry, and who owns
/// it.
final class Subscriptions: Sendable {
    let context: GatewayContext
    let sockets: SocketDirectory
    let budgets: ClientBudgets
    private let entities: NIOLockedValueBox<EntityMemory>

    init(_ context: GatewayContext, sockets: SocketDirectory, budgets: ClientBudgets) {
        self.context = context
        self.sockets = sockets
        self.budgets = budgets
        self.entities = NIOLockedValueBox(
            EntityMemory(capacity: context.configuration.entitySubscriptions.rememberedIDs)
        )
    }

    /// The server-side event with which a node tells the others who owns entries.
    private static let entityEvent = "io:entity"

    /// Remembers what an event says about its entries, and tells the other nodes who owns them.
    func learn(from event: LifecycleEvent, onlyHere: Bool) {
        guard let type = self.context.rules.value.content.schema.contentType(event.schema.uid), type.isRemembered else {
            return
        }
        let identities = Self.identities(in: event.data, of: type)
        self.learn(identities, of: type)
        let owned = identities.filter { $0.owners != nil && !$0.ids.isEmpty }
        guard !onlyHere, !owned.isEmpty else { return }
        // This cannot fail, because it encodes nothing but texts.
        try? self.context.main.serverSideEmit(Self.entityEvent, JSONValue.array(owned.map(\.value)))
    }

    /// Remembers ids and owners, and makes sure that only owners follow entries that only they may see.
    func learn(_ identities: [EntityIdentity], of type: ContentType) {
        guard type.isRemembered else { return }
        let completed = self.entities.withLockedValue { memory in
            identities.map { identity in
                memory.learn(identity)
                return memory.completed(identity)
            }
        }
        guard type.ownerField != nil else { return }
        for identity in completed { self.admitOwners(of: identity) }
    }

    private static func identities(in value: JSONValue, of type: ContentType) -> [EntityIdentity] {
        switch value {
        case .object(let entry): [type.identity(of: entry)]
        case .array(let elements): elements.flatMap { Self.identities(in: $0, of: type) }
        case .null, .bool, .int, .double, .string, .binary: []
        }
    }

    /// What is known about an entry, earlier events included.
    func completed(_ identity: EntityIdentity) -> EntityIdentity {
        self.entities.withLockedValue { $0.completed(identity) }
    }

    /// Who owns an entry; `nil` if that is not known.
    func owners(of entity: EntityRef, _ type: ContentType) -> [EntityID]? {
        guard type.ownerField != nil else { return nil }
        return self.entities.withLockedValue {
            $0.owners(uid: entity.uid, id: entity.id, fields: type.idFields)
        }
    }

    /// Of this node's subscribers of an entry, puts the owners into its room and takes the others out.
    ///
    /// Everybody in the room may see the entry. Subscribers that could not be judged yet wait in a room of their own.
    private func admitOwners(of identity: EntityIdentity) {
        guard let owners = identity.owners else { return }
        for id in identity.texts {
            let entity = EntityRef(uid: identity.uid, id: id)
            let theirs = owners.map { RoomName.ownersOnly(entity, user: $0) }
            self.context.main.to(RoomName.ownersOnly(entity)).except(theirs).local.socketsLeave([entity.room])
            if !theirs.isEmpty { self.context.main.to(theirs).local.socketsJoin([entity.room]) }
        }
    }

    func register() {
        self.context.main.onServerSide(Self.entityEvent) { arguments, reply in
            let schema = self.context.rules.value.content.schema
            for identity in arguments.first?.arrayValue?.compactMap(EntityIdentity.init) ?? [] {
                guard let type = schema.contentType(identity.uid) else { continue }
                self.learn([identity], of: type)
            }
            reply?(["success": true])
        }
    }
}

extension ContentType {
    /// Whether there is anything to remember about its entries.
    fileprivate var isRemembered: Bool { self.idFields.count > 1 || self.ownerField != nil }
}
