extension RESPConfiguration {
    /// Reads `redis://[[user]:password@]host[:port][/database]`, the same with `rediss://` for TLS, or
    /// `unix://[[user]:password@]/path[?db=database]`.
    ///
    /// User, password and path are percent-decoded: write `%40` for `@`, `%3A` for `:`, `%2F` for `/`. IPv6 addresses
    /// stand in brackets. Port 6379 and database 0 may be left out; `?db=` may name the database everywhere.
    /// `redis+unix://` and `redis-socket://` are other names for `unix://`.
    ///
    /// - Throws: ``RESPError`` (`invalidURL`) that names the part that is wrong, and never the password.
    public init(url: String) throws {
        // Bytes separate: a mark after a separator does not make another character of it.
        guard let schemeEnd = url.utf8.firstRange(of: "://".utf8) else {
            throw Self.invalid("has no scheme; write redis://host:port")
        }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        let isScheme = { (name: String) in scheme.utf8.elementsEqual(name.utf8) }
        let isUnix = ["unix", "redis+unix", "redis-socket"].contains(where: isScheme)
        guard isUnix || isScheme("redis") || isScheme("rediss") else {
            throw Self.invalid("has the scheme \"\(scheme)\"; write redis://, rediss:// (TLS) or unix://")
        }
        var rest = url[schemeEnd.upperBound...].utf8
        guard !rest.contains(UInt8(ascii: "#")) else {
            throw Self.invalid("has a fragment (#…); if # is part of the password, write %23")
        }
        // A slash or question mark in an unencoded password would move the end of the authority: look at "@" first.
        // Before the path of a Unix socket there is nobody.
        let hasUser = !(isUnix && rest.first == UInt8(ascii: "/"))
        let userInfoEnd = hasUser ? rest.lastIndex(of: UInt8(ascii: "@")) : nil
        let userInfo = userInfoEnd.map { rest[..<$0] }
        if let userInfoEnd { rest = rest[rest.index(after: userInfoEnd)...] }
        if let userInfo, userInfo.contains(where: { "/?@".utf8.contains($0) }) {
            throw Self.invalid("has a /, ? or @ in user or password; write %2F, %3F, %40")
        }

        // From here on nothing is quoted that is not a number: without its "@", a password stands where a port does.
        let question = rest.firstIndex(of: UInt8(ascii: "?"))
        let parameter = try question.map { try Self.database(parameters: rest[rest.index(after: $0)...]) }
        if let question { rest = rest[..<question] }
        if isUnix {
            try self.init(unixSocket: rest, database: parameter ?? 0)
        } else {
            try self.init(authority: rest, database: parameter)
            if isScheme("rediss") { self.tls = RESPTLS() }
        }
        if let userInfo { try self.read(userInfo: userInfo) }
    }

    private init(unixSocket text: Substring.UTF8View, database: Int) throws(RESPError) {
        guard text.first == UInt8(ascii: "/"), text.count > 1 else {
            throw Self.invalid("names no absolute path of a Unix socket; write unix:///path")
        }
        guard let path = Self.percentDecoded(text), !path.utf8.contains(0) else {
            throw Self.invalid("has a path with a % that is not followed by two hexadecimal digits; write %25 for %")
        }
        // What the operating systems leave room for, with a zero at the end.
        guard path.utf8.count <= 103 else {
            throw Self.invalid("has a path of \(path.utf8.count) bytes; that of a Unix socket has 103 at most")
        }
        self.init(database: database)
        self.unixSocketPath = path
    }

    private init(authority rest: Substring.UTF8View, database parameter: Int?) throws(RESPError) {
        let slash = rest.firstIndex(of: UInt8(ascii: "/"))
        let path = slash.map { rest[rest.index(after: $0)...] } ?? ""[...].utf8
        var database = parameter ?? 0
        if !path.isEmpty {
            guard parameter == nil else { throw Self.invalid("names a database twice, in its path and as ?db=") }
            guard let number = Self.number(path) else {
                throw Self.invalid("has a path that is no database number, such as /0")
            }
            database = number
        }
        let (host, port) = try Self.hostAndPort(slash.map { rest[..<$0] } ?? rest)
        self.init(host: host, port: port, database: database)
    }

    private mutating func read(userInfo: Substring.UTF8View) throws(RESPError) {
        guard let colon = userInfo.firstIndex(of: UInt8(ascii: ":")) else {
            throw Self.invalid(
                "has a user without a password; write user:password@, or :password@ for the default user"
            )
        }
        guard let user = Self.percentDecoded(userInfo[..<colon]) else {
            throw Self.invalid("has a user with a % that is not followed by two hexadecimal digits")
        }
        guard let password = Self.percentDecoded(userInfo[userInfo.index(after: colon)...]) else {
            throw Self.invalid(
                "has a password with a % that is not followed by two hexadecimal digits; write %25 for %"
            )
        }
        self.username = user.isEmpty ? nil : user
        self.password = password.isEmpty ? nil : password
        if self.username != nil, self.password == nil {
            throw Self.invalid("has a user with an empty password")
        }
    }

    /// Reads `db=1`, the only parameter there is.
    private static func database(parameters: Substring.UTF8View) throws(RESPError) -> Int {
        guard parameters.starts(with: "db=".utf8), !parameters.contains(UInt8(ascii: "&")) else {
            throw Self.invalid("has parameters (?…), and only ?db=number is known")
        }
        guard let number = Self.number(parameters.dropFirst(3)) else {
            throw Self.invalid("has a ?db= that is no number")
        }
        return number
    }

    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(Substring(digits))
    }

    private static func hostAndPort(_ authority: Substring.UTF8View) throws(RESPError) -> (String, Int) {
        var host = authority
        var portText: Substring.UTF8View?
        if authority.first == UInt8(ascii: "[") {
            guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else {
                throw Self.invalid("has an address that starts with [ and doesn't end with ]")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.first == UInt8(ascii: ":") else {
                throw Self.invalid("has something else than :port after the address in brackets")
            }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.firstIndex(of: UInt8(ascii: ":")) {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
            guard portText?.contains(UInt8(ascii: ":")) == false else {
                throw Self.invalid("has several colons in its host; write an IPv6 address in brackets: [::1]")
            }
        }
        guard !host.isEmpty else { throw Self.invalid("has no host; write redis://host:port") }
        guard let portText else { return (String(Substring(host)), 6379) }
        guard let port = Int(Substring(portText)), (1...65535).contains(port),
            portText.allSatisfy({ (48...57).contains($0) })
        else { throw Self.invalid("has a port that is no number from 1 to 65535 (a password ends with @)") }
        return (String(Substring(host)), port)
    }

    private static func percentDecoded(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Self.hexadecimal),
                let low = rest.popFirst().flatMap(Self.hexadecimal)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func invalid(_ what: String) -> RESPError {
        RESPError(code: .invalidURL, message: "the Redis URL \(what)")
    }
}
