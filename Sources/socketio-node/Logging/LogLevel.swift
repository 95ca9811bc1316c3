import Logging
import Synchronization

/// The least important messages that are written, which may change while the node runs.
final class LogLevel: Sendable {
    private let index: Atomic<Int>

    init(_ level: Logger.Level) { self.index = Atomic(Self.index(of: level)) }

    /// Every message asks for it, so it takes no lock.
    var value: Logger.Level { Logger.Level.allCases[self.index.load(ordering: .relaxed)] }

    func set(_ level: Logger.Level) { self.index.store(Self.index(of: level), ordering: .relaxed) }

    private static func index(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}
