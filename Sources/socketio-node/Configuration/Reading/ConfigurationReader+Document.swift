import Gateway
import NIOCore
import OrderedCollections
import SocketIOWire
import Yams

/// The settings document that all nodes share: stronger than the file, weaker than the environment and flags.
extension ConfigurationReader {
    /// Keys that a node needs before it can read the document.
    private static let neededBefore: [[String]] = [
        ["adapter"], ["listen", "threads"], ["logging", "format"], ["console", "enabled"],
    ]

    /// The document over the file.
    ///
    /// Groups and maps are taken together, member by member; `null` takes an entry of a map away, and gives any other key
    /// its default. Lists and single values replace those of the file.
    mutating func layered(_ document: SettingsDocument?, over file: Source?) -> Source? {
        guard let document else { return file }
        let origin = SettingOrigin.document(version: document.version)
        let value: JSONValue
        do {
            value = try document.value()
        } catch {
            for problem in error.problems {
                self.problems.append(ConfigurationProblem(path: "", origin: origin, message: problem))
            }
            return file
        }
        for path in Self.neededBefore where path.reduce(Optional(value), { $0?[$1] }) != nil {
            self.problems.append(
                ConfigurationProblem(
                    path: path.joined(separator: "."),
                    origin: origin,
                    message: "is needed before a node can read the document; it belongs to the file"
                )
            )
        }
        return Source(node: Node(value), origin: origin, under: file.map { [$0] } ?? [])
    }

    /// The entries of a map by name, those of stronger places over those of weaker ones, in the order of the weakest.
    mutating func entries(
        _ rule: TextRule,
        _ source: Source,
        at path: String
    ) -> OrderedDictionary<String, (origin: SettingOrigin, source: Source)> {
        guard case .mapping(let mapping) = source.node else { return [:] }
        var entries: OrderedDictionary<String, (origin: SettingOrigin, source: Source)> = [:]
        for under in source.under { entries = self.entries(rule, under, at: path) }
        for (key, node) in mapping {
            let origin = self.origin(of: key, within: source.origin)
            guard let name = key.scalar?.string, rule.accepts(name) else {
                self.problems.append(
                    ConfigurationProblem(
                        path: path,
                        origin: origin,
                        value: key.scalar.map { Self.quote($0.string) },
                        message: "is not a valid name here; expected \(rule.expectation)"
                    )
                )
                continue
            }
            if case .document = source.origin, self.isNull(node) {
                entries[name] = nil
                continue
            }
            let below = entries[name].map { [$0.source] } ?? []
            let nodeOrigin = self.origin(of: node, within: source.origin)
            entries[name] = (origin, Source(node: node, origin: nodeOrigin, under: below))
        }
        return entries
    }
}

extension Node {
    /// A JSON value as if it stood in the file.
    init(_ value: JSONValue) {
        switch value {
        case .null: self = Node("null", .implicit, .plain)
        case .bool(let value): self = Node(value ? "true" : "false", .implicit, .plain)
        case .int(let value): self = Node(String(value), .implicit, .plain)
        case .double(let value): self = Node(String(value), .implicit, .plain)
        case .string(let text): self = Node(text, .implicit, .doubleQuoted)
        case .binary: self = Node("", .implicit, .doubleQuoted)
        case .array(let elements): self = Node(elements.map { Node($0) })
        case .object(let members):
            self = Node(
                members.map { (Node($0.key.string, .implicit, .doubleQuoted), Node($0.value)) },
                .implicit,
                .any
            )
        }
    }
}
