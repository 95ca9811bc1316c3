import Crypto
import NIOConcurrencyHelpers

/// The ids of the events that were published last, so that a repeated event is published only once.
///
/// Each node has its own. So a back end that repeats a request to another node publishes twice. The memory is bounded,
/// and forgets the oldest id first.
final class EventIDMemory: Sendable {
    /// A digest of an id and what the id belongs to.
    ///
    /// The bytes decide, and all keys have the same size.
    struct Key: Hashable, Sendable {
        private let digest: [UInt8]

        init(_ id: String, scope: [String]) {
            var hash = SHA256()
            for text in scope + [id] {
                // Each text is preceded by its length, so that no two lists of texts give the same bytes.
                withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
                hash.update(data: Array(text.utf8))
            }
            self.digest = Array(hash.finalize())
        }

        /// The digest in hexadecimal digits.
        var hexadecimal: String { APIToken.hexadecimal(self.digest) }
    }

    private struct State {
        /// A ring of the keys in the order in which they were published.
        var ring: [Key] = []
        var next = 0
        var known: Set<Key> = []
        /// For each id that is being published: the requests that wait for the end of the first one.
        var underWay: [Key: [CheckedContinuation<Void, Never>]] = [:]

        mutating func remember(_ key: Key, capacity: Int) {
            guard capacity > 0, self.known.insert(key).inserted else { return }
            if self.ring.count < capacity {
                self.ring.append(key)
            } else {
                self.known.remove(self.ring[self.next])
                self.ring[self.next] = key
                self.next = (self.next + 1) % capacity
            }
        }
    }

    private let capacity: Int
    private let state = NIOLockedValueBox(State())

    init(capacity: Int) { self.capacity = capacity }

    /// Notes that an event with that id is published now.
    ///
    /// - Returns: Whether the id is new.
    func insert(_ key: Key) -> Bool {
        self.state.withLockedValue { state in
            guard !state.known.contains(key) else { return false }
            state.remember(key, capacity: self.capacity)
            return true
        }
    }

    /// Runs `body` unless it was run before with that key.
    ///
    /// It remembers the key if `body` has published anything.
    ///
    /// - Parameters:
    ///   - key: The id, and what it belongs to.
    ///   - body: Does the work, and says whether it has published anything.
    /// - Returns: What `body` returned; `nil` if the work was done before.
    /// - Throws: What `body` throws. The key is not remembered then.
    func once<Result: Sendable>(
        _ key: Key,
        _ body: () async throws -> (result: Result, hasPublished: Bool)
    ) async throws -> Result? {
        while true {
            switch self.begin(key) {
            case .known: return nil
            case .underWay: await self.waitForEnd(of: key)
            case .new:
                do {
                    let (result, hasPublished) = try await body()
                    self.end(key, hasPublished: hasPublished)
                    return result
                } catch {
                    self.end(key, hasPublished: false)
                    throw error
                }
            }
        }
    }

    private enum Standing { case known, underWay, new }

    private func begin(_ key: Key) -> Standing {
        self.state.withLockedValue { state in
            if state.known.contains(key) { return .known }
            if state.underWay[key] != nil { return .underWay }
            state.underWay[key] = []
            return .new
        }
    }

    private func waitForEnd(of key: Key) async {
        await withCheckedContinuation { waiter in
            let isOver = self.state.withLockedValue { state in
                guard state.underWay[key] != nil else { return true }
                state.underWay[key]?.append(waiter)
                return false
            }
            if isOver { waiter.resume() }
        }
    }

    private func end(_ key: Key, hasPublished: Bool) {
        let waiters = self.state.withLockedValue { state in
            if hasPublished { state.remember(key, capacity: self.capacity) }
            return state.underWay.removeValue(forKey: key) ?? []
        }
        for waiter in waiters { waiter.resume() }
    }
}
