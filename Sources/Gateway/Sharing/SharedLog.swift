public import NIOCore

/// A list of entries that all gateways of the cluster write and read, of which only the newest are kept.
public protocol SharedLog: Sendable {
    /// Adds entries behind all others, and forgets the oldest.
    ///
    /// - Parameters:
    ///   - entries: What to add, in order.
    ///   - limit: How many entries are kept.
    /// - Throws: `ClusterError` with the code `unreachable` if it is not known that they are there.
    func append(_ entries: [ByteBuffer], keeping limit: Int) async throws

    /// The newest entries, the oldest of them first.
    ///
    /// - Parameters:
    ///   - count: How many at most.
    ///   - id: Only entries before this one.
    /// - Returns: The entries.
    /// - Throws: `ClusterError` with the code `unreachable` if nobody knows.
    func last(_ count: Int, before id: LogEntryID?) async throws -> [SharedLogEntry]

    /// The entries behind one, the oldest first.
    ///
    /// - Parameters:
    ///   - id: The entry that the reader has seen last.
    ///   - count: How many at most.
    /// - Returns: The entries, and whether something is missing before them.
    /// - Throws: `ClusterError` with the code `unreachable` if nobody knows.
    func entries(after id: LogEntryID, count: Int) async throws -> SharedLogPage

    /// Calls a handler when entries may have been added.
    ///
    /// The handler is called on any thread, and must not block.
    func onChange(_ handler: @escaping @Sendable () -> Void) -> SignalSubscription
}

/// An entry of a ``SharedLog``.
public struct SharedLogEntry: Sendable, Hashable {
    /// Its place.
    public var id: LogEntryID
    /// What was added.
    public var bytes: ByteBuffer

    /// An entry of these parts.
    public init(id: LogEntryID, bytes: ByteBuffer) {
        self.id = id
        self.bytes = bytes
    }
}

/// A part of a ``SharedLog``.
public struct SharedLogPage: Sendable, Hashable {
    /// The entries, the oldest first.
    public var entries: [SharedLogEntry]
    /// Whether nothing is missing between the place that was asked for and the first entry.
    public var isWhole: Bool
    /// The newest entry that the log has; `nil` if it has none.
    public var newest: LogEntryID?

    /// A part of these entries.
    public init(entries: [SharedLogEntry], isWhole: Bool, newest: LogEntryID?) {
        self.entries = entries
        self.isWhole = isWhole
        self.newest = newest
    }
}

/// The place of an entry in a ``SharedLog``, as Redis numbers the entries of streams: `1789000000000-0`.
public struct LogEntryID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Unix time in milliseconds.
    public var milliseconds: UInt64
    /// Tells entries of one millisecond apart.
    public var sequence: UInt64

    /// A place.
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Reads `<milliseconds>-<sequence>`; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let milliseconds = Self.number(parts[0]), let sequence = Self.number(parts[1]) else {
            return nil
        }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    private static func number(_ digits: Substring.UTF8View) -> UInt64? {
        guard (1...20).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(Substring(digits))
    }

    /// The next place that there can be; `nil` if this is the last.
    public var next: LogEntryID? {
        if self.sequence < .max { return LogEntryID(milliseconds: self.milliseconds, sequence: self.sequence + 1) }
        guard self.milliseconds < .max else { return nil }
        return LogEntryID(milliseconds: self.milliseconds + 1, sequence: 0)
    }

    /// Whether the entry is older.
    public static func < (left: Self, right: Self) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }

    /// The text that ``init(_:)`` reads.
    public var description: String { "\(self.milliseconds)-\(self.sequence)" }
}
