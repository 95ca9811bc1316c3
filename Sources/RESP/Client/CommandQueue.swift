import NIOCore

/// Commands on their way from any thread to the connection's loop, encoded, in one buffer: one hop, one write and one
/// flush for all of a tick.
///
/// While there is no connection, publishes are kept here, up to a bound.
///
/// Sits behind the client's lock.
struct CommandQueue {
    typealias Completion = @Sendable (Result<RESPValue, RESPError>) -> Void

    enum Entry {
        /// Somebody waits for the reply.
        case command(timeout: TimeAmount, Completion)
        case publish

        var isPublish: Bool {
            if case .publish = self { true } else { false }
        }
    }

    /// Encoded commands, and who they belong to.
    struct Batch {
        var bytes = ByteBuffer()
        var entries: [(entry: Entry, length: Int)] = []
        var publishes = 0

        var isEmpty: Bool { self.entries.isEmpty }

        mutating func append(_ entry: Entry, length: Int) {
            self.entries.append((entry, length))
            if entry.isPublish { self.publishes += 1 }
        }
    }

    enum Gate {
        /// No connection: publishes are kept, commands refused.
        case down
        /// Connected, but subscriptions are still being restored: publishes are kept.
        case restoring
        case open
        case closed
    }

    private(set) var gate = Gate.down
    private let limits: RESPConfiguration.Queue
    /// What the next drain writes.
    private var outgoing = Batch()
    /// Publishes, and flush marks among them, until the gate is open.
    private var held = Batch()
    /// Everything without a reply: outgoing, held and in flight.
    private var count = 0
    private var bytes = 0
    private var isDrainScheduled = false
    /// Why there is no connection.
    var reason: RESPError?

    init(limits: RESPConfiguration.Queue) {
        self.limits = limits
    }

    var heldCount: Int { self.held.entries.count }

    /// Takes a publish.
    ///
    /// - Returns: Whether it is on its way (or else kept), and whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if it was not taken.
    mutating func publish(channel: String, message: ByteBuffer) throws(RESPError) -> (isSent: Bool, schedule: Bool) {
        try self.admit(bytes: message.readableBytes + channel.utf8.count)
        switch self.gate {
        case .closed:
            throw Self.closedError
        case .down, .restoring:
            let before = self.held.bytes.readableBytes
            self.held.bytes.writePublish(channel: channel, message: message)
            let length = self.held.bytes.readableBytes - before
            self.held.append(.publish, length: length)
            self.took(length)
            return (false, false)
        case .open:
            let before = self.outgoing.bytes.readableBytes
            self.outgoing.bytes.writePublish(channel: channel, message: message)
            let length = self.outgoing.bytes.readableBytes - before
            self.outgoing.append(.publish, length: length)
            self.took(length)
            return (true, self.schedule())
        }
    }

    /// Takes a command; one that `isHeld` waits with the publishes for the gate to open instead of being refused.
    ///
    /// - Returns: Whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if it was not taken.
    mutating func send(
        _ command: RESPCommand,
        timeout: TimeAmount,
        isHeld: Bool = false,
        _ completion: @escaping Completion
    ) throws(RESPError) -> Bool {
        try self.admit(bytes: 0)
        switch self.gate {
        case .closed:
            throw Self.closedError
        case .down where !isHeld:
            throw RESPError(
                code: .disconnected,
                message: "not connected to Redis" + (self.reason.map { ": \($0.message)" } ?? "")
            )
        case .restoring where isHeld, .down:
            let before = self.held.bytes.readableBytes
            self.held.bytes.writeCommand(command)
            self.held.append(.command(timeout: timeout, completion), length: self.held.bytes.readableBytes - before)
            self.took(self.held.bytes.readableBytes - before)
            return false
        case .restoring, .open:
            let before = self.outgoing.bytes.readableBytes
            self.outgoing.bytes.writeCommand(command)
            let length = self.outgoing.bytes.readableBytes - before
            self.outgoing.append(.command(timeout: timeout, completion), length: length)
            self.took(length)
            return self.schedule()
        }
    }

    /// Everything to be written now.
    mutating func take() -> Batch {
        self.isDrainScheduled = false
        let batch = self.outgoing
        self.outgoing = Batch()
        return batch
    }

    /// So much was answered, or given up.
    mutating func finished(count: Int, bytes: Int) {
        self.count -= count
        self.bytes -= bytes
    }

    /// What a change of the gate leaves to be done, outside the lock.
    struct Change {
        var shouldDrain = false
        /// Fail these.
        var refused: [Completion] = []
        var droppedPublishes = 0
    }

    mutating func setGate(_ gate: Gate) -> Change {
        var change = Change()
        self.gate = gate
        switch gate {
        case .open:
            guard !self.held.isEmpty else { break }
            // What was kept is older than what was just handed over.
            let newer = self.outgoing
            self.outgoing = self.held
            self.held = Batch()
            Self.move(newer, to: &self.outgoing) { _ in true }
            change.shouldDrain = self.schedule()
        case .restoring:
            break
        case .down:
            // Not written yet, so not lost: publishes wait for the next connection.
            let unsent = self.outgoing
            self.outgoing = Batch()
            Self.move(unsent, to: &self.held) { $0.isPublish }
            self.refuse(unsent, into: &change)
        case .closed:
            change.droppedPublishes = self.held.publishes + self.outgoing.publishes
            for batch in [self.held, self.outgoing] { self.refuse(batch, into: &change) }
            self.held = Batch()
            self.outgoing = Batch()
            self.count = 0
            self.bytes = 0
        }
        return change
    }

    // MARK: Helpers

    static let closedError = RESPError(code: .closed, message: "the Redis client is closed")

    private mutating func admit(bytes: Int) throws(RESPError) {
        guard self.gate != .closed else { throw Self.closedError }
        guard self.count < self.limits.maximumCount, self.bytes + bytes <= self.limits.maximumBytes else {
            throw RESPError(
                code: .queueFull,
                message: "\(self.count) commands (\(self.bytes) bytes) are waiting for Redis already"
                    + (self.gate == .down ? ", which is not connected" : "")
            )
        }
    }

    private mutating func took(_ length: Int) {
        self.count += 1
        self.bytes += length
    }

    private mutating func schedule() -> Bool {
        guard !self.isDrainScheduled else { return false }
        self.isDrainScheduled = true
        return true
    }

    private mutating func refuse(_ batch: Batch, into change: inout Change) {
        for (entry, length) in batch.entries {
            guard case .command(_, let completion) = entry else { continue }
            change.refused.append(completion)
            self.finished(count: 1, bytes: length)
        }
    }

    /// Appends those entries of a batch, with their bytes, to another.
    private static func move(_ source: Batch, to target: inout Batch, where isIncluded: (Entry) -> Bool) {
        var bytes = source.bytes
        for (entry, length) in source.entries {
            guard let encoded = bytes.readSlice(length: length), isIncluded(entry) else { continue }
            target.bytes.writeImmutableBuffer(encoded)
            target.append(entry, length: length)
        }
    }
}
