/// One declared field of a content type or component.
public struct Field: Sendable, Hashable {
    /// A value without structure of its own.
    public enum Scalar: String, Sendable, Hashable, CaseIterable {
        case string, text, richtext, blocks, email, uid, enumeration
        case integer, biginteger, float, decimal, boolean
        case date, time, datetime, timestamp
    }

    /// What a field holds.
    public enum Kind: Sendable, Hashable {
        case scalar(Scalar)
        /// Any JSON. The blocklist applies at every depth.
        case json
        /// Never leaves the server.
        case password
        /// Entries of another content type. Only those who hold the scope `<target>.find` see them.
        case relation(target: String)
        /// Entries of any content type. Each names its type in `__type`.
        case morph
        /// Uploaded files.
        case media
        /// One or more values of a component.
        case component(String)
        /// A list of values of different components. Each names its component in `__component`.
        case dynamicZone([String])
    }

    /// What the field holds.
    public var kind: Kind
    /// Never leaves the server.
    public var isPrivate: Bool
    /// Whether the value is a list.
    public var isRepeatable: Bool

    /// Creates a field, or a component of fields.
    public init(_ kind: Kind, isPrivate: Bool = false, isRepeatable: Bool = false) {
        self.kind = kind
        self.isPrivate = isPrivate
        self.isRepeatable = isRepeatable
    }

    /// Creates a field for a value without structure: `Field(.text, isPrivate: true)`.
    public init(_ scalar: Scalar, isPrivate: Bool = false, isRepeatable: Bool = false) {
        self.init(.scalar(scalar), isPrivate: isPrivate, isRepeatable: isRepeatable)
    }

    /// A public field for text.
    public static let string = Field(.scalar(.string))
    /// A public field for a whole number.
    public static let integer = Field(.scalar(.integer))

    /// A field as a configuration file describes it.
    ///
    /// The type is a scalar's name, or `json`, `password`, `relation`, `media`, `component` or `dynamiczone`. A
    /// relation without a target may lead to any type. It is `nil` if there is no such type, or if something is missing
    /// that the type needs.
    public init?(
        type: String,
        isPrivate: Bool = false,
        isRepeatable: Bool = false,
        target: String? = nil,
        components: [String] = []
    ) {
        switch type {
        case "json": self.init(.json, isPrivate: isPrivate, isRepeatable: isRepeatable)
        case "password": self.init(.password, isPrivate: isPrivate, isRepeatable: isRepeatable)
        case "media": self.init(.media, isPrivate: isPrivate, isRepeatable: isRepeatable)
        case "relation":
            let kind: Kind = target.map { .relation(target: $0) } ?? .morph
            self.init(kind, isPrivate: isPrivate, isRepeatable: isRepeatable)
        case "component":
            guard let component = components.first, components.count == 1 else { return nil }
            self.init(.component(component), isPrivate: isPrivate, isRepeatable: isRepeatable)
        case "dynamiczone":
            guard !components.isEmpty else { return nil }
            self.init(.dynamicZone(components), isPrivate: isPrivate, isRepeatable: true)
        default:
            guard let scalar = Scalar(rawValue: type) else { return nil }
            self.init(.scalar(scalar), isPrivate: isPrivate, isRepeatable: isRepeatable)
        }
    }

    /// Every name that ``init(type:isPrivate:isRepeatable:target:components:)`` knows.
    public static let typeNames: [String] =
        Scalar.allCases.map(\.rawValue) + ["json", "password", "relation", "media", "component", "dynamiczone"]
}

/// A group of fields that several content types embed.
public struct Component: Sendable, Hashable {
    /// Identifies the component: `shared.seo`.
    public var uid: String
    /// The declared fields by name.
    public var fields: [String: Field]
    /// `nil`: drop when fields are declared, keep otherwise.
    public var unknownFields: ContentType.UnknownFields?

    /// Creates a field, or a component of fields.
    public init(uid: String, fields: [String: Field], unknownFields: ContentType.UnknownFields? = nil) {
        self.uid = uid
        self.fields = fields
        self.unknownFields = unknownFields
    }
}
