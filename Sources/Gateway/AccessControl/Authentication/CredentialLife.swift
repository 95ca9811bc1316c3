/// When a client is told that its credentials end, and when they end.
///
/// The client is told when four fifths of their life are over, and 30 seconds before the end. Times are Unix times in
/// seconds.
struct CredentialLife: Sendable, Hashable {
    enum Action: Sendable, Hashable {
        /// Nothing yet; look again then.
        case wait(until: Double)
        /// Tell the client, and look again then.
        case warn(next: Double)
        /// The credentials have ended.
        case end
    }

    /// When the credentials end.
    let endsAt: Double
    /// When the client will be told, in order.
    private var warnings: [Double]

    /// How much of the life is over at the first warning.
    private static let share = 0.8
    /// How long before the end the second one comes, in seconds.
    private static let lastCall = 30.0

    /// - Parameters:
    ///   - startsAt: When the credentials were issued, or else when the client showed them.
    ///   - endsAt: When they end.
    ///   - now: The time.
    ///   - tellsOfPast: Whether a warning that would have come before now comes now. A client that was just told, and has
    ///     shown other credentials, is not told again at once: it would only try again and again.
    init(startsAt: Double, endsAt: Double, now: Double, tellsOfPast: Bool) {
        self.endsAt = endsAt
        let start = min(startsAt, now)
        self.warnings = [start + (endsAt - start) * Self.share, endsAt - Self.lastCall]
            .filter { $0 > start && $0 < endsAt && (tellsOfPast || $0 > now) }
            .sorted()
    }

    /// When something is due next.
    var next: Double { self.warnings.first ?? self.endsAt }

    /// What is due.
    mutating func wake(at now: Double) -> Action {
        guard now < self.endsAt else { return .end }
        let isDue = self.next <= now
        self.warnings.removeAll { $0 <= now }
        return isDue ? .warn(next: self.next) : .wait(until: self.next)
    }
}
