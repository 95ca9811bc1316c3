/// What went wrong between this process and Redis, or what Redis has refused.
///
/// No message contains a password, a payload or the arguments of a command.
public struct RESPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure.
    ///
    /// There may be new kinds in later versions, so a `switch` over them needs a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value {
            case server, disconnected, timeout, queueFull, closed, connect, authentication, `protocol`, url, tooLong
            case unsuitable, astray, tls
        }
        private let value: Value

        /// Redis answered with an error.
        ///
        /// ``RESPError/serverCode`` says with which one.
        public static let server = Code(value: .server)
        /// There is no connection now.
        ///
        /// A command that needs a reply is not kept for later.
        public static let disconnected = Code(value: .disconnected)
        /// The reply did not come within the deadline.
        ///
        /// The command may have been executed.
        public static let timeout = Code(value: .timeout)
        /// More is waiting for Redis than ``RESPConfiguration/Queue`` allows.
        ///
        /// The client has not taken this.
        public static let queueFull = Code(value: .queueFull)
        /// ``RESPClient/close()`` was called.
        public static let closed = Code(value: .closed)
        /// The connection could not be established.
        public static let connect = Code(value: .connect)
        /// Redis refused the user or the password, or it wants one and got none.
        public static let authentication = Code(value: .authentication)
        /// The peer sent something that is not RESP, or it sent more than the limits allow.
        public static let protocolViolation = Code(value: .protocol)
        /// The text is no `redis://`, `rediss://` or `unix://` URL.
        public static let invalidURL = Code(value: .url)
        /// A string of a reply was longer than ``RESPLimits/maximumStringLength``, so it was skipped.
        public static let tooLong = Code(value: .tooLong)

        /// The server is a replica, a node of a Redis Cluster or a Sentinel.
        ///
        /// Messages would not reach everybody.
        public static let unsuitable = Code(value: .unsuitable)
        /// Published messages do not come back, because the two connections do not lead to the same Redis.
        public static let astray = Code(value: .astray)

        /// There is no encrypted connection to who Redis has to be, or the files for it can't be used.
        public static let tls = Code(value: .tls)

        /// The name of the code.
        public var description: String {
            switch self.value {
            case .server: "server"
            case .disconnected: "disconnected"
            case .timeout: "timeout"
            case .queueFull: "queueFull"
            case .closed: "closed"
            case .connect: "connect"
            case .authentication: "authentication"
            case .protocol: "protocolViolation"
            case .url: "invalidURL"
            case .tooLong: "tooLong"
            case .unsuitable: "unsuitable"
            case .astray: "astray"
            case .tls: "tls"
            }
        }
    }

    /// The kind of failure.
    public var code: Code
    /// The first word of Redis's error reply (`WRONGTYPE`, `NOAUTH`, `NOPERM`, `ERR`), if this is one.
    public var serverCode: String?
    /// What was attempted, what came back, and what can be done about it.
    public var message: String

    /// Makes an error of your own.
    public init(code: Code, message: String, serverCode: String? = nil) {
        self.code = code
        self.message = message
        self.serverCode = serverCode
    }

    /// An error reply of Redis: `WRONGTYPE Operation against a key holding the wrong kind of value`.
    ///
    /// Of a command that Redis does not know it repeats the arguments, be they a password (`HELLO 3 AUTH …`) or a
    /// payload: these are left out.
    package init(reply text: String) {
        var text = text
        if let arguments = text.utf8.firstRange(of: ", with args".utf8) {
            text = String(Substring(text.utf8[..<arguments.lowerBound]))
        }
        let word = text.utf8.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") }
        // By convention the first word is the code, in capitals. Other servers may not know the convention.
        let isCode =
            !word.isEmpty && word.count <= 32
            && word.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }
        self.init(code: .server, message: text, serverCode: isCode ? String(Substring(word)) : nil)
    }

    package static func violation(_ message: String) -> RESPError {
        RESPError(code: .protocolViolation, message: message)
    }

    /// The message.
    public var description: String { self.message }

    /// The message in one line of at most 300 bytes, for logs and for `/readyz`.
    package var brief: String {
        let line = self.message.utf8.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard line.count > 300 else { return String(Substring(line)) }
        return String(decoding: line.prefix(300), as: UTF8.self) + "…"
    }

    /// The error without a secret that Redis may have repeated.
    package func concealing(_ secret: String?) -> RESPError {
        // What is so short is no secret, but may be part of any word.
        guard let secret, secret.utf8.count >= 4 else { return self }
        var error = self
        while let found = error.message.utf8.firstRange(of: secret.utf8) {
            error.message.replaceSubrange(found, with: "***")
        }
        return error
    }

    /// Whether this is an error of Redis that begins with that word.
    package func hasServerCode(_ code: StaticString) -> Bool {
        guard let serverCode = self.serverCode else { return false }
        return code.withUTF8Buffer { serverCode.utf8.elementsEqual($0) }
    }

    /// Whether Redis says that it has not executed the command, but may do so later.
    package var isNotExecuted: Bool {
        let codes: [StaticString] = ["BUSY", "LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"]
        return self.serverCode != nil && codes.contains { self.hasServerCode($0) }
    }
}

extension RESPError {
    /// Whether two errors have the same bytes.
    public static func == (one: RESPError, other: RESPError) -> Bool {
        one.code == other.code && one.message.utf8.elementsEqual(other.message.utf8)
            && (one.serverCode == nil) == (other.serverCode == nil)
            && (one.serverCode ?? "").utf8.elementsEqual((other.serverCode ?? "").utf8)
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.code)
        for byte in self.message.utf8 { hasher.combine(byte) }
    }
}
