import EngineIO
import NIOConcurrencyHelpers
import NIOCore

/// Says which rules are in force, and is the only one that replaces them.
///
/// Each event loop has a copy of its own, so a client's wish takes no lock to see the rules, and what one turn of a loop
/// sees does not change under it. A task that no loop owns sees the newest rules.
final class RulesInForce: Sendable {
    private struct Versions {
        var newest: Rules
        /// The rules that were replaced last, the oldest first, and when.
        var former: [(rules: Rules, end: NIODeadline)] = []
    }

    private let versions: NIOLockedValueBox<Versions>
    /// The copies of the loops.
    private let copies: [ObjectIdentifier: Copy]

    /// How many replaced rules are remembered, for sockets that were judged by them and have not been judged again.
    private static let rememberedVersions = 16

    /// What one loop goes by.
    private final class Copy: Sendable {
        let eventLoop: any EventLoop
        private let rules: LoopBound<Rules>

        init(_ rules: Rules, eventLoop: any EventLoop) {
            self.eventLoop = eventLoop
            self.rules = LoopBound(rules, eventLoop: eventLoop)
        }

        /// On the loop.
        var value: Rules { self.rules.value }

        /// On the loop: replaces the rules by newer ones.
        func replace(by rules: Rules) {
            guard rules.version > self.rules.value.version else { return }
            self.rules.value = rules
        }
    }

    init(_ rules: Rules, eventLoops: [any EventLoop]) {
        self.versions = NIOLockedValueBox(Versions(newest: rules))
        self.copies = Dictionary(eventLoops.map { (ObjectIdentifier($0), Copy(rules, eventLoop: $0)) }) { first, _ in
            first
        }
    }

    /// The newest rules.
    var value: Rules { self.versions.withLockedValue { $0.newest } }

    /// The rules of a loop if this is the loop, and the newest ones if not.
    func value(on eventLoop: any EventLoop) -> Rules {
        guard eventLoop.inEventLoop, let copy = self.copies[ObjectIdentifier(eventLoop)] else { return self.value }
        return copy.value
    }

    /// The rules of a number, or the oldest that are remembered.
    func value(version: Int) -> Rules {
        self.versions.withLockedValue { versions in
            if versions.newest.version == version { return versions.newest }
            return versions.former.first { $0.rules.version == version }?.rules ?? versions.former.first?.rules
                ?? versions.newest
        }
    }

    /// The remembered rules that were in force after some moment and are not any more.
    func former(since start: NIODeadline) -> [Rules] {
        self.versions.withLockedValue { $0.former.filter { $0.end >= start }.map(\.rules) }
    }

    /// Puts other rules into force.
    ///
    /// When it returns, every loop goes by them or by newer ones. So what the old rules allowed, and these do not, can be
    /// ended then: whatever was allowed before is there to be seen, and nothing more is allowed.
    ///
    /// Whoever replaces rules at the same time is ordered by the numbers that the rules get here.
    ///
    /// - Parameters:
    ///   - rules: The rules.
    ///   - now: The time.
    /// - Returns: The rules that they replaced.
    @discardableResult
    func replace(by rules: Rules, at now: NIODeadline = .now()) async -> Rules {
        let (old, new) = self.versions.withLockedValue { versions in
            let old = versions.newest
            versions.newest = rules.numbered(old.version + 1)
            versions.former.append((old, now))
            if versions.former.count > Self.rememberedVersions { versions.former.removeFirst() }
            return (old, versions.newest)
        }
        let changes = self.copies.values.map { copy in copy.eventLoop.submit { copy.replace(by: new) } }
        // A loop that has ended decides nothing any more.
        for change in changes { try? await change.get() }
        return old
    }
}
