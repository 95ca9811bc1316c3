import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Says which of the process's descriptors connections may take.
///
/// The rest stays free for everything else that needs one: connections to Redis, the log, and the runtime, which ends
/// the process if it gets none.
struct DescriptorReserve: Sendable, Equatable {
    /// From this descriptor on, the server tells connections that there is no room.
    let fullMark: Int
    /// From this descriptor on, the server accepts no connection.
    let closedMark: Int

    /// - Parameters:
    ///   - limit: How many descriptors the process may have.
    ///   - reserved: How many of those are not for connections. It is never more than half.
    init(limit: Int, reserved: Int) {
        let reserved = min(reserved, limit / 2)
        self.fullMark = limit - reserved
        // To tell a connection that there is no room takes a descriptor for a moment, too.
        self.closedMark = self.fullMark + reserved / 4
    }
}

/// What the listeners of a server and its connections tell each other.
final class AcceptState: Sendable {
    /// Whether the server has to tell connections that there is no room.
    let isFull = Atomic<Bool>(false)
}

/// Accepts connections only while the process keeps enough descriptors for everything else.
///
/// It is next to the listening socket. When descriptors run out it stops accepting, and connections wait in the kernel.
/// It looks again after a time that doubles, and continues when some are free. A refusal of the system (`EMFILE`,
/// `ENFILE`) has the same effect, because a listening socket that went on would use all of a processor.
final class AcceptGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = any Channel

    /// An event at the gate, for the log and the metrics.
    enum Event: Equatable {
        case closed(CInt?)
        case opened
    }

    private static let shortestPause = TimeAmount.milliseconds(50)
    private static let longestPause = TimeAmount.seconds(1)
    /// How many connections it may accept before it looks again.
    private static let allowance = 16
    /// How many of them it may accept at once.
    private static let atOnce = 4

    private let reserve: DescriptorReserve?
    private let state: AcceptState
    private let countFree: (_ mark: Int, _ count: Int, any Channel) -> Int
    private let report: (Event) -> Void
    /// How many more connections will get descriptors below the mark.
    private var allowance = 0
    private var perRead = atOnce
    private var isPaused = false
    private var pace: AcceptPace?
    /// How many connections have been accepted since the last look at the pace.
    private var accepted = 0
    /// Whether connections wait for others.
    private var isWaiting = false
    private var pause = shortestPause
    private var scheduled: Scheduled<Void>?

    /// - Parameters:
    ///   - reserve: The reserve. If it is `nil`, only refusals of the system count.
    ///   - state: The state that connections read.
    ///   - pace: Decides when the next connections are accepted. If it is `nil`, they are accepted at once.
    ///   - countFree: See ``FileDescriptors/countFree(below:atMost:like:)``.
    ///   - report: Told when the gate closes and opens.
    init(
        reserve: DescriptorReserve?,
        state: AcceptState,
        pace: AcceptPace? = nil,
        countFree: @escaping (_ mark: Int, _ count: Int, any Channel) -> Int,
        report: @escaping (Event) -> Void
    ) {
        self.reserve = reserve
        self.state = state
        self.pace = pace
        self.countFree = countFree
        self.report = report
    }

    func read(context: ChannelHandlerContext) {
        guard !self.isPaused, !self.isWaiting else { return }
        let accepted = self.accepted
        self.accepted = 0
        if let wait = self.pace?.wait(after: accepted, of: self.perRead, at: context.eventLoop.now) {
            self.isWaiting = true
            self.scheduled = context.eventLoop.assumeIsolated().scheduleTask(in: wait) {
                self.isWaiting = false
                self.accept(context)
            }
        } else {
            self.accept(context)
        }
    }

    private func accept(_ context: ChannelHandlerContext) {
        guard self.mayAccept(context) else { return self.close(context, nil) }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.pause = Self.shortestPause
        self.allowance -= 1
        self.accepted += 1
        if let reserve = self.reserve, self.state.isFull.load(ordering: .relaxed) {
            // This accept may have been requested long ago, and things may have changed.
            let isFull = self.countFree(reserve.fullMark, 1, context.channel) == 0
            self.state.isFull.store(isFull, ordering: .relaxed)
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let code = (error as? IOError)?.errnoCode, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else {
            return context.fireErrorCaught(error)
        }
        if !self.isPaused { self.close(context, code) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.scheduled?.cancel()
        self.scheduled = nil
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.scheduled?.cancel()
        self.scheduled = nil
    }

    /// Whether there is a descriptor for one more connection.
    private func mayAccept(_ context: ChannelHandlerContext) -> Bool {
        guard let reserve = self.reserve, self.allowance < self.perRead else { return true }
        self.allowance = self.countFree(reserve.fullMark, Self.allowance, context.channel)
        let isFull = self.allowance == 0
        if isFull { self.allowance = self.countFree(reserve.closedMark, 1, context.channel) }
        self.state.isFull.store(isFull, ordering: .relaxed)
        // One read accepts several connections, but no more than are known to fit.
        let perRead = self.allowance < Self.atOnce ? 1 : Self.atOnce
        if perRead != self.perRead {
            self.perRead = perRead
            try? context.channel.syncOptions?.setOption(.maxMessagesPerRead, value: UInt(perRead))
        }
        return self.allowance > 0
    }

    private func close(_ context: ChannelHandlerContext, _ code: CInt?) {
        self.isPaused = true
        self.report(.closed(code))
        // Without this the kernel would keep reporting that a connection waits.
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        self.lookLater(context)
    }

    private func lookLater(_ context: ChannelHandlerContext) {
        let pause = self.pause
        self.pause = min(.nanoseconds(pause.nanoseconds * 2), Self.longestPause)
        self.scheduled = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            self.scheduled = nil
            guard self.mayAccept(context) else { return self.lookLater(context) }
            self.isPaused = false
            self.report(.opened)
            try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}
