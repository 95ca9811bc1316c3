/// Variables that Kubernetes sets in every pod for every service, and Docker for linked containers.
///
/// A service called `socketio-publish` is announced by `SOCKETIO_PUBLISH_PORT=tcp://10.0.0.6:3001`, which is also the name
/// of a setting. Name and value together tell them apart: no setting has such a value.
enum ServiceLink {
    static func isOne(name: String, value: String) -> Bool {
        let words = name.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false).map { String($0)! }
        guard words.count > 1 else { return false }
        // NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_SERVICE_PORT_HTTP
        if let index = words.lastIndex(of: "SERVICE"), index > 0, words.count > index + 1 {
            switch words[index + 1] {
            case "HOST" where words.count == index + 2: return self.isHost(value)
            // Or it is the port of a service whose own name ends with `-service`.
            case "PORT" where self.isPort(value): return true
            default: break
            }
        }
        guard let index = words.lastIndex(where: { $0 == "PORT" }), index > 0 else { return false }
        switch words.count - index {
        // NAME_PORT=tcp://10.0.0.6:3001
        case 1 where words.count > 3 && self.isLink(words[words.count - 3], words[words.count - 2]):
            return self.isPort(value)
        case 1: return self.isURL(value)
        // NAME_PORT_3001_TCP=tcp://10.0.0.6:3001
        case 3 where self.isLink(words[index + 1], words[index + 2]): return self.isURL(value)
        // NAME_PORT_3001_TCP_ADDR=10.0.0.6, …_PROTO=tcp (…_PORT=3001 is above)
        case 4 where self.isLink(words[index + 1], words[index + 2]):
            switch words[index + 3] {
            case "ADDR": return self.isHost(value)
            case "PROTO": return self.protocols.contains(value)
            default: return false
            }
        default: return false
        }
    }

    private static let protocols: Set<String> = ["tcp", "udp", "sctp"]

    private static func isLink(_ port: String, _ name: String) -> Bool {
        self.isPort(port) && self.protocols.contains(name.lowercased())
    }

    /// Whether a value is like `tcp://10.0.0.6:3001`.
    private static func isURL(_ value: String) -> Bool {
        guard let scheme = self.protocols.first(where: { value.utf8.starts(with: "\($0)://".utf8) }) else {
            return false
        }
        let rest = value.utf8.dropFirst(scheme.utf8.count + 3)
        guard let colon = rest.lastIndex(of: UInt8(ascii: ":")) else { return false }
        return self.isHost(String(rest[..<colon])!) && self.isPort(String(rest[rest.index(after: colon)...])!)
    }

    private static func isPort(_ value: String) -> Bool {
        (1...5).contains(value.utf8.count) && value.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && Int(value).map { $0 <= 65_535 } == true
    }

    /// An address: a name would be no announcement of a service.
    private static func isHost(_ value: String) -> Bool {
        !value.isEmpty
            && value.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
                    UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                    true
                default: false
                }
            }
            && value.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
    }
}
