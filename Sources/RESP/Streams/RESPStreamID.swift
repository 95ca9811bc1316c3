public import NIOCore

/// The id of an entry of a stream: a time in milliseconds and a number within it, in the order of the stream.
public struct RESPStreamID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The time by the clock of the Redis that made it.
    public var milliseconds: UInt64
    /// The number within the millisecond.
    public var sequence: UInt64

    /// `0-0`: before every entry.
    public static let zero = RESPStreamID(milliseconds: 0, sequence: 0)

    /// Makes an id of its parts.
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Reads `1526919030474-55` and nothing else.
    public init?(_ bytes: some Sequence<UInt8>) {
        var parts: (UInt64, UInt64) = (0, 0)
        var digits = 0
        var isSequence = false
        for byte in bytes {
            if byte == UInt8(ascii: "-"), !isSequence, digits > 0 {
                isSequence = true
                digits = 0
                continue
            }
            let digit = UInt64(byte &- UInt8(ascii: "0"))
            guard digit <= 9 else { return nil }
            let (product, tooBig) = (isSequence ? parts.1 : parts.0).multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(digit)
            guard !tooBig, !overflow else { return nil }
            if isSequence { parts.1 = sum } else { parts.0 = sum }
            digits += 1
        }
        guard isSequence, digits > 0 else { return nil }
        self.init(milliseconds: parts.0, sequence: parts.1)
    }

    /// Reads `1526919030474-55` and nothing else.
    public init?(_ bytes: ByteBuffer) { self.init(bytes.readableBytesView) }

    /// The next possible id, or `nil` after the last.
    public var next: RESPStreamID? {
        if self.sequence < .max { return RESPStreamID(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        guard self.milliseconds < .max else { return nil }
        return RESPStreamID(milliseconds: self.milliseconds + 1, sequence: 0)
    }

    /// Orders as the stream does.
    public static func < (one: RESPStreamID, other: RESPStreamID) -> Bool {
        (one.milliseconds, one.sequence) < (other.milliseconds, other.sequence)
    }

    /// The id as Redis writes it: `1526919030474-55`.
    public var description: String { "\(self.milliseconds)-\(self.sequence)" }
}
