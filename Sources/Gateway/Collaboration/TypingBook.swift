import NIOCore
import SocketIOServer
import SocketIOWire

/// Who types where, and when the others are told.
///
/// A client may say it with every key; the others hear of it no more often than once in an interval, and once more when
/// it has ended.
struct TypingBook<Key: Hashable & Sendable>: Sendable {
    private struct Typist: Sendable {
        /// The field that the others know of.
        var told: UTF8Text
        var toldAt: NIODeadline
        /// The field that the client named last.
        var field: UTF8Text
        var typedAt: NIODeadline
    }

    /// What to do now.
    enum Action: Equatable, Sendable {
        /// Tells the others of the field.
        case tell(UTF8Text)
        /// Tells them that the client types no more.
        case end
        case none
    }

    let interval: TimeAmount
    let lifetime: TimeAmount
    private var typists: [Key: Typist] = [:]

    init(interval: TimeAmount, lifetime: TimeAmount) {
        self.interval = interval
        self.lifetime = lifetime
    }

    var count: Int { self.typists.count }

    /// A client types in a field.
    ///
    /// - Returns: What to do, and when to ask again.
    mutating func typed(_ key: Key, _ field: UTF8Text, at now: NIODeadline) -> (Action, wakeIn: TimeAmount) {
        guard var typist = self.typists.removeValue(forKey: key) else {
            self.typists[key] = Typist(told: field, toldAt: now, field: field, typedAt: now)
            return (.tell(field), self.lifetime)
        }
        typist.field = field
        typist.typedAt = now
        let action = self.told(&typist, at: now)
        self.typists[key] = typist
        return (action, self.wake(typist, at: now))
    }

    private func told(_ typist: inout Typist, at now: NIODeadline) -> Action {
        guard now - typist.toldAt >= self.interval else { return .none }
        typist.told = typist.field
        typist.toldAt = now
        return .tell(typist.field)
    }

    private func wake(_ typist: Typist, at now: NIODeadline) -> TimeAmount {
        let end = typist.typedAt + self.lifetime - now
        guard typist.field != typist.told else { return max(end, .zero) }
        return max(min(end, typist.toldAt + self.interval - now), .zero)
    }

    /// The time has come to look at a client again.
    ///
    /// - Returns: What to do, and when to ask again; `nil` if never.
    mutating func woke(_ key: Key, at now: NIODeadline) -> (Action, wakeIn: TimeAmount?) {
        guard var typist = self.typists[key] else { return (.none, nil) }
        guard now - typist.typedAt < self.lifetime else {
            self.typists[key] = nil
            return (.end, nil)
        }
        let action: Action = typist.field == typist.told ? .none : self.told(&typist, at: now)
        self.typists[key] = typist
        return (action, self.wake(typist, at: now))
    }

    /// The client types no more, or has left.
    mutating func ended(_ key: Key) -> Action { self.typists.removeValue(forKey: key) == nil ? .none : .end }
}
