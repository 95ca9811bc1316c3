import DequeModule
import NIOCore

/// Encoded commands on their way from any thread to the connection's event loop, in one buffer.
///
/// All commands of a tick share one hop, one write and one flush.
///
/// While there is no connection, publishes are kept here. Their number, their bytes and their age are limited.
///
/// The client's lock protects it.
struct CommandQueue {
    typealias Completion = @Sendable (Result<RESPValue, RESPError>) -> Void

    /// Who waits for a reply.
    enum Waiter {
        case command(Completion)
        case publish(PublishTicket)
    }

    enum Entry {
        /// Somebody waits for the reply.
        case command(timeout: TimeAmount, Completion)
        case publish
        /// Somebody waits until Redis has taken it.
        case awaitedPublish(timeout: TimeAmount, PublishTicket)

        var isPublish: Bool {
            switch self {
            case .command: false
            case .publish, .awaitedPublish: true
            }
        }
    }

    /// Encoded commands, and who waits for each.
    struct Batch {
        var bytes = ByteBuffer()
        var entries: [(entry: Entry, length: Int)] = []
        var publishes = 0

        var isEmpty: Bool { self.entries.isEmpty }

        mutating func append(_ entry: Entry, length: Int) {
            self.entries.append((entry, length))
            if entry.isPublish { self.publishes += 1 }
        }

        mutating func append(_ entry: Entry, _ encoded: ByteBuffer) {
            self.bytes.writeImmutableBuffer(encoded)
            self.append(entry, length: encoded.readableBytes)
        }

        /// Appends another batch.
        mutating func append(_ other: Batch) {
            self.bytes.writeImmutableBuffer(other.bytes)
            self.entries += other.entries
            self.publishes += other.publishes
        }
    }

    enum Gate {
        /// There is no connection. Publishes are kept, and commands are refused.
        case down
        /// There is a connection, but messages might be lost now. Publishes are kept.
        case restoring
        case open
        case closed
    }

    private(set) var gate = Gate.down
    private let limits: RESPConfiguration.Queue
    /// What the next drain writes.
    private var outgoing = Batch()
    /// Publishes, with the marks of flushes among them, that wait until the gate is open.
    private var held = HeldBatch()
    /// Everything without a reply: outgoing, held and in flight.
    private var count = 0
    private var bytes = 0
    private var isDrainScheduled = false
    /// Why there is no connection.
    var reason: RESPError?

    init(limits: RESPConfiguration.Queue) {
        self.limits = limits
    }

    var heldCount: Int { self.held.count }
    /// When the oldest kept message becomes too old.
    var expiresAt: NIODeadline { self.held.oldest.map { $0 + self.limits.maximumAge } ?? .distantFuture }

    // MARK: Taking

