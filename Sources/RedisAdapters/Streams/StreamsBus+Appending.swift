import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer

/// How far an entry is on its way into a stream.
enum AppendProgress: Sendable {
    /// It waits, because Redis is away.
    case queued
    /// It is in the stream.
    case added(RESPStreamID)
    /// It does not get into the stream.
    case refused(RESPError)
    /// Nobody knows whether it is in the stream.
    case unconfirmed(RESPError)

    init(_ outcome: RESPKeptOutcome) {
        switch outcome {
        case .replied(let reply): self.init(reply)
        case .refused(let error), .dropped(let error): self = .refused(error)
        case .unconfirmed(let error): self = .unconfirmed(error)
        }
    }

    /// The reply of `XADD`, or of another command, which has no place in a stream.
    init(_ reply: RESPValue) {
        switch reply {
        case .error(let error): self = .refused(error)
        default: self = .added(reply.bytes.flatMap { RESPStreamID($0) } ?? .zero)
        }
    }
}

extension StreamsBus {
    /// Sends commands that add entries, all or none, and tells their outcome.
    ///
    /// - Parameters:
    ///   - commands: Not empty.
    ///   - policy: What to do while Redis is away or silent.
    ///   - timeout: How long to wait for the replies.
    ///   - progress: Called on the loop with the index of a command whenever something becomes known of it, but never
    ///     before this has returned.
    ///   - completion: Called once with the worst outcome, maybe before the last progress.
    func append(
        _ commands: [RESPCommand],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount,
        progress: @escaping @Sendable (Int, AppendProgress) -> Void,
        completion: @escaping @Sendable (PublishOutcome) -> Void
    ) {
        let ticket = AppendTicket(count: commands.count, completion: completion)
        let eventLoop = self.eventLoop
        let settle: @Sendable (Int, AppendProgress) -> Void = { index, known in
            progress(index, known)
            ticket.settle(index, known)
        }
        switch policy {
        case .refuse:
            // A command that fails before this has returned was not sent.
            let (isOnLoop, hasReturned) = (eventLoop.inEventLoop, NIOLockedValueBox(false))
            self.execute(commands, isTransaction: commands.count > 1, timeout: timeout) { result in
                let wasSent = isOnLoop ? hasReturned.withLockedValue { $0 } : eventLoop.inEventLoop
                eventLoop.execute {
                    for index in commands.indices {
                        switch result {
                        case .success(let replies) where replies.indices.contains(index):
                            settle(index, AppendProgress(replies[index]))
                        case .success: settle(index, .unconfirmed(.violation("too few replies")))
                        case .failure(let error):
                            settle(index, error.code == .server || !wasSent ? .refused(error) : .unconfirmed(error))
                        }
                    }
                }
            }
            hasReturned.withLockedValue { $0 = true }
        case .queue:
            for (index, command) in commands.enumerated() {
                do throws(RESPError) {
                    let status = try self.keep(command) { settle(index, AppendProgress($0)) }
                    if status == .queued { eventLoop.execute { settle(index, .queued) } }
                } catch {
                    eventLoop.execute { for rest in index..<commands.count { settle(rest, .refused(error)) } }
                    return
                }
            }
            eventLoop.scheduleTask(in: timeout) { ticket.timeOut() }
        }
    }
}

/// The outcome of several entries together, which is the worst of theirs.
private final class AppendTicket: Sendable {
    private struct State {
        var missing: Set<Int>
        var worst = PublishOutcome.published
        var completion: (@Sendable (PublishOutcome) -> Void)?
    }

    private let state: NIOLockedValueBox<State>

    init(count: Int, completion: @escaping @Sendable (PublishOutcome) -> Void) {
        self.state = NIOLockedValueBox(State(missing: Set(0..<count), completion: completion))
    }

    func settle(_ index: Int, _ known: AppendProgress) {
        switch known {
        case .queued: self.settle(index, as: .queued)
        case .added: self.settle(index, as: .published)
        case .refused(let error): self.settle(index, as: .refused(reason: error.brief))
        case .unconfirmed(let error): self.settle(index, as: .unconfirmed(reason: error.brief))
        }
    }

    private func settle(_ index: Int, as outcome: PublishOutcome) {
        let completion = self.state.withLockedValue { state -> (@Sendable (PublishOutcome) -> Void, PublishOutcome)? in
            guard state.missing.remove(index) != nil else { return nil }
            state.worst = state.worst.combined(with: outcome)
            guard state.missing.isEmpty, let completion = state.completion else { return nil }
            state.completion = nil
            return (completion, state.worst)
        }
        if let (completion, outcome) = completion { completion(outcome) }
    }

    /// Settles the commands without a reply as queued, because they may still be executed.
    func timeOut() { for index in self.state.withLockedValue({ $0.missing }) { self.settle(index, as: .queued) } }
}
