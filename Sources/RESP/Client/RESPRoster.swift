import NIOConcurrencyHelpers
public import NIOCore

/// Channels that a ``RESPClient`` subscribes and leaves as they are wanted, many a second: rooms, for example.
///
/// Callable from any thread. What is inserted and removed within one tick of the client's loop leaves in as few commands
/// as possible, and what was inserted and removed again not at all. A name is in it or not, however often it is inserted.
/// After a loss of the connection everything that is in it is subscribed again.
public final class RESPRoster: Sendable {
    /// Called once on the client's loop: Redis has confirmed the name, or why not.
    public typealias Heard = @Sendable (Result<Void, RESPError>) -> Void

    /// What kind of names it holds.
    public let kind: RESPSubscriptionKind
    private let changes: NIOLockedValueBox<RosterChanges>
    private let schedule: @Sendable () -> Void
    private let onCancel: @Sendable () -> EventLoopFuture<Void>

    init(
        kind: RESPSubscriptionKind,
        changes: NIOLockedValueBox<RosterChanges>,
        schedule: @escaping @Sendable () -> Void,
        onCancel: @escaping @Sendable () -> EventLoopFuture<Void>
    ) {
        self.kind = kind
        self.changes = changes
        self.schedule = schedule
        self.onCancel = onCancel
    }

    /// Inserts a name.
    ///
    /// - Parameters:
    ///   - name: A channel, or a pattern.
    ///   - heard: Called when Redis has confirmed it on the connection of now, at the end of this tick if it has already.
    ///     With `disconnected` if there is no connection, or if it is lost first: the name stays in the roster, and is
    ///     subscribed when Redis is back. With an error of Redis if it refuses the name, which is not in the roster then.
    ///     With `closed` if the name is removed first, or the roster cancelled.
    public func insert(_ name: ByteBuffer, heard: Heard? = nil) {
        if self.changes.withLockedValue({ $0.insert(name, heard) }) { self.schedule() }
    }

    /// Inserts a name.
    public func insert(_ name: String, heard: Heard? = nil) { self.insert(ByteBuffer(string: name), heard: heard) }

    /// Inserts a name, and returns when Redis has confirmed it.
    ///
    /// - Throws: ``RESPError``: see ``insert(_:heard:)-(ByteBuffer,_)``.
    public func subscribe(to name: String) async throws {
        try await withCheckedThrowingContinuation { continuation in
            self.insert(name) { continuation.resume(with: $0) }
        }
    }

    /// Removes a name.
    ///
    /// Messages that are on their way may still come.
    public func remove(_ name: ByteBuffer) {
        if self.changes.withLockedValue({ $0.remove(name) }) { self.schedule() }
    }

    /// Removes a name.
    public func remove(_ name: String) { self.remove(ByteBuffer(string: name)) }

    /// Removes all names for good; returns when the handler will not be called any more.
    public func cancel() async { _ = try? await self.onCancel().get() }

    func cancelled() -> EventLoopFuture<Void> { self.onCancel() }
}

/// What was inserted into a roster and removed since the client's loop last looked, each name once.
///
/// Sits behind the roster's lock.
struct RosterChanges {
    struct Change {
        let name: ByteBuffer
        var isInsertion: Bool
        /// Those who wait for the name's confirmation.
        var waiting: [RESPRoster.Heard] = []
        /// Those who waited when it was removed.
        var overtaken: [RESPRoster.Heard] = []
    }

    private var changes: [Change] = []
    private var indices: [ByteBuffer: Int] = [:]

    /// - Returns: Whether the loop must be told.
    mutating func insert(_ name: ByteBuffer, _ heard: RESPRoster.Heard?) -> Bool {
        let (index, isFirst) = self.index(of: name)
        self.changes[index].isInsertion = true
        if let heard { self.changes[index].waiting.append(heard) }
        return isFirst
    }

    /// - Returns: Whether the loop must be told.
    mutating func remove(_ name: ByteBuffer) -> Bool {
        let (index, isFirst) = self.index(of: name)
        self.changes[index].isInsertion = false
        self.changes[index].overtaken += self.changes[index].waiting
        self.changes[index].waiting = []
        return isFirst
    }

    /// Everything, in the order in which the names came first.
    mutating func take() -> [Change] {
        defer { self = RosterChanges() }
        return self.changes
    }

    private mutating func index(of name: ByteBuffer) -> (Int, isFirst: Bool) {
        if let index = self.indices[name] { return (index, false) }
        let isFirst = self.changes.isEmpty
        self.indices[name] = self.changes.count
        self.changes.append(Change(name: name, isInsertion: true))
        return (self.changes.count - 1, isFirst)
    }
}
