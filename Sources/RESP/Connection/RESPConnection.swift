import Logging
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a connection tells its owner and asks it.
///
/// All calls happen on the connection's loop.
protocol RESPConnectionOwner: AnyObject {
    /// The handshake is over. Write what has to be restored, and then call ``RESPConnection/restored()``.
    func connection(_ connection: RESPConnection, restoreWithProtocolVersion version: Int)
    func connectionBecameReady(_ connection: RESPConnection)
    func connection(_ connection: RESPConnection, received value: RESPValue)
    /// Everything that one read has brought has been handed over.
    func connectionReadAll(_ connection: RESPConnection)
    /// The connection writes the question of the keep-alive now.
    func keepAliveQuestion(of connection: RESPConnection) -> [String]
    /// Whether something else shows that Redis is alive, although this connection is silent.
    func isExcused(_ connection: RESPConnection, at now: NIODeadline) -> Bool
    /// The connection is gone, or could not be made. `retryIn` is the pause before the next attempt. It is `nil` if the
    /// first attempt has failed, because then there is no next one.
    func connection(_ connection: RESPConnection, lost error: RESPError, wasReady: Bool, retryIn: TimeAmount?)
    /// When the owner wants a call of ``connectionTimerFired(_:at:)``.
    func wakeAt(of connection: RESPConnection) -> NIODeadline
    func connectionTimerFired(_ connection: RESPConnection, at now: NIODeadline)
}

/// Opens the channel of a connection.
///
/// Tests use a channel of their own here.
typealias RESPConnector = @Sendable (RESPConfiguration, any EventLoop) -> EventLoopFuture<any Channel>

/// A connection to Redis that comes back after a loss.
///
/// It does what ``ConnectionLifecycle`` decides.
///
/// It is used only on its loop.
final class RESPConnection {
    let role: String
    private let eventLoop: any EventLoop
    private let configuration: RESPConfiguration
    private let connector: RESPConnector
    private let random: @Sendable () -> Double
    private var lifecycle: ConnectionLifecycle
    private var channel: (any Channel)?
    private var timer: (scheduled: Scheduled<Void>, at: NIODeadline)?
    weak var owner: (any RESPConnectionOwner)?

    init(
        role: String,
        eventLoop: any EventLoop,
        configuration: RESPConfiguration,
        selectsDatabase: Bool,
        retriesFirstAttempt: Bool,
        connector: @escaping RESPConnector,
        random: @escaping @Sendable () -> Double
    ) {
        self.role = role
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.connector = connector
        self.random = random
        self.lifecycle = ConnectionLifecycle(
            configuration: configuration,
            selectsDatabase: selectsDatabase,
            retriesFirstAttempt: retriesFirstAttempt
        )
    }

    var isIdle: Bool { self.lifecycle.isIdle }
    var isReady: Bool { self.lifecycle.isReady }
    /// When bytes arrived last, while ``isReady``.
    var lastHeard: NIODeadline? { self.lifecycle.lastHeard }
    /// Whether commands can be written, because the connection is ready or about to be.
    var isConnected: Bool { self.channel != nil && !self.lifecycle.isHandshaking }

    // MARK: What the owner does

    func start() {
        self.eventLoop.assertInEventLoop()
        switch self.lifecycle.start(at: self.eventLoop.now) {
        case .none: break
        case .connect:
            self.rearm()
            self.connector(self.configuration, self.eventLoop).assumeIsolated().whenComplete { result in
                switch result {
                case .success(let channel): self.opened(channel)
                case .failure(let error):
                    self.closed(RESPError.connecting(error, within: self.configuration.connectTimeout))
                }
            }
        }
    }

    /// Writes and flushes.
    ///
    /// There is one call in each tick.
    func write(_ bytes: ByteBuffer) {
        self.channel?.writeAndFlush(bytes, promise: nil)
    }

    func write(_ commands: [[String]]) {
        guard !commands.isEmpty else { return }
        var bytes = ByteBuffer()
        for command in commands { bytes.writeCommand(RESPCommand(words: command)) }
        self.write(bytes)
    }

    /// Something is restored, and there is more to come.
    func restoringGoesOn() {
        self.lifecycle.restoringGoesOn(at: self.eventLoop.now)
    }

