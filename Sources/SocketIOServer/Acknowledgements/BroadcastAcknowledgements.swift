import EngineIO
import NIOCore
import SocketIOWire

/// The clients of one event loop from which acknowledgements of one broadcast are still expected.
///
/// A client that leaves counts as finished, and after the timeout nobody is waited for. Touched on the loop only.
final class BroadcastAcknowledgements: TimerTarget {
    private let id: Int
    private unowned let shard: NamespaceShard
    private var expected: Set<SocketID>
    private let onAnswer: @Sendable (SocketID, JSONValue?) -> Void
    private let onLeft: @Sendable () -> Void
    var timerLinks = TimerLinks()

    init(
        id: Int,
        shard: NamespaceShard,
        expected: Set<SocketID>,
        onAnswer: @escaping @Sendable (SocketID, JSONValue?) -> Void,
        onLeft: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.shard = shard
        self.expected = expected
        self.onAnswer = onAnswer
        self.onLeft = onLeft
    }

    func acknowledged(by socket: Socket, _ arguments: Arguments) {
        guard self.expected.remove(socket.id) != nil else { return }
        var reader = arguments.makeReader()
        self.onAnswer(socket.id, try? reader.nextValue())
        self.endIfComplete()
    }

    func left(_ socket: Socket) {
        guard self.expected.remove(socket.id) != nil else { return }
        self.onLeft()
        self.endIfComplete()
    }

    private func endIfComplete() {
        guard self.expected.isEmpty else { return }
        self.shard.timers?.cancel(self)
        self.shard.broadcastAcknowledgements[self.id] = nil
    }

    func timerFired(at now: NIODeadline) { self.shard.broadcastAcknowledgements[self.id] = nil }
}
