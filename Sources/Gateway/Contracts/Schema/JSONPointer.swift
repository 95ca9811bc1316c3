public import SocketIOWire

/// The place of a value within another one, as RFC 6901 writes it: `/items/0/name`.
///
/// The empty pointer is the whole value.
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    private let text: UTF8Text

    /// The whole value.
    public static let root = JSONPointer(text: "")

    private init(text: UTF8Text) { self.text = text }

    /// The pointer as RFC 6901 writes it.
    public var description: String { self.text.string }

    /// The place of a member of the object at this place.
    public func appending(_ key: UTF8Text) -> JSONPointer {
        JSONPointer(text: UTF8Text("\(self.text.string)/\(Self.escaped(key))"))
    }

    /// The place of an element of the array at this place.
    public func appending(_ index: Int) -> JSONPointer {
        JSONPointer(text: UTF8Text("\(self.text.string)/\(index)"))
    }

    /// The pointer with at most so many bytes, for a message to somebody who chose the names in it.
    func bounded(to limit: Int) -> JSONPointer {
        JSONPointer(text: UTF8Text(boundedText(self.text.string, to: limit)))
    }

    private static func escaped(_ key: UTF8Text) -> String {
        let isPlain = key.utf8.allSatisfy { $0 != UInt8(ascii: "~") && $0 != UInt8(ascii: "/") }
        if isPlain { return key.string }
        var bytes: [UInt8] = []
        for byte in key.utf8 {
            switch byte {
            case UInt8(ascii: "~"): bytes += "~0".utf8
            case UInt8(ascii: "/"): bytes += "~1".utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names of a pointer that stands in a URI's fragment behind the `#`; `nil` if that is no pointer.
    static func tokens(ofFragment fragment: String) -> [UTF8Text]? {
        guard let text = Array(fragment.utf8).withUnsafeBufferPointer(PercentDecoding.strict) else { return nil }
        if text.isEmpty { return [] }
        guard text.first == UInt8(ascii: "/") else { return nil }
        return text.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { part in
            var bytes: [UInt8] = []
            var isEscape = false
            for byte in part {
                if isEscape {
                    bytes.append(byte == UInt8(ascii: "1") ? UInt8(ascii: "/") : UInt8(ascii: "~"))
                    isEscape = false
                } else if byte == UInt8(ascii: "~") {
                    isEscape = true
                } else {
                    bytes.append(byte)
                }
            }
            return UTF8Text(decoding: bytes)
        }
    }
}
