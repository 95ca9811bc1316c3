import DequeModule
import NIOCore

/// Commands on their way from any thread to the connection's loop, encoded, in one buffer: one hop, one write and one
/// flush for all of a tick.
///
/// While there is no connection, publishes are kept here, up to a bound of number, bytes and age.
///
/// Sits behind the client's lock.
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
        /// Somebody waits to hear that Redis took it.
        case awaitedPublish(timeout: TimeAmount, PublishTicket)

        var isPublish: Bool {
            switch self {
            case .command: false
            case .publish, .awaitedPublish: true
            }
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
        /// No connection: publishes are kept, commands refused.
        case down
        /// Connected, but what is published now might be lost: publishes are kept.
        case restoring
        case open
        case closed
    }

    private(set) var gate = Gate.down
    private let limits: RESPConfiguration.Queue
    /// What the next drain writes.
    private var outgoing = Batch()
    /// Publishes, and flush marks among them, until the gate is open.
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
    /// When something that is kept becomes too old.
    var expiresAt: NIODeadline { self.held.oldest.map { $0 + self.limits.maximumAge } ?? .distantFuture }

    // MARK: Taking

    /// Takes a publish.
    ///
    /// - Parameters:
    ///   - channel: Where to.
    ///   - message: What.
    ///   - now: Asked for only if the message has to be kept.
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

    /// Takes messages of which somebody awaits what becomes of them: all, or none.
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

    /// Takes a command; one that `isHeld` waits with the publishes for the gate to open instead of being refused.
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

    /// So much was answered, or given up.
    mutating func finished(count: Int, bytes: Int) {
        self.count -= count
        self.bytes -= bytes
    }

    /// Publishes come back that Redis has not executed: they are older than all that is kept.
    ///
    /// The gate is not open.
    mutating func putBack(_ batch: Batch, at now: NIODeadline) {
        self.held.putBack(batch, at: now)
    }

    /// What a change leaves to be done, outside the lock.
    struct Change {
        var shouldDrain = false
        /// Fail these.
        var refused: [Completion] = []
        /// They are kept now, or refused.
        var kept: [PublishTicket] = []
        var droppedPublishes = 0
        /// Kept before, and on their way now.
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
            // What was kept is older than what was just handed over.
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

    /// Not written yet, so not lost: publishes wait for better times.
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
