import SocketIOWire

/// What a back end publishes events about: a named type with fields, some of which not everybody may see.
public struct ContentType: Sendable, Hashable {
    /// Whether there are many entries of this type, or a single one.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case collection
        case single
    }

    /// What happens to a field that the type doesn't declare.
    public enum UnknownFields: String, Sendable, Hashable, CaseIterable {
        /// It stays, without the names of the blocklist at any depth.
        case keep
        case drop
    }

    /// Whom an event of this type is addressed to.
    public enum Delivery: String, Sendable, Hashable, CaseIterable {
        /// Everybody whose role or token permits it, and the entity's subscribers.
        case roles
        /// Only the entity's subscribers, as far as their role or token permits it.
        case entity
    }

    /// The uid of a type that stands for every type which has no entry of its own.
    public static let wildcardUID = "*"

    /// Identifies the type: `api::article.article`, `plugin::users-permissions.user`, or `*`.
    public var uid: String
    /// The first half of event names: `article` in `article:create`.
    public var singularName: String
    /// For people and URLs.
    public var pluralName: String?
    /// For people.
    public var displayName: String?
    /// Whether there are many entries or one.
    public var kind: Kind
    /// Stands in event names instead of the singular name.
    public var eventPrefix: String?
    /// Which of `create`, `update` and `delete` are sent at all (`*`: every one).
    ///
    /// Other event names always are.
    public var actions: Set<String>
    /// Which relations stay in an event; `nil` cuts nothing that was sent (permissions still do).
    public var populate: Populate?
    /// The declared fields by name.
    public var fields: [String: Field]
    /// Names of fields that never leave the server, declared or not.
    public var privateAttributes: Set<String>
    /// Whether `createdBy` and `updatedBy` leave the server, reduced to names.
    public var populateCreatorFields: Bool
    /// Whether entries have a draft: `publishedAt` is `null` until they are published.
    public var draftAndPublish: Bool
    /// `nil`: drop when fields are declared, keep otherwise.
    public var unknownFields: UnknownFields?
    /// The field that holds the owner's user id.
    ///
    /// With it, an event reaches the owner, and those who hold the scope `<uid>.<event>:any`; nobody else.
    public var ownerField: String?
    /// The fields that identify an entry; a subscription by any of them works.
    public var idFields: [String]
    /// Whom events are addressed to.
    public var delivery: Delivery

    /// A content type with the defaults of everything but its uid.
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
        delivery: Delivery = .roles
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
    }

    /// What stands after the last dot: `article` of `api::blog.article`.
    public static func defaultSingularName(of uid: String) -> String {
        guard let dot = uid.utf8.lastIndex(of: UInt8(ascii: ".")) else { return uid }
        return String(uid[uid.utf8.index(after: dot)...])
    }

    /// Whether a text has the form `api::name.name` or `plugin::name.name`, of small letters, digits and dashes.
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

    /// Whether an event of this name is sent at all: standard actions only if listed, others always.
    public func sends(_ event: String) -> Bool {
        let event = UTF8Text(event)
        guard event == "create" || event == "update" || event == "delete" else { return true }
        return self.actions.contains { UTF8Text($0) == event || UTF8Text($0) == "*" }
    }

    /// What happens to undeclared fields, the default worked out.
    public var effectiveUnknownFields: UnknownFields {
        self.unknownFields ?? (self.fields.isEmpty ? .keep : .drop)
    }
}
