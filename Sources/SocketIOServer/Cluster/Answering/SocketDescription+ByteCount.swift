import OrderedCollections
import SocketIOWire

extension SocketDescription {
    /// How long the socket is in an answer, roughly: without escapes.
    var byteCount: Int {
        var bytes = 48 + self.id.utf8.count + self.handshake.byteCount + self.data.byteCount
        for room in self.rooms { bytes += 3 + room.name.utf8.count }
        return bytes
    }
}

extension JSONValue {
    /// How long the value is as text, roughly.
    fileprivate var byteCount: Int {
        var bytes = 0
        // Values may be nested deeper than functions should be.
        var rest = [self]
        while let value = rest.popLast() {
            bytes += 3
            switch value {
            case .null, .bool, .int, .double: bytes += 3
            case .string(let text): bytes += text.utf8.count
            case .binary(let buffer): bytes += buffer.readableBytes
            case .array(let values): rest += values
            case .object(let members):
                for (key, value) in members {
                    bytes += 3 + key.utf8.count
                    rest.append(value)
                }
            }
        }
        return bytes
    }
}
