import NIOCore

/// The header in front of a connection that a load balancer passes on, in version 1 or 2 of HAProxy's PROXY protocol.
enum ProxyHeader: Equatable {
    /// The balancer speaks for itself, as in its health checks, or does not say for whom it speaks.
    case local
    /// The client for which it speaks.
    case client(IPAddress, port: UInt16)

    /// Bytes that are no such header.
    struct Malformed: Error, Equatable {}

    /// The longest header of version 1, its line end included.
    private static let longestLine = 107
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let fixedLength = 16

    /// Reads a header.
    ///
    /// The reader index moves behind it.
    ///
    /// - Returns: The header; `nil` while it is incomplete. Then nothing has been read.
    /// - Throws: ``Malformed`` as soon as the bytes cannot become a header, whatever follows.
    static func read(from buffer: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        let read = try buffer.withUnsafeReadableBytes { bytes throws(Malformed) in
            try Self.read(bytes.assumingMemoryBound(to: UInt8.self))
        }
        guard let (header, length) = read else { return nil }
        buffer.moveReaderIndex(forwardBy: length)
        return header
    }

    private static func read(_ bytes: Bytes) throws(Malformed) -> (ProxyHeader, Int)? {
        guard let first = bytes.first else { return nil }
        return first == Self.signature[0] ? try Self.readBinary(bytes) : try Self.readLine(bytes)
    }

    // MARK: Version 1

    private static func readLine(_ bytes: Bytes) throws(Malformed) -> (ProxyHeader, Int)? {
        let prefix: StaticString = "PROXY "
        for index in 0..<min(bytes.count, prefix.utf8CodeUnitCount) where bytes[index] != prefix.utf8Start[index] {
            throw Malformed()
        }
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            guard bytes.count < Self.longestLine else { throw Malformed() }
            return nil
        }
        guard end < Self.longestLine, bytes[end - 1] == UInt8(ascii: "\r"), end > prefix.utf8CodeUnitCount else {
            throw Malformed()
        }
        let line = bytes.part(prefix.utf8CodeUnitCount..<end - 1)
        // The standard says to ignore the rest of the line.
        if line.begins(with: "UNKNOWN") { return (.local, end + 1) }
        var parts: [Bytes] = []
        line.split(at: UInt8(ascii: " ")) { part in
            parts.append(part)
            return parts.count < 6
        }
        guard parts.count == 5, let source = IPAddress(utf8: parts[1]), let target = IPAddress(utf8: parts[2]),
            let port = Self.port(parts[3]), Self.port(parts[4]) != nil
        else { throw Malformed() }
        let areIPv6 = parts[1].contains(UInt8(ascii: ":")) && parts[2].contains(UInt8(ascii: ":"))
        if parts[0].equals("TCP4") {
            guard source.isIPv4, target.isIPv4, !parts[1].contains(UInt8(ascii: ":")) else { throw Malformed() }
        } else {
            guard parts[0].equals("TCP6"), areIPv6 else { throw Malformed() }
        }
        return (.client(source, port: port), end + 1)
    }

    private static func port(_ digits: Bytes) -> UInt16? {
        guard (1...5).contains(digits.count), digits.allSatisfy(\.isDigit) else { return nil }
        return UInt16(exactly: digits.reduce(0) { $0 * 10 + Int($1 - 0x30) })
    }

    // MARK: Version 2

    private static func readBinary(_ bytes: Bytes) throws(Malformed) -> (ProxyHeader, Int)? {
        for index in 0..<min(bytes.count, Self.signature.count) where bytes[index] != Self.signature[index] {
            throw Malformed()
        }
        if bytes.count > 12 {
            // This must be version 2 and a known command.
            guard bytes[12] >> 4 == 2, bytes[12] & 0x0F <= 1 else { throw Malformed() }
        }
        guard bytes.count >= Self.fixedLength else { return nil }
        let rest = Int(bytes[14]) << 8 | Int(bytes[15])
        guard bytes.count >= Self.fixedLength + rest else { return nil }
        let header = try Self.header(command: bytes[12] & 0x0F, family: bytes[13], bytes.part(16..<16 + rest))
        return (header, Self.fixedLength + rest)
    }

    private static func header(command: UInt8, family: UInt8, _ bytes: Bytes) throws(Malformed) -> ProxyHeader {
        guard command == 1 else { return .local }
        func integer(_ range: Range<Int>) -> UInt64 { bytes.part(range).reduce(0) { $0 << 8 | UInt64($1) } }
        switch family {
        case 0x11:
            guard bytes.count >= 12 else { throw Malformed() }
            return .client(
                IPAddress(ipv4: UInt32(truncatingIfNeeded: integer(0..<4))),
                port: UInt16(truncatingIfNeeded: integer(8..<10))
            )
        case 0x21:
            guard bytes.count >= 36 else { throw Malformed() }
            return .client(
                IPAddress(high: integer(0..<8), low: integer(8..<16)),
                port: UInt16(truncatingIfNeeded: integer(32..<34))
            )
        default:
            // Unix sockets, datagrams and unknown families have no address that can be told.
            return .local
        }
    }
}
