import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Sending for this node's namespace, from any thread.
extension StreamsEventLog {
    /// Adds an event to the stream; `deliver` is called once, at its place or without one.
    func publish(_ broadcast: Broadcast, deliver: @escaping Deliver) {
        let entry = self.dialect.entry(ClusterMessage(.broadcast(broadcast)))
        let command = self.dialect.append(entry)
        let deadline = self.bus.eventLoop.now + self.dialect.configuration.offsetPatience
        // With the lock held, so that events are noted in the order in which they are sent.
        let (number, progress, setsTimer) = self.state.withLockedValue { state -> (Int, AppendProgress?, Bool) in
            let (number, setsTimer) = Self.note(entry, until: deadline, otherwise: .deliver, deliver, &state)
            do throws(RESPError) {
                let status = try self.bus.keep(command) { self.known(number, AppendProgress($0)) }
                return (number, status == .queued ? .queued : nil, setsTimer)
            } catch {
                return (number, .refused(error), setsTimer)
            }
        }
        if let progress { self.bus.eventLoop.execute { self.known(number, progress) } }
        if setsTimer { self.setTimer(at: deadline) }
    }

    /// Does the same with several operations, and tells their outcome; `deliver` is called for events of the log only.
    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount,
        deliver: @escaping @Sendable (Int, EventOffset?) -> Void,
        completion: @escaping @Sendable (PublishOutcome) -> Void
    ) {
        let patience = policy == .queue ? self.dialect.configuration.offsetPatience : timeout
        let deadline = self.bus.eventLoop.now + patience
        let entries = operations.map { operation -> (fields: [ByteBuffer], isEvent: Bool) in
            var isEvent = false
            if case .emit = operation.action { isEvent = !operation.options.flags.isVolatile }
            guard case .stream(let fields) = self.dialect.encode(OutgoingMessage(operation)) else { return ([], false) }
            return (fields, isEvent)
        }
        let setsTimer = self.state.withLockedValue { state in
            var setsTimer = false
            var numbers: [Int: Int] = [:]
            for (index, entry) in entries.enumerated() where entry.isEvent {
                let (number, isFirst) = Self.note(
                    entry.fields,
                    until: deadline,
                    otherwise: policy == .queue ? .deliverIfLate : .deliverAtLast,
                    { deliver(index, $0) },
                    &state
                )
                numbers[index] = number
                setsTimer = setsTimer || isFirst
            }
            self.bus.append(
                entries.map { self.dialect.append($0.fields) },
                whileUnreachable: policy,
                timeout: timeout,
                progress: { [numbers] index, progress in
                    if let number = numbers[index] { self.known(number, progress) }
                },
                completion: completion
            )
            return setsTimer
        }
        if setsTimer { self.setTimer(at: deadline) }
    }

    /// - Returns: The event's number, and whether a timer has to be set.
    private static func note(
        _ entry: [ByteBuffer],
        until deadline: NIODeadline,
        otherwise fallback: OwnEvents.Fallback,
        _ deliver: @escaping Deliver,
        _ state: inout State
    ) -> (Int, setsTimer: Bool) {
        let number = state.own.add(entry.last ?? ByteBuffer(), until: deadline, otherwise: fallback)
        state.delivers[number] = deliver
        if let timerAt = state.timerAt, timerAt <= deadline { return (number, false) }
        state.timerAt = deadline
        return (number, true)
    }
}