    func restored() {
        guard self.lifecycle.restored(at: self.eventLoop.now) else { return }
        self.owner?.connectionBecameReady(self)
        self.rearm()
    }

    /// The channel is of no more use.
    ///
    /// The connection will open a new one.
    func fail(_ error: RESPError) {
        if self.lifecycle.failed(error, at: self.eventLoop.now) { self.abortChannel() }
    }

    /// Closes the connection for good.
    func close() {
        self.lifecycle.close()
        self.timer?.scheduled.cancel()
        self.timer = nil
        self.closeChannel()
    }

    /// The value of the owner's ``RESPConnectionOwner/wakeAt(of:)`` may have changed.
    func rearm() {
        let wakeAt = min(self.lifecycle.wakeAt, self.owner?.wakeAt(of: self) ?? .distantFuture)
        guard wakeAt < .distantFuture else { return }
        // A timer that fires early finds nothing to do and is set again. That costs less than to move it for each
        // command.
        if let timer = self.timer {
            guard wakeAt < timer.at else { return }
            timer.scheduled.cancel()
        }
        let scheduled = self.eventLoop.assumeIsolated().scheduleTask(deadline: wakeAt) { self.timerFired() }
        self.timer = (scheduled, wakeAt)
    }

    // MARK: What happens to it

    private func opened(_ channel: any Channel) {
        self.channel = channel
        channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in
            self?.closed(RESPError(code: .disconnected, message: "Redis closed the connection"))
        }
        let handler = RESPHandler(connection: self, limits: self.configuration.limits)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            // The channel is already gone, and its close future says so.
            return
        }
        switch self.lifecycle.connected(at: self.eventLoop.now) {
        case .send(let command): self.write([command])
        case .restore(let version): self.owner?.connection(self, restoreWithProtocolVersion: version)
        case .close: self.closeChannel()
        }
        self.rearm()
    }

    func heard() {
        self.lifecycle.heard(at: self.eventLoop.now)
    }

    func received(_ value: RESPValue) {
        guard self.lifecycle.isHandshaking else {
            self.owner?.connection(self, received: value)
            return
        }
        switch self.lifecycle.handshakeReply(value) {
        case .send(let command): self.write([command])
        case .restore(let version): self.owner?.connection(self, restoreWithProtocolVersion: version)
        case .close: self.closeChannel()
        }
    }

    func readAll() {
        self.owner?.connectionReadAll(self)
    }

    private func closed(_ error: RESPError) {
        self.channel = nil
        let wasReady = self.lifecycle.isReady
        switch self.lifecycle.closed(error, at: self.eventLoop.now) {
        case .none: break
        case .giveUp(let error): self.owner?.connection(self, lost: error, wasReady: wasReady, retryIn: nil)
        case .reconnect(let attempt, let error):
            let pause = self.configuration.backoff.delay(attempt: attempt, random: self.random())
            self.owner?.connection(self, lost: error, wasReady: wasReady, retryIn: pause)
            // Nobody waits for this. After `close()` it finds the lifecycle closed and does nothing.
            _ = self.eventLoop.assumeIsolated().scheduleTask(in: pause) { [weak self] in self?.start() }
        }
    }

    private func timerFired() {
        self.timer = nil
        let now = self.eventLoop.now
        let isExcused = self.owner?.isExcused(self, at: now) ?? false
        switch self.lifecycle.timerFired(at: now, isExcused: isExcused) {
        case .none: break
        case .close: self.abortChannel()
        case .ask:
            if let question = self.owner?.keepAliveQuestion(of: self) { self.write([question]) }
        }
        self.owner?.connectionTimerFired(self, at: now)
        self.rearm()
    }

    private func closeChannel() {
        self.channel?.close(mode: .all, promise: nil)
    }

    /// Closes a channel that is given up, with a reset.
    ///
    /// Otherwise the kernel goes on trying to deliver what the channel has written. When the network heals, Redis would
    /// execute that behind what the next channel has sent meanwhile.
    private func abortChannel() {
        if let socket = self.channel as? any SocketOptionProvider {
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        self.closeChannel()
    }
}
