import SocketIOWire

/// A named type with fields.
///
/// Back ends publish events about entries of such types, and not everybody may see all fields.
public struct ContentType: Sendable, Hashable {
    /// Whether there are many entries of this type, or a single one.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case collection
        case single
    }

    /// What happens to a field that the type does not declare.
    public enum UnknownFields: String, Sendable, Hashable, CaseIterable {
        /// It stays. Inside of it, names of the blocklist are dropped at every depth.
        case keep
        case drop
    }

    /// Whom an event of this type is addressed to.
    public enum Delivery: String, Sendable, Hashable, CaseIterable {
        /// To everybody whose role or token permits it, and to the entity's subscribers.
        case roles
        /// Only to those of the entity's subscribers whose role or token permits it.
        case entity
    }

    /// The uid of a type that stands for every type which has no entry of its own.
    public static let wildcardUID = "*"

    /// Identifies the type: `api::article.article`, `plugin::users-permissions.user`, or `*`.
    public var uid: String
    /// The first part of event names: `article` in `article:create`.
    public var singularName: String
    /// For people and URLs.
    public var pluralName: String?
    /// For people.
    public var displayName: String?
    /// Whether there are many entries or one.
    public var kind: Kind
    /// Replaces the singular name in event names.
    public var eventPrefix: String?
    /// Which of `create`, `update` and `delete` are sent at all (`*`: every one).
    ///
    /// Events of other names are always sent.
    public var actions: Set<String>
    /// Which relations stay in an event; `nil` removes none (permissions still do).
    public var populate: Populate?
    /// The declared fields by name.
    public var fields: [String: Field]
    /// Names of fields that never leave the server, declared or not.
    public var privateAttributes: Set<String>
    /// Whether `createdBy` and `updatedBy` leave the server, reduced to names.
    public var populateCreatorFields: Bool
    /// Whether entries have a draft: `publishedAt` is `null` until they are published.
    public var draftAndPublish: Bool
    /// What happens to undeclared fields; `nil` drops them if any field is declared, and keeps them otherwise.
    public var unknownFields: UnknownFields?
    /// The field that holds the owner's user id.
    ///
    /// With it, an event reaches only the owner and those who hold the scope `<uid>.<event>:any`.
    public var ownerField: String?
    /// The fields that identify an entry.
    ///
    /// Clients can subscribe by any of them.
    public var idFields: [String]
    /// To whom events are addressed.
    public var delivery: Delivery
    /// For how long a node holds an update, so that a later one of the same entry can take its place; at most
    /// ``maximumCoalescing``.
    ///
    /// Each node sends the last update of that time. With `.zero` every update is sent at once.
    public var coalescing: Duration
    /// Whether updates of several entries that a node has held are sent as one event `<name>:bulk` with a list.
    ///
    /// Clients that hear only of the entries that they follow get these one by one.
    public var sendsBulk: Bool
    /// Which events about an entity are kept for clients that come back; ``HistoryRetention/off`` by default.
    public var history = HistoryRetention.off

    /// The longest time for ``coalescing``.
    public static let maximumCoalescing = Duration.seconds(10)

    /// Makes a content type.
    ///
    /// Everything except the uid has a default.
    public init(
        uid: String,
        singularName: String? = nil,
        pluralName: String? = nil,
        displayName: String? = nil,
        kind: Kind = .collection,
        eventPrefix: String? = nil,
        actions: Set<String> = ["create", "update", "delete"],
        populate: Populate? = nil,
        fields: [String: Field] = [:],
        privateAttributes: Set<String> = [],
        populateCreatorFields: Bool = false,
        draftAndPublish: Bool = false,
        unknownFields: UnknownFields? = nil,
        ownerField: String? = nil,
        idFields: [String] = ["documentId", "id"],
        delivery: Delivery = .roles,
        coalescing: Duration = .zero,
        sendsBulk: Bool = false
    ) {
        self.uid = uid
        self.singularName = singularName ?? Self.defaultSingularName(of: uid)
        self.pluralName = pluralName
        self.displayName = displayName
        self.kind = kind
        self.eventPrefix = eventPrefix
        self.actions = actions
        self.populate = populate
        self.fields = fields
        self.privateAttributes = privateAttributes
        self.populateCreatorFields = populateCreatorFields
        self.draftAndPublish = draftAndPublish
        self.unknownFields = unknownFields
        self.ownerField = ownerField
        self.idFields = idFields
        self.delivery = delivery
        self.coalescing = coalescing
        self.sendsBulk = sendsBulk
    }

    /// What stands after the last dot: `article` of `api::blog.article`.
    public static func defaultSingularName(of uid: String) -> String {
        guard let dot = uid.utf8.lastIndex(of: UInt8(ascii: ".")) else { return uid }
        return String(uid[uid.utf8.index(after: dot)...])
    }

    /// Whether a text has the form `api::name.name` or `plugin::name.name`, with lower-case letters, digits and dashes.
    public static func isValidUID(_ text: String) -> Bool { self.isValidUID(text.utf8[...]) }

    static func isValidUID(_ text: Substring.UTF8View) -> Bool {
        guard text.count <= 128, let prefix = ["api::", "plugin::"].first(where: { text.starts(with: $0.utf8) })
        else { return false }
        let names = text.dropFirst(prefix.utf8.count)
        guard let dot = names.firstIndex(of: UInt8(ascii: ".")) else { return false }
        let first = names[..<dot]
        let second = names[names.index(after: dot)...]
        return !first.isEmpty && !second.isEmpty && first.allSatisfy(self.isUIDByte)
            && second.allSatisfy(self.isUIDByte)
    }

    private static func isUIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    /// Whether an event of this name is sent at all.
    ///
    /// Standard actions are sent only if they are listed, others always.
    public func sends(_ event: String) -> Bool {
        let event = UTF8Text(event)
        guard event == "create" || event == "update" || event == "delete" else { return true }
        return self.actions.contains { UTF8Text($0) == event || UTF8Text($0) == "*" }
    }

    /// What happens to undeclared fields, with the default worked out.
    public var effectiveUnknownFields: UnknownFields {
        self.unknownFields ?? (self.fields.isEmpty ? .keep : .drop)
    }
}
