/// Where an event stands in a log that the whole cluster keeps.
///
/// It has the form of the ids of a Redis stream's entries: a time in milliseconds, and a number that counts the entries
/// of the same millisecond. A log that only counts uses one of the two parts. Offsets compare in the order of the log.
public struct EventOffset: Hashable, Comparable, Sendable {
    /// Both parts in one number, so that a client's ticket holds few bytes: 43 bits of time, 20 bits of sequence.
    let position: Int

    private static let sequenceBits = 20
    private static let mostMilliseconds: UInt64 = 1 << 43 - 1
    private static let mostSequence: UInt64 = 1 << sequenceBits - 1

    /// The offset at that place; a place before the beginning counts as the beginning.
    init(position: Int) { self.position = max(0, position) }

    /// The offset of those parts.
    ///
    /// - Returns: `nil` for a time after the year 2248, and for the events of one millisecond behind the first million.
    ///   An event at such a place is sent without an offset.
    public init?(milliseconds: UInt64, sequence: UInt64) {
        guard milliseconds <= Self.mostMilliseconds, sequence <= Self.mostSequence else { return nil }
        self.position = Int(milliseconds << UInt64(Self.sequenceBits) | sequence)
    }

    /// Reads the text form, `milliseconds-sequence`, in which one offset has one text.
    public init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard bytes.count <= 41, let dash = bytes.firstIndex(of: UInt8(ascii: "-")),
            let milliseconds = Self.number(bytes[..<dash]),
            let sequence = Self.number(bytes[bytes.index(after: dash)...])
        else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    private static func number(_ digits: some Collection<UInt8>) -> UInt64? {
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        var number: UInt64 = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isTooMuch) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !isTooLarge, !isTooMuch else { return nil }
            number = sum
        }
        return number
    }

    /// The beginning of every log.
    public static let start = EventOffset(position: 0)

    /// The time, in milliseconds.
    public var milliseconds: UInt64 { UInt64(self.position) >> UInt64(Self.sequenceBits) }
    /// The place among the events of the same millisecond.
    public var sequence: UInt64 { UInt64(self.position) & Self.mostSequence }

    /// Such as `1732172345678-0`.
    public var text: String { "\(self.milliseconds)-\(self.sequence)" }

    /// Whether one comes before the other in the log.
    public static func < (one: EventOffset, other: EventOffset) -> Bool { one.position < other.position }
}

extension EventOffset: CustomStringConvertible {
    /// The text form.
    public var description: String { self.text }
}
