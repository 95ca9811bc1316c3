import Incidents
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// What is subscribed, and what arrives.
extension ClientCore {
    func subscribe(
        _ id: Int,
        names: PerKind<[String]>,
        handler: @escaping Handler,
        confirmation: EventLoopPromise<Void>
    ) {
        guard !self.isClosed else { return confirmation.fail(CommandQueue.closedError) }
        let isWritable = self.subscriber.isConnected
        let commands = self.table.add(
            id,
            patterns: names.pattern,
            channels: names.channel,
            shardedChannels: names.shardedChannel,
            handler: .application(handler),
            isConnected: isWritable
        )
        guard RESPSubscriptionKind.allCases.contains(where: { !names[$0].isEmpty }) else {
            return confirmation.succeed()
        }
        switch self.shared.withLockedValue({ $0.state }) {
        case .disconnected(let error):
            confirmation.fail(error)
            self.startSubscriber()
        case .idle:
            confirmation.fail(RESPError(code: .disconnected, message: "the Redis client was not connected yet"))
        case .connecting, .ready, .closed:
            self.waitingForConfirmation[id] = confirmation
            // The caller that waits here is told, whatever happens to the connection.
            let timeout = self.configuration.connectTimeout
            _ = self.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
                self?.waitingForConfirmation.removeValue(forKey: id)?.fail(
                    RESPError(code: .timeout, message: "Redis has not confirmed a subscription in time")
                )
            }
            self.startSubscriber()
        }
        self.subscriber.write(commands)
    }

    func unsubscribe(_ id: Int) {
        self.waitingForConfirmation.removeValue(forKey: id)?.fail(
            RESPError(code: .closed, message: "the subscription was cancelled")
        )
        self.subscriber.write(self.table.remove(id, isConnected: self.subscriber.isConnected))
        self.restoredIfConfirmed()
    }

    func startSubscriber() {
        guard self.subscriberState == .unused, !self.isClosed else { return }
        self.subscriberState = .starting
        self.subscriber.start()
    }

    func receivedOnSubscriber(_ value: RESPValue) {
        switch self.table.received(value) {
        case .none: break
        case .message(let receivers, let message):
            for receiver in receivers {
                switch receiver {
                case .application(let handler): handler(message)
                case .probe: self.returnedProbe(message)
                }
            }
        case .unusable(let error):
            self.metrics.unusableMessages.increment()
            self.incidents.record(
                "Ignored messages of Redis",
                reason: error.code.description,
                details: ["error": "\(error.brief)"]
            )
            self.tell(RESPGap(reason: error, isOver: true))
        case .confirmed(let id):
            self.waitingForConfirmation.removeValue(forKey: id)?.succeed()
            self.restoredIfConfirmed()
            guard id == self.watch.probe?.id else { break }
            self.watch.isSubscribed = true
            self.connectionsChanged()
        case .refused(let id, let error):
            let error = RESPError(
                code: .server,
                message: "Redis refused a subscription: \(error.message)",
                serverCode: error.serverCode
            )
            if let waiting = self.waitingForConfirmation.removeValue(forKey: id) {
                self.subscriber.write(self.table.remove(id, isConnected: true))
                waiting.fail(error)
                self.restoredIfConfirmed()
            } else {
                // Redis had allowed it before. Without it this client hears nothing. So it is not ready, and it tries
                // again.
                self.subscriber.fail(error)
            }
        case .heard(let roster, let name):
            self.heard(name, ofRoster: roster)
            self.restoredIfConfirmed()
        case .refusedName(let roster, let name, let error):
            self.refused(name, ofRoster: roster, error)
            self.restoredIfConfirmed()
        case .askedAgain(let bytes):
            self.writeToSubscriber(bytes)
            self.restoredIfConfirmed()
        case .ended(let bytes):
            self.writeToSubscriber(bytes)
            self.tell(self.gaps.subscriptionEnded())
        case .mended(let rosters, let name):
            for roster in rosters { self.heard(name, ofRoster: roster) }
            self.tell(self.gaps.subscriptionMended())
        case .unserved(let error), .violation(let error): self.subscriber.fail(error)
        }
    }
}
