import NIOCore
import OrderedCollections
import SocketIOWire

/// JSON with a line for each member, as files for people have it.
enum PrettyJSON {
    static func text(_ value: JSONValue, indent: String = "") -> String {
        let inner = indent + "  "
        switch value {
        case .object(let members) where !members.isEmpty:
            let lines = members.map { name, value in
                "\(inner)\(Self.line(.string(name.description))): \(Self.text(value, indent: inner))"
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        case .array(let elements) where elements.contains { $0.objectValue != nil }:
            let lines = elements.map { inner + Self.text($0, indent: inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .array(let elements):
            return "[" + elements.map { Self.line($0) }.joined(separator: ", ") + "]"
        case .null, .bool, .int, .double, .string, .binary, .object:
            return Self.line(value)
        }
    }

    private static func line(_ value: JSONValue) -> String {
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        return String(buffer: buffer)
    }
}
