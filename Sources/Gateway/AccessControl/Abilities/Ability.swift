import SocketIOWire

/// What decides whether a role or token receives an event.
public enum ReceivePolicy: String, Sendable, Hashable, CaseIterable {
    /// Those who may do it also hear of it. They need the scope `<uid>.<event>`.
    case action
    /// Those who may read the type hear of every event. They need the scope `<uid>.find`.
    case read
}

/// A list of scopes, prepared so that each question costs a few dictionary look-ups.
public struct Ability: Sendable, Hashable {
    /// Holds every scope.
    public let isFull: Bool
    /// Receives events of every type, whatever the policy asks for.
    private let receivesEverything: Bool
    private let actions: [UTF8Text: Set<UTF8Text>]
    private let actionsOnAnyType: Set<UTF8Text>

    /// Holds everything.
    ///
    /// Private fields stay private nevertheless.
    public static let full = Ability([.all])

    /// Reads everything and receives every event, because to receive an event is to read.
    public static let readOnly = Ability(
        [Scope(subject: "*", action: "find"), Scope(subject: "*", action: "findOne")],
        receivesEverything: true
    )

    /// The ability that a list of scopes gives.
    public init(_ scopes: some Sequence<Scope>) {
        self.init(scopes, receivesEverything: false)
    }

    private init(_ scopes: some Sequence<Scope>, receivesEverything: Bool) {
        var isFull = false
        var actions: [UTF8Text: Set<UTF8Text>] = [:]
        var actionsOnAnyType: Set<UTF8Text> = []
        for scope in scopes {
            switch (UTF8Text(scope.subject), UTF8Text(scope.action)) {
            case ("*", "*"): isFull = true
            case ("*", let action): actionsOnAnyType.insert(action)
            case (let subject, let action): actions[subject, default: []].insert(action)
            }
        }
        self.isFull = isFull
        self.receivesEverything = receivesEverything
        self.actions = actions
        self.actionsOnAnyType = actionsOnAnyType
    }

    /// Whether the action is allowed on that content type.
    ///
    /// `<uid>.*` covers every action except those that reach beyond the holder's own entries (`update:any`). These need
    /// `<uid>.*:any`, or a scope of exactly their name.
    public func allows(_ action: String, on uid: String) -> Bool {
        if self.isFull { return true }
        let action = UTF8Text(action)
        if self.actionsOnAnyType.contains(action) { return true }
        guard let actions = self.actions[UTF8Text(uid)] else { return false }
        if actions.contains(action) { return true }
        return actions.contains(Self.isBeyondOwn(action) ? "*:any" : "*")
    }

    /// Whether a verb of the publishing API is allowed: `emit` for the scope `io.emit`.
    public func allowsVerb(_ verb: String) -> Bool {
        if self.isFull { return true }
        guard let verbs = self.actions["io"] else { return false }
        return verbs.contains(UTF8Text(verb)) || verbs.contains("*")
    }

    /// Whether entries of that type may be read.
    public func canRead(_ uid: String) -> Bool {
        self.allows("find", on: uid) || self.allows("findOne", on: uid)
    }

    /// Whether related entries of that type may be seen inside another entry.
    public func canFind(_ uid: String) -> Bool {
        self.allows("find", on: uid)
    }

    /// Whether any action at all is allowed on that type.
    public func hasAnyScope(on uid: String) -> Bool {
        self.isFull || self.receivesEverything || !self.actionsOnAnyType.isEmpty
            || !(self.actions[UTF8Text(uid)]?.isEmpty ?? true)
    }

    /// Whether any action reaches beyond the holder's own entries of that type (`<uid>.update:any`).
    ///
    /// If so, the holder may see entries of all owners.
    public func reachesBeyondOwn(on uid: String) -> Bool {
        if self.isFull || self.receivesEverything { return true }
        return self.actionsOnAnyType.contains(where: Self.isBeyondOwn)
            || self.actions[UTF8Text(uid)]?.contains(where: Self.isBeyondOwn) ?? false
    }

    private static func isBeyondOwn(_ action: UTF8Text) -> Bool { action.utf8.suffix(4).elementsEqual(":any".utf8) }

    /// Whether an event of that type reaches the holder.
    ///
    /// With aliases, the scope for `update` also allows `publish` and `createOrUpdate`, and the scope for `delete` also
    /// allows `unpublish` and `bulkDelete`.
    public func canReceive(_ event: String, of uid: String, policy: ReceivePolicy, usesAliases: Bool) -> Bool {
        if self.isFull || self.receivesEverything { return true }
        switch policy {
        case .read:
            return self.canFind(uid)
        case .action:
            if self.allows(event, on: uid) { return true }
            guard usesAliases, let alias = Self.aliases[UTF8Text(event)] else { return false }
            return self.allows(alias, on: uid)
        }
    }

    /// Whether an event about somebody else's entry reaches the holder.
    public func canReceiveAny(_ event: String, of uid: String, usesAliases: Bool) -> Bool {
        if self.isFull || self.receivesEverything { return true }
        if self.allows("\(event):any", on: uid) { return true }
        guard usesAliases, let alias = Self.aliases[UTF8Text(event)] else { return false }
        return self.allows("\(alias):any", on: uid)
    }

    static let aliases: [UTF8Text: String] = [
        "publish": "update", "createOrUpdate": "update", "unpublish": "delete", "bulkDelete": "delete",
    ]
}
