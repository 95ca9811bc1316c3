/// Addresses of mailboxes, resources and hosts.
enum AddressText {
    /// A mailbox of RFC 5321: a name or a quoted string, `@`, and a domain or an address in brackets.
    static func isEmail(_ text: [UInt8]) -> Bool {
        guard let at = text.lastIndex(of: UInt8(ascii: "@")), (1...64).contains(at) else { return false }
        let name = text[..<at]
        let isQuoted = at > 2 && name.first == UInt8(ascii: "\"") && name.last == UInt8(ascii: "\"")
        if isQuoted {
            guard name.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return false }
        } else {
            let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let areParts = parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"@\"(),:;<>[\\]".utf8.contains($0) }
            }
            guard areParts else { return false }
        }
        let domain = text[(at + 1)...]
        if domain.first == UInt8(ascii: "["), domain.last == UInt8(ascii: "]") {
            let address = domain.dropFirst().dropLast()
            let isLongAddress = address.starts(with: "IPv6:".utf8)
            return isLongAddress ? Self.isIPv6(address.dropFirst(5)) : Self.isIPv4(address)
        }
        return domain.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy { $0 >= 0x80 || $0.isASCIIAlphanumeric || $0 == UInt8(ascii: "-") }
        }
    }

    /// A scheme, a colon, and nothing that RFC 3986 does not allow.
    static func isURI(_ text: [UInt8]) -> Bool {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")), text[0].isLetterByte else { return false }
        guard text[..<colon].allSatisfy({ $0.isASCIIAlphanumeric || "+-.".utf8.contains($0) }) else { return false }
        var rest = text[(colon + 1)...]
        for (index, byte) in zip(rest.indices, rest) {
            guard byte > 0x20, byte < 0x7F, !"\"<>\\^`{|}".utf8.contains(byte) else { return false }
            guard byte == UInt8(ascii: "%") else { continue }
            let digits = rest[(index + 1)...].prefix(2)
            guard digits.count == 2, digits.allSatisfy(\.isHexDigitByte) else { return false }
        }
        if rest.starts(with: "//".utf8) {
            let authority = rest.dropFirst(2).prefix { !"/?#".utf8.contains($0) }
            guard Self.isAuthority(authority) else { return false }
            rest = rest[authority.endIndex...]
        }
        guard !rest.contains(where: { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }) else { return false }
        return rest.split(separator: UInt8(ascii: "#"), omittingEmptySubsequences: false).count <= 2
    }

    /// `user@host:port`, in which the host may be an address in brackets.
    private static func isAuthority(_ text: ArraySlice<UInt8>) -> Bool {
        var host = text
        if let at = text.lastIndex(of: UInt8(ascii: "@")) {
            guard !text[..<at].contains(where: { "[]@".utf8.contains($0) }) else { return false }
            host = text[(at + 1)...]
        }
        var port = host[host.endIndex...]
        if host.first == UInt8(ascii: "[") {
            guard let end = host.firstIndex(of: UInt8(ascii: "]")) else { return false }
            guard Self.isIPv6(host[(host.startIndex + 1)..<end]) else { return false }
            port = host[(end + 1)...]
            guard port.isEmpty || port.first == UInt8(ascii: ":") else { return false }
        } else {
            guard !host.contains(where: { "[]".utf8.contains($0) }) else { return false }
            if let colon = host.firstIndex(of: UInt8(ascii: ":")) { port = host[colon...] }
        }
        return port.dropFirst().allSatisfy(\.isDigitByte)
    }

    static func isIPv4(_ text: ArraySlice<UInt8>) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard (1...3).contains(part.count), part.allSatisfy(\.isDigitByte) else { return false }
                guard part.count == 1 || part.first != UInt8(ascii: "0") else { return false }
                return part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 255
            }
    }

    static func isIPv6(_ text: ArraySlice<UInt8>) -> Bool {
        var parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard (3...9).contains(parts.count), let last = parts.last else { return false }
        var groups = 8
        if last.contains(UInt8(ascii: ".")) {
            guard Self.isIPv4(last) else { return false }
            parts.removeLast()
            groups = 6
        }
        // `::` is an empty part in the middle; at an end it makes two.
        var isCompressed = false
        if parts.first?.isEmpty == true {
            guard parts.count > 1, parts[1].isEmpty else { return false }
            parts.removeFirst()
        }
        if groups == 8, parts.last?.isEmpty == true {
            guard parts.count > 1, parts[parts.count - 2].isEmpty else { return false }
            parts.removeLast()
        }
        var count = 0
        for part in parts {
            if part.isEmpty {
                guard !isCompressed else { return false }
                isCompressed = true
            } else {
                guard part.count <= 4, part.allSatisfy(\.isHexDigitByte) else { return false }
                count += 1
            }
        }
        return isCompressed ? count < groups : count == groups
    }
}

extension UInt8 {
    var isDigitByte: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    var isLetterByte: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
    var isHexDigitByte: Bool { self.isDigitByte || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20) }
}
