import Synchronization

/// A regular expression for the names of namespaces, which two threads may not use at a time.
///
/// How long it takes is up to the application's pattern and to the client's name. So an event loop asks it only if
/// nobody else does: else it would stand still for another loop's client.
struct NamePattern: Sendable {
    /// Whether the name matches as a whole, or `nil` if another thread uses the pattern.
    let matchesAtOnce: @Sendable (String) -> Bool?
    private let matchesLater: @Sendable (String) -> Bool
    private let line = WaitingLine()

    init<Output>(_ pattern: sending Regex<Output>) {
        // As JavaScript does: a letter with an accent is not matched by what is written with other scalars.
        let pattern = SharedRegex(pattern.matchingSemantics(.unicodeScalar))
        self.matchesAtOnce = { name in
            pattern.regex.withLockIfAvailable { (try? $0.wholeMatch(in: name)) != nil }
        }
        self.matchesLater = { name in pattern.regex.withLock { (try? $0.wholeMatch(in: name)) != nil } }
    }

    /// Whether the name matches as a whole; waits for other threads.
    func matches(_ name: String) -> Bool { self.matchesLater(name) }

    /// Whether the name matches as a whole; keeps neither the caller's event loop waiting, nor more than one other thread.
    @concurrent
    func matchesInTurn(_ name: String) async -> Bool {
        await withTaskExecutorPreference(globalConcurrentExecutor) {
            await self.line.run { self.matchesLater(name) }
        }
    }

    private final class SharedRegex<Output>: Sendable {
        let regex: Mutex<Regex<Output>>

        init(_ regex: sending Regex<Output>) { self.regex = Mutex(regex) }
    }

    private actor WaitingLine {
        func run(_ body: @Sendable () -> Bool) -> Bool { body() }
    }
}
