/// How many events a history keeps, and for how long.
public struct HistoryRetention: Sendable, Hashable {
    /// The most events that are kept.
    ///
    /// With 0 there is no history.
    public var size: Int
    /// How old an event may be that is still handed out, and how long the history outlives its last event.
    public var ttl: Duration

    /// No history.
    public static let off = HistoryRetention(size: 0)
    /// The most events that a history may keep.
    public static let maximumSize = 10_000
    /// The longest time for ``ttl``.
    public static let maximumTTL = Duration.seconds(7 * 86_400)

    /// Makes a retention.
    public init(size: Int, ttl: Duration = .seconds(600)) {
        self.size = size
        self.ttl = ttl
    }

    /// Whether events are kept.
    public var isOn: Bool { self.size > 0 }

    /// ``ttl`` in milliseconds.
    package var milliseconds: Int {
        let (seconds, attoseconds) = self.ttl.components
        return Int(seconds) * 1_000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
