/// An identifier as Engine.IO and Socket.IO make them: 15 bytes, written as exactly 20 characters `A-Z a-z 0-9 - _`.
///
/// It has 96 random bits, and then the low 24 bits of a counter of the process. Other nodes recognise ids by their
/// length (sharded adapter, cluster engine). It is kept in 16 bytes without a string on the heap, because every
/// connection has two of them: the id of its socket, and a secret one, ``SessionID``.
public struct ConnectionID: Hashable, Sendable {
    /// The first 8 bytes, most significant first.
    package let high: UInt64
    /// The other 7 bytes, most significant first, in the upper 56 bits; the lowest 8 bits are zero.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low & ~0xFF
    }

    /// An id of 12 random bytes and the low 24 bits of a counter.
    package init(counter: UInt32, using generator: inout some RandomNumberGenerator) {
        let last = UInt64(generator.next() as UInt32)
        self.init(high: generator.next(), low: last << 32 | UInt64(counter & 0xFF_FFFF) << 8)
    }

    /// Reads the 20 characters of an id.
    ///
    /// - Returns: The id; `nil` for a text of another length or alphabet.
    public init?(_ text: some StringProtocol) {
        self.init(bytes: text.utf8)
    }

    /// Reads the 20 bytes of an id without a copy.
    package init?(utf8 bytes: UnsafeRawBufferPointer) {
        self.init(bytes: bytes)
    }

    @inline(__always)
    private init?(bytes: some Sequence<UInt8>) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var count = 0
        for byte in bytes {
            guard count < 20, let digit = Self.digit(of: byte) else { return nil }
            // There are 120 bits. The 20 digits shift through the pair, of which `low` holds 56 bits.
            high = high << 6 | low >> 58
            low = low << 6 | UInt64(digit)
            count += 1
        }
        guard count == 20 else { return nil }
        self.init(high: high << 8 | low >> 56, low: low << 8)
    }

    private static func digit(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}

extension ConnectionID: CustomStringConvertible {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The 20 characters.
    public var description: String {
        String(unsafeUninitializedCapacity: 20) { bytes in
            var high = self.high
            var low = self.low
            for index in 0..<20 {
                bytes[index] = Self.digits[Int(high >> 58)]
                high = high << 6 | low >> 58
                low <<= 6
            }
            return 20
        }
    }
}

extension ConnectionID: Codable {
    /// Reads the 20 characters.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an id of 20 characters")
        }
        self = id
    }

    /// Writes the 20 characters.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}

/// Identifies a socket: one client in one namespace.
///
/// It is not secret. Each socket is in a room of that name.
public typealias SocketID = ConnectionID

extension SocketID {
    /// The room that only this socket is in.
    public var room: Room { Room(self.description) }
}
