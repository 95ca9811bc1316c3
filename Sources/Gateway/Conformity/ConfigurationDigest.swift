import Crypto
import SocketIOWire

/// A few digits that are the same on nodes with the same configuration.
enum ConfigurationDigest {
    /// The digest of a configuration, and of whatever else is to be equal.
    ///
    /// The name of a node does not count, because each has its own.
    static func digest(of configuration: GatewayConfiguration, _ others: String = "") -> String {
        var configuration = configuration
        configuration.nodeName = nil
        var hash = SHA256()
        for (path, value) in CanonicalLeaves.leaves(of: configuration) {
            hash.update(data: Array("\(path)=\(value.utf8.count):".utf8) + Array(value.utf8) + [0])
        }
        hash.update(data: Array(others.utf8))
        return APIToken.hexadecimal(Array(hash.finalize().prefix(8)))
    }
}

/// Everything that a value consists of, in an order that is the same in every process.
///
/// It looks into the value, so a new member of a configuration is in it without anybody's doing.
enum CanonicalLeaves {
    /// The paths of all members without parts, with their texts, in order.
    static func leaves(of value: Any) -> [(path: String, value: String)] {
        var leaves: [(String, String)] = []
        Self.collect(value, at: "", into: &leaves)
        return leaves
    }

    private static func collect(_ value: Any, at path: String, into leaves: inout [(String, String)]) {
        switch value {
        case let text as String: return leaves.append((path, text))
        case let text as UTF8Text: return leaves.append((path, text.string))
        default: break
        }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .dictionary?:
            let entries = mirror.children.compactMap { child -> (key: UTF8Text, value: Any)? in
                let pair = Array(Mirror(reflecting: child.value).children)
                guard pair.count == 2 else { return nil }
                return (UTF8Text(Self.text(of: pair[0].value)), pair[1].value)
            }
            leaves.append((path, "\(entries.count) entries"))
            for entry in entries.sorted(by: { $0.key < $1.key }) {
                Self.collect(entry.value, at: Self.join(path, entry.key.string), into: &leaves)
            }
        case .set?:
            let elements = mirror.children.map { UTF8Text(Self.text(of: $0.value)) }.sorted()
            leaves.append((path, "\(elements.count) elements"))
            for (index, element) in elements.enumerated() { leaves.append(("\(path)[\(index)]", element.string)) }
        case .collection?:
            leaves.append((path, "\(mirror.children.count) elements"))
            for (index, child) in mirror.children.enumerated() {
                Self.collect(child.value, at: "\(path)[\(index)]", into: &leaves)
            }
        case .optional?:
            guard let child = mirror.children.first else { return leaves.append((path, "nil")) }
            Self.collect(child.value, at: path, into: &leaves)
        case .enum? where mirror.children.isEmpty: leaves.append((path, "\(value)"))
        default:
            guard !mirror.children.isEmpty else { return leaves.append((path, "\(value)")) }
            for (index, child) in mirror.children.enumerated() {
                Self.collect(child.value, at: Self.join(path, child.label ?? "\(index)"), into: &leaves)
            }
        }
    }

    /// The whole of a value in one text.
    private static func text(of value: Any) -> String {
        let leaves = Self.leaves(of: value)
        if leaves.count == 1, let leaf = leaves.first { return leaf.value }
        return leaves.map { "\($0.path)=\($0.value)" }.joined(separator: ";")
    }

    private static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
