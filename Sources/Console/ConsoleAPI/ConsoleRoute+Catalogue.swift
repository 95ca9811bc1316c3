import Gateway
import OrderedCollections
import SocketIOWire

extension ConsoleRoute {
    /// All routes that need a gateway; each part adds its own.
    static func all(of io: IO) -> [ConsoleRoute] {
        Self.catalogue(io) + Self.monitoring(io) + Self.logs(io) + Self.changes(io) + Self.exports(io)
    }

    /// What is configured: content types and roles.
    static func catalogue(_ io: IO) -> [ConsoleRoute] {
        [
            ConsoleRoute(.get, "io/content-types") { _ in
                let types = io.configuration.contentTypes.sorted { UTF8Text($0.uid) < UTF8Text($1.uid) }
                return .json(["data": .array(types.map(\.summary))])
            },
            ConsoleRoute(.get, "io/roles") { _ in .json(["data": .array(io.configuration.roles.map(\.summary))]) },
        ]
    }
}

extension ContentType {
    /// `{uid, displayName, singularName, pluralName, kind, actions}`; a name that is not configured is `null`.
    fileprivate var summary: JSONValue {
        [
            "uid": .string(self.uid), "displayName": self.displayName.map { .string($0) } ?? .null,
            "singularName": .string(self.singularName), "pluralName": self.pluralName.map { .string($0) } ?? .null,
            "kind": .string(self.kind.rawValue),
            "actions": .array(self.actions.map { UTF8Text($0) }.sorted().map { .string($0.string) }),
        ]
    }
}

extension Role {
    /// `{id, name, type, description, canConnect, scopes, autoJoin}`.
    ///
    /// Roles have no descriptions here, so that is `null`.
    fileprivate var summary: JSONValue {
        [
            "id": self.id?.value ?? .null, "name": .string(self.name), "type": .string(self.type), "description": .null,
            "canConnect": .bool(self.canConnect), "scopes": .array(self.scopes.map { .string($0.description) }),
            "autoJoin": .array(self.autoJoin.map { .string($0) }),
        ]
    }
}
