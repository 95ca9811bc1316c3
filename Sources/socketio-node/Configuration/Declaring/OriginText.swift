/// The origins that browsers send: a scheme, a host and perhaps a port, each written in one way.
enum OriginText {
    /// What browsers leave out.
    private static let defaultPorts: [(scheme: String, port: Int)] = [
        ("http", 80), ("https", 443), ("ws", 80), ("wss", 443), ("ftp", 21),
    ]

    static func isValid(_ origin: [UInt8]) -> Bool {
        guard let colon = origin.firstIndex(of: UInt8(ascii: ":")), origin[colon...].starts(with: "://".utf8) else {
            return false
        }
        let scheme = origin[..<colon]
        guard let first = scheme.first, Self.isLetter(first), scheme.allSatisfy(Self.isSchemeByte) else { return false }
        var host = origin[(colon + 3)...]
        // Of files, browsers in apps name no host.
        if host.isEmpty { return scheme.elementsEqual("file".utf8) }
        let bracket = host.lastIndex(of: UInt8(ascii: "]"))
        if let mark = host.lastIndex(of: UInt8(ascii: ":")), mark > bracket ?? -1 {
            guard Self.isPort(host[(mark + 1)...], scheme) else { return false }
            host = host[..<mark]
        }
        if host.first == UInt8(ascii: "["), let bracket, bracket == host.endIndex - 1 {
            let address = host.dropFirst().dropLast()
            return address.contains(UInt8(ascii: ":")) && address.allSatisfy(Self.isAddressByte)
        }
        return !host.isEmpty && host.allSatisfy(Self.isHostByte)
    }

    private static func isPort(_ digits: ArraySlice<UInt8>, _ scheme: ArraySlice<UInt8>) -> Bool {
        guard (1...5).contains(digits.count), digits.first != UInt8(ascii: "0"), digits.allSatisfy(Self.isDigit) else {
            return false
        }
        let port = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return port <= 65_535
            && !Self.defaultPorts.contains { $0.port == port && scheme.elementsEqual($0.scheme.utf8) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        Self.isLetter(byte) || Self.isDigit(byte) || "+-.".utf8.contains(byte)
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        Self.isDigit(byte) || (0x61...0x66).contains(byte) || byte == UInt8(ascii: ":")
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        Self.isLetter(byte) || Self.isDigit(byte) || "-._".utf8.contains(byte)
    }
}
