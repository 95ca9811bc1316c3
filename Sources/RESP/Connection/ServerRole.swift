import NIOCore

/// The role that a Redis tells.
enum ServerRole: Equatable {
    case primary
    case replica(of: String?)
    /// It watches other servers, and carries no messages.
    case sentinel
    case clusterNode
    /// It was not asked, or did not tell. It may still be used.
    case unknown

    /// Reads the answer to `HELLO` (a map, which also tells the mode), or to `ROLE`.
    init(_ reply: RESPValue) {
        switch reply {
        case .map(let entries): self.init(hello: entries)
        case .array(let elements): self.init(role: elements)
        default: self = .unknown
        }
    }

    /// Reads from the answer to `INFO cluster` whether cluster mode is on.
    init(info reply: RESPValue) {
        guard let text = reply.bytes?.readableBytesView else {
            self = .unknown
            return
        }
        let lines = text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        self = lines.contains { $0.elementsEqual("cluster_enabled:1".utf8) } ? .clusterNode : .unknown
    }

    private init(hello entries: [RESPMapEntry]) {
        func value(_ key: String) -> ByteBuffer? {
            entries.first { $0.key.bytes?.isText(key) == true }?.value.bytes
        }
        let (mode, role) = (value("mode"), value("role"))
        if mode?.isText("cluster") == true {
            self = .clusterNode
        } else if mode?.isText("sentinel") == true {
            self = .sentinel
        } else if role?.isText("replica") == true || role?.isText("slave") == true {
            self = .replica(of: nil)
        } else if role?.isText("master") == true, mode != nil {
            self = .primary
        } else {
            self = .unknown
        }
    }

    private init(role elements: [RESPValue]) {
        guard let name = elements.first?.bytes else {
            self = .unknown
            return
        }
        if name.isText("master") {
            self = .primary
        } else if name.isText("slave") || name.isText("replica") {
            let host = elements.count > 2 ? elements[1].stringValue : nil
            self = .replica(of: host.map { "\($0):\(elements[2].integerValue ?? 0)" })
        } else if name.isText("sentinel") {
            self = .sentinel
        } else {
            self = .unknown
        }
    }

    /// Why a Redis of that role cannot be used; `nil` if it can.
    var refusal: RESPError? {
        switch self {
        case .primary, .unknown: nil
        case .replica(let primary):
            RESPError(
                code: .unsuitable,
                message: "this Redis is a replica\(primary.map { " of \($0)" } ?? ""): what is published on it reaches "
                    + "nobody but its own subscribers. Use the address of the primary"
            )
        case .sentinel:
            RESPError(
                code: .unsuitable,
                message: "this is a Sentinel, which carries no messages. Use the address of the Redis that it watches"
            )
        case .clusterNode:
            RESPError(
                code: .unsuitable,
                message: "this Redis is one node of a Redis Cluster, which is not supported: a node of a Redis Cluster "
                    + "counts its own subscribers only, so that questions to all servers would overlook some. "
                    + "Use a Redis without cluster mode (cluster-enabled no)"
            )
        }
    }
}

/// The question that finds out on an open connection whether Redis has another role now: `ROLE`, or `HELLO` if the user
/// may not ask `ROLE`.
///
/// Every user may ask `HELLO`.
struct RoleQuestion {
    private var mayAskRole = true
    private var protocolVersion = 2

    mutating func connected(protocolVersion: Int) {
        self.mayAskRole = true
        self.protocolVersion = protocolVersion
    }

    var words: [String] {
        if self.mayAskRole { return ["ROLE"] }
        // Without RESP3 it is not known whether HELLO exists. Then the question only finds out whether Redis is there.
        return self.protocolVersion == 3 ? ["HELLO", "3"] : ["PING"]
    }

    /// - Returns: The role of Redis. An error is also a sign of life.
    mutating func answered(_ reply: RESPValue) -> ServerRole {
        if case .error = reply { self.mayAskRole = false }
        return ServerRole(reply)
    }
}

extension ByteBuffer {
    /// Whether these are the bytes of a text.
    func isText(_ text: String) -> Bool { self.readableBytesView.elementsEqual(text.utf8) }
}
