import SocketIOWire

/// All content types and components, prepared for look-ups.
///
/// Uids and names of fields come from outside, so they are compared by their bytes.
struct Schema: Sendable {
    private let types: [UTF8Text: ContentType]
    private let wildcard: ContentType?
    private let shapes: [UTF8Text: Shape]
    /// The types that each declared type can lead to, itself included.
    private let reach: [UTF8Text: Reach]
    private let fileShape: Shape
    /// What is private to other nodes.
    private let others: [Privacy]

    /// The uid of the type that describes uploaded files.
    ///
    /// It is configured like any other type, or built in.
    static let fileUID = "plugin::upload.file"

    init(contentTypes: [ContentType], components: [Component], others: [Privacy] = []) {
        self.others = others
        var types: [UTF8Text: ContentType] = [:]
        var shapes: [UTF8Text: Shape] = [:]
        for component in components { shapes[UTF8Text(component.uid)] = Shape(component) }
        for type in contentTypes where type.uid != ContentType.wildcardUID {
            types[UTF8Text(type.uid)] = type
            shapes[UTF8Text(type.uid)] = Shape(type)
        }
        self.types = types
        self.wildcard = contentTypes.last { $0.uid == ContentType.wildcardUID }
        self.fileShape = shapes[UTF8Text(Self.fileUID)] ?? Shape(Self.builtInFile)
        self.shapes = shapes
        let graph = ReachGraph(shapes: shapes, types: Set(types.keys), file: self.fileShape)
        self.reach = types.mapValues { graph.reach(from: UTF8Text($0.uid)) }
    }

    /// The declared types, in no order.
    var contentTypes: [ContentType] { Array(self.types.values) }

    /// The type with that uid, or a copy of the type for all others under that uid; `nil` if there is no such type.
    func contentType(_ uid: String) -> ContentType? {
        if let type = self.types[UTF8Text(uid)] { return type }
        guard var type = self.wildcard, ContentType.isValidUID(uid) else { return nil }
        type.uid = uid
        type.singularName = ContentType.defaultSingularName(of: uid)
        // Another node may have declared the type, and fields of it private.
        if !self.others.isEmpty {
            type.privateAttributes.formUnion(self.others.hiddenFields(of: UTF8Text(uid)).map(\.string))
        }
        return type
    }

    /// The fields of a related entry's type.
    ///
    /// Only declared fields count, because a relation must not reveal more.
    func declaredShape(_ uid: String) -> Shape? { self.shapes[UTF8Text(uid)] }

    var file: Shape { self.fileShape }

    /// What an entry of a type can contain.
    func reach(from uid: String) -> Reach {
        self.reach[UTF8Text(uid)] ?? Reach(targets: [], shapes: [UTF8Text(uid)])
    }

    private static let builtInFile = ContentType(
        uid: Self.fileUID,
        singularName: "file",
        fields: [
            "name": .string, "alternativeText": .string, "caption": .string, "width": .integer, "height": .integer,
            "formats": Field(.json), "hash": .string, "ext": .string, "mime": .string,
            "size": Field(.scalar(.decimal)), "url": .string, "previewUrl": .string, "provider": .string,
            "createdAt": Field(.scalar(.datetime)), "updatedAt": Field(.scalar(.datetime)),
            "publishedAt": Field(.scalar(.datetime)),
        ]
    )
}

/// The fields of a content type or component, as the sanitiser needs them.
struct Shape: Sendable, Hashable {
    let uid: UTF8Text
    let fields: [UTF8Text: Field]
    /// These never leave the server, whether they are declared or not.
    let hidden: Set<UTF8Text>
    let keepsUnknownFields: Bool
    let populatesCreatorFields: Bool

    init(_ type: ContentType) {
        self.uid = UTF8Text(type.uid)
        self.fields = Self.byBytes(type.fields)
        self.hidden = Self.hidden(in: type.fields).union(type.privateAttributes.map { UTF8Text($0) })
        self.keepsUnknownFields = type.effectiveUnknownFields == .keep
        self.populatesCreatorFields = type.populateCreatorFields
    }

    init(_ component: Component) {
        self.uid = UTF8Text(component.uid)
        self.fields = Self.byBytes(component.fields)
        self.hidden = Self.hidden(in: component.fields)
        self.keepsUnknownFields = (component.unknownFields ?? (component.fields.isEmpty ? .keep : .drop)) == .keep
        self.populatesCreatorFields = false
    }

    private static func byBytes(_ fields: [String: Field]) -> [UTF8Text: Field] {
        Dictionary(uniqueKeysWithValues: fields.map { (UTF8Text($0.key), $0.value) })
    }

    private static func hidden(in fields: [String: Field]) -> Set<UTF8Text> {
        Set(fields.filter { $0.value.isPrivate || $0.value.kind == .password }.keys.map { UTF8Text($0) })
    }
}

/// Everything that an entry of a type can contain at any depth.
struct Reach: Sendable, Hashable {
    /// The types that relations lead to.
    ///
    /// Permissions decide who may see them.
    var targets: Set<UTF8Text>
    /// All types and components, itself included.
    ///
    /// Rules for fields may apply to each.
    var shapes: Set<UTF8Text>
}

private struct ReachGraph {
    let shapes: [UTF8Text: Shape]
    let types: Set<UTF8Text>
    let file: Shape

    func reach(from uid: UTF8Text) -> Reach {
        var reach = Reach(targets: [], shapes: [uid])
        var pending = [uid]
        while let next = pending.popLast() {
            let shape = next == self.file.uid ? self.file : self.shapes[next]
            for field in shape?.fields.values ?? [:].values {
                let followed: [UTF8Text]
                switch field.kind {
                case .scalar, .json, .password: followed = []
                case .relation(let target):
                    reach.targets.insert(UTF8Text(target))
                    followed = [UTF8Text(target)]
                case .morph:
                    reach.targets.formUnion(self.types)
                    followed = Array(self.types)
                case .media: followed = [self.file.uid]
                case .component(let component): followed = [UTF8Text(component)]
                case .dynamicZone(let components): followed = components.map { UTF8Text($0) }
                }
                for uid in followed where reach.shapes.insert(uid).inserted { pending.append(uid) }
            }
        }
        return reach
    }
}
