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

    typealias KeptCompletion = @Sendable (RESPKeptOutcome) -> Void

    /// A caller that waits for a reply.
    enum Waiter {
        case command(Completion)
        case publish(PublishTicket)
        case kept(KeptCompletion)
    }

    enum Entry {
        /// A caller waits for the reply.
        case command(timeout: TimeAmount, Completion)
        case publish
        /// A caller waits until Redis has taken it.
        case awaitedPublish(timeout: TimeAmount, PublishTicket)
        /// It is kept like a publish, and a caller waits for the reply; `resends` says that it may be executed twice.
        case kept(resends: Bool, KeptCompletion)

        var isPublish: Bool {
            switch self {
            case .command: false
            case .publish, .awaitedPublish, .kept: true
            }
        }
    }

    /// Encoded commands, and the callers that wait for them.
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

    var gate = Gate.down
    let limits: RESPConfiguration.Queue
    /// What the next drain writes.
    var outgoing = Batch()
    /// Publishes, with the marks of flushes among them, that wait until the gate is open.
    var held = HeldBatch()
    /// Everything without a reply: outgoing, held and in flight.
    var count = 0
    var bytes = 0
    private var isDrainScheduled = false
    /// Why there is no connection.
    var reason: RESPError?

    init(limits: RESPConfiguration.Queue) {
        self.limits = limits
    }

    /// Commands and bytes that wait for a connection or a reply.
    var waiting: [Int] { [self.count, self.bytes] }
    var heldCount: Int { self.held.count }
    /// When the oldest kept message becomes too old.
    var expiresAt: NIODeadline { self.held.oldest.map { $0 + self.limits.maximumAge } ?? .distantFuture }

    // MARK: Taking

    /// Takes a publish.
    ///
    /// - Parameters:
    ///   - channel: The channel.
    ///   - message: The message.
    ///   - isSharded: Whether the channel is a sharded one.
    ///   - now: The time. It is asked for only if the message has to be kept.
    /// - Returns: Whether it is on its way (or else kept), and whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if it was not taken.
    mutating func publish(
        channel: String,
        message: ByteBuffer,
        isSharded: Bool = false,
        now: @autoclosure () -> NIODeadline
    ) throws(RESPError) -> (isSent: Bool, schedule: Bool) {
        try self.keep(.publish, bytes: message.readableBytes + channel.utf8.count, now: now()) {
            $0.writePublish(channel: channel, message: message, isSharded: isSharded)
        }
    }

    /// Takes a command that may wait for Redis.
    ///
    /// - Parameters:
    ///   - entry: The kind of command, with the caller that waits for it.
    ///   - bytes: About how long it is.
    ///   - now: Asked for only if it has to be kept.
    ///   - write: Writes it.
    /// - Returns: Whether it is on its way (or else kept), and whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if it was not taken.
    mutating func keep(
        _ entry: Entry,
        bytes: Int,
        now: @autoclosure () -> NIODeadline,
        _ write: (inout ByteBuffer) -> Void
    ) throws(RESPError) -> (isSent: Bool, schedule: Bool) {
        try self.admit(count: 1, bytes: bytes)
        switch self.gate {
        case .closed:
            throw Self.closedError
        case .down, .restoring:
            self.took(self.held.append(entry, at: now(), write))
            return (false, false)
        case .open:
            self.write(entry, write)
            return (true, self.schedule())
        }
    }

    /// Takes all of some messages, or none.
    ///
    /// A caller waits for their outcome.
    ///
    /// - Returns: Whether they are on their way (or else kept), and whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if none was taken.
    mutating func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        ticket: PublishTicket,
        timeout: TimeAmount,
        isSharded: Bool = false,
        now: NIODeadline
    ) throws(RESPError) -> (isSent: Bool, schedule: Bool) {
        try self.admit(
            count: messages.count,
            bytes: messages.reduce(0) { $0 + $1.message.readableBytes + $1.channel.utf8.count }
        )
        guard self.gate == .open else {
            guard ticket.keeps else { throw self.disconnectedError }
            for (channel, message) in messages {
                let length = self.held.append(.publish, at: now) {
                    $0.writePublish(channel: channel, message: message, isSharded: isSharded)
                }
                self.took(length)
            }
            return (false, false)
        }
        for (channel, message) in messages {
            self.write(.awaitedPublish(timeout: timeout, ticket)) {
                $0.writePublish(channel: channel, message: message, isSharded: isSharded)
            }
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
            self.write(.command(timeout: timeout, completion)) { $0.writeCommand(command) }
            return self.schedule()
        }
    }

    /// Takes commands that leave together, all or none.
    ///
    /// - Returns: Whether a drain must be scheduled.
    /// - Throws: ``RESPError`` if none was taken.
    mutating func send(
        _ commands: [RESPCommand],
        timeout: TimeAmount,
        _ completion: (Int) -> Completion
    ) throws(RESPError) -> Bool {
        try self.admit(count: commands.count, bytes: 0)
        switch self.gate {
        case .closed: throw Self.closedError
        case .down: throw self.disconnectedError
        case .restoring, .open:
            for (index, command) in commands.enumerated() {
                self.write(.command(timeout: timeout, completion(index))) { $0.writeCommand(command) }
            }
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

    /// Writes what leaves with the next drain.
    private mutating func write(_ entry: Entry, _ write: (inout ByteBuffer) -> Void) {
        let before = self.outgoing.bytes.readableBytes
        write(&self.outgoing.bytes)
        let length = self.outgoing.bytes.readableBytes - before
        self.outgoing.append(entry, length: length)
        self.took(length)
    }

    mutating func took(_ length: Int) {
        self.count += 1
        self.bytes += length
    }

    mutating func schedule() -> Bool {
        guard !self.isDrainScheduled else { return false }
        self.isDrainScheduled = true
        return true
    }
}