    /// Takes a publish.
    ///
    /// - Parameters:
    ///   - channel: The channel.
    ///   - message: The message.
    ///   - now: The time. It is asked for only if the message has to be kept.
    /// - Returns: Whether it is on its way (or else kept), and whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if it was not taken.
    mutating func publish(
        channel: String,
        message: ByteBuffer,
        now: @autoclosure () -> NIODeadline
    ) throws(RESPError) -> (isSent: Bool, schedule: Bool) {
        try self.admit(count: 1, bytes: message.readableBytes + channel.utf8.count)
        switch self.gate {
        case .closed:
            throw Self.closedError
        case .down, .restoring:
            let length = self.held.append(.publish, at: now()) { $0.writePublish(channel: channel, message: message) }
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

    /// Takes all of some messages, or none.
    ///
    /// Somebody waits to hear what happens to them.
    ///
    /// - Returns: Whether they are on their way (or else kept), and whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if none was taken.
    mutating func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        ticket: PublishTicket,
        timeout: TimeAmount,
        now: NIODeadline
    ) throws(RESPError) -> (isSent: Bool, schedule: Bool) {
        try self.admit(
            count: messages.count,
            bytes: messages.reduce(0) { $0 + $1.message.readableBytes + $1.channel.utf8.count }
        )
        guard self.gate == .open else {
            guard ticket.keeps else { throw self.disconnectedError }
            for (channel, message) in messages {
                self.took(self.held.append(.publish, at: now) { $0.writePublish(channel: channel, message: message) })
            }
            return (false, false)
        }
        for (channel, message) in messages {
            let before = self.outgoing.bytes.readableBytes
            self.outgoing.bytes.writePublish(channel: channel, message: message)
            let length = self.outgoing.bytes.readableBytes - before
            self.outgoing.append(.awaitedPublish(timeout: timeout, ticket), length: length)
            self.took(length)
        }
        return (true, self.schedule())
    }

    /// Takes a command.
    ///
    /// If `isHeld`, it is not refused but waits with the publishes for the gate to open.
    ///
    /// - Returns: Whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if it was not taken.
    mutating func send(
        _ command: RESPCommand,
        timeout: TimeAmount,
        isHeld: Bool = false,
        now: @autoclosure () -> NIODeadline = .now(),
        _ completion: @escaping Completion
    ) throws(RESPError) -> Bool {
        try self.admit(count: 1, bytes: 0)
        switch self.gate {
        case .closed:
            throw Self.closedError
        case .down where !isHeld:
            throw self.disconnectedError
        case .restoring where isHeld, .down:
            let entry = Entry.command(timeout: timeout, completion)
            self.took(self.held.append(entry, at: now()) { $0.writeCommand(command) })
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

    // MARK: Giving

    /// Everything to be written now.
    mutating func take() -> Batch {
        self.isDrainScheduled = false
        let batch = self.outgoing
        self.outgoing = Batch()
        return batch
    }

    /// So many messages were answered, or given up.
    mutating func finished(count: Int, bytes: Int) {
        self.count -= count
        self.bytes -= bytes
    }

    /// Puts back publishes that Redis has not executed.
    ///
    /// They are older than everything that is kept.
    ///
    /// The gate is not open.
    mutating func putBack(_ batch: Batch, at now: NIODeadline) {
        self.held.putBack(batch, at: now)
    }

    /// What has to be done after a change, outside of the lock.
    struct Change {
        var shouldDrain = false
        /// These have failed.
        var refused: [Completion] = []
        /// These are kept now, or refused.
        var kept: [PublishTicket] = []
        var droppedPublishes = 0
        /// These were kept before, and are on their way now.
        var releasedPublishes = 0
    }

    /// Drops what has been kept for too long.
    mutating func expire(at now: NIODeadline) -> Change {
        var change = Change()
        guard now >= self.expiresAt else { return change }
        let old = self.held.removeFirst(until: now - self.limits.maximumAge)
        change.droppedPublishes = old.publishes
        for (entry, length) in old.entries {
            if case .command(_, let completion) = entry { change.refused.append(completion) }
            self.finished(count: 1, bytes: length)
        }
        return change
    }

    mutating func setGate(_ gate: Gate, at now: NIODeadline) -> Change {
        var change = Change()
        self.gate = gate
        switch gate {
        case .open:
            guard self.held.count > 0 else { break }
            // Kept messages are older than those that were just handed over.
            let newer = self.outgoing
            self.outgoing = self.held.removeAll()
            change.releasedPublishes = self.outgoing.publishes
            self.outgoing.append(newer)
            change.shouldDrain = self.schedule()
        case .restoring:
            self.hold(at: now, refusingCommands: false, &change)
        case .down:
            self.hold(at: now, refusingCommands: true, &change)
        case .closed:
            var rest = self.held.removeAll()
            rest.append(self.outgoing)
            self.outgoing = Batch()
            change.droppedPublishes = rest.publishes
            for (entry, _) in rest.entries {
                switch entry {
                case .command(_, let completion): change.refused.append(completion)
                case .awaitedPublish(_, let ticket): change.kept.append(ticket)
                case .publish: break
                }
            }
            self.count = 0
            self.bytes = 0
        }
        return change
    }

    // MARK: Helpers

    static let closedError = RESPError(code: .closed, message: "the Redis client is closed")

    private var disconnectedError: RESPError {
        RESPError(
            code: .disconnected,
            message: "not connected to Redis" + (self.reason.map { ": \($0.message)" } ?? "")
        )
    }

    private mutating func admit(count: Int, bytes: Int) throws(RESPError) {
        guard self.gate != .closed else { throw Self.closedError }
        guard self.count + count <= self.limits.maximumCount, self.bytes + bytes <= self.limits.maximumBytes else {
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

    /// Nothing of this was written yet, so nothing is lost.
    ///
    /// Publishes wait.
    private mutating func hold(at now: NIODeadline, refusingCommands: Bool, _ change: inout Change) {
        guard !self.outgoing.isEmpty else { return }
        var unsent = self.outgoing
        self.outgoing = Batch()
        for (entry, length) in unsent.entries {
            guard let encoded = unsent.bytes.readSlice(length: length) else { continue }
            switch entry {
            case .publish:
                _ = self.held.append(.publish, at: now) { $0.writeImmutableBuffer(encoded) }
            case .awaitedPublish(_, let ticket):
                change.kept.append(ticket)
                if ticket.keeps {
                    _ = self.held.append(.publish, at: now) { $0.writeImmutableBuffer(encoded) }
                } else {
                    self.finished(count: 1, bytes: length)
                }
            case .command(_, let completion):
                if refusingCommands {
                    change.refused.append(completion)
                    self.finished(count: 1, bytes: length)
                } else {
                    self.outgoing.append(entry, encoded)
                }
            }
        }
    }
}
