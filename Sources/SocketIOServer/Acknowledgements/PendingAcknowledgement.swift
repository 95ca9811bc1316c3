import EngineIO
import NIOCore
import SocketIOWire

/// One event whose acknowledgement somebody waits for.
///
/// Touched on the socket's loop only.
final class PendingAcknowledgement: TimerTarget {
    private let id: Int
    private unowned let socket: Socket
    private var continuation: CheckedContinuation<Arguments, any Error>?
    private var wheel: TimingWheel?
    var timerLinks = TimerLinks()

    init(id: Int, socket: Socket, continuation: CheckedContinuation<Arguments, any Error>) {
        self.id = id
        self.socket = socket
        self.continuation = continuation
    }

    func startTimer(_ timeout: TimeAmount, on session: EngineSession) {
        self.wheel = session.timers
        session.timers.schedule(self, in: timeout)
    }

    func timerFired(at now: NIODeadline) {
        self.socket.extras?.acknowledgements[self.id] = nil
        self.fail(.timeout)
    }

    func succeed(_ arguments: Arguments) {
        self.finish(with: .success(arguments))
    }

    func fail(_ error: AcknowledgementError) {
        self.finish(with: .failure(error))
    }

    private func finish(with result: Result<Arguments, any Error>) {
        self.wheel?.cancel(self)
        self.continuation?.resume(with: result)
        self.continuation = nil
    }
}
