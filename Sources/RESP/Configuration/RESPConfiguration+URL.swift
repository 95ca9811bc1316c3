extension RESPConfiguration {
    /// Reads `redis://[[user]:password@]host[:port][/database]`.
    ///
    /// User and password are percent-decoded: write `%40` for `@`, `%3A` for `:`, `%2F` for `/`. IPv6 addresses stand in
    /// brackets. Port 6379 and database 0 may be left out.
    ///
    /// - Throws: ``RESPError`` (`invalidURL`) that names the part that is wrong, and never the password.
    public init(url: String) throws {
        // Bytes separate: a mark after a separator does not make another character of it.
        guard let schemeEnd = url.utf8.firstRange(of: "://".utf8) else {
            throw Self.invalid("has no scheme; write redis://host:port")
        }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        let isScheme = { (name: String) in scheme.utf8.elementsEqual(name.utf8) }
        if isScheme("rediss") {
            throw Self.invalid("asks for TLS (rediss://), which this client doesn't speak yet; use redis://")
        }
        if isScheme("unix") || isScheme("redis+unix") || isScheme("redis-socket") {
            throw Self.invalid("names a Unix socket, which this client doesn't support yet; use redis://host:port")
        }
        guard isScheme("redis") else {
            throw Self.invalid("has the scheme \"\(scheme)\"; only redis:// is supported")
        }
        var rest = url[schemeEnd.upperBound...].utf8
        guard !rest.contains(UInt8(ascii: "#")) else {
            throw Self.invalid("has a fragment (#…); if # is part of the password, write %23")
        }
        // A slash or question mark in an unencoded password would move the end of the authority: look at "@" first.
        let userInfoEnd = rest.lastIndex(of: UInt8(ascii: "@"))
        let userInfo = userInfoEnd.map { rest[..<$0] }
        if let userInfoEnd { rest = rest[rest.index(after: userInfoEnd)...] }
        if let userInfo, userInfo.contains(where: { "/?@".utf8.contains($0) }) {
            throw Self.invalid("has a /, ? or @ in user or password; write %2F, %3F, %40")
        }

        // From here on nothing is quoted that is not a number: without its "@", a password stands where a port does.
        guard !rest.contains(UInt8(ascii: "?")) else { throw Self.invalid("has parameters (?…), and none is known") }
        let slash = rest.firstIndex(of: UInt8(ascii: "/"))
        let path = slash.map { rest[rest.index(after: $0)...] } ?? ""[...].utf8
        let authority = slash.map { rest[..<$0] } ?? rest

        var database = 0
        if !path.isEmpty {
            guard let number = Int(Substring(path)), path.allSatisfy({ (48...57).contains($0) }) else {
                throw Self.invalid("has a path that is no database number, such as /0")
            }
            database = number
        }
        let (host, port) = try Self.hostAndPort(authority)
        self.init(host: host, port: port, database: database)

        if let userInfo {
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
