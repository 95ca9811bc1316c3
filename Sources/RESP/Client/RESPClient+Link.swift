import NIOConcurrencyHelpers
public import NIOCore

/// Whether messages arrive.
extension RESPClient {
    /// Since when Redis is of no use; `nil` while it is of use.
    ///
    /// For a Redis that has become silent, this is the time of the last message that came back, and not when the client
    /// noticed the silence.
    public var outageSince: NIODeadline? { self.shared.withLockedValue { $0.outageSince } }

    /// Proves from now on that messages arrive.
    ///
    /// Again and again, the client sends a message to itself, which must come back.
    ///
    /// After a loss, the client is not ``RESPClientState/ready`` before such a message has come back. After an outage,
    /// kept messages wait for the others that subscribe to the peer channel.
    ///
    /// - Parameters:
    ///   - probeChannel: A channel that only this client uses. Of several watchers, the first one's channel is used.
    ///   - peerChannel: A channel that all clients of the kind subscribe to.
    ///   - peerChannelIsSharded: Whether it is a sharded channel; the same for all watchers of a client.
    /// - Returns: An object that tells of the first proof, and that ends the watch.
    package func watchLink(
        probeChannel: String,
        peerChannel: String,
        peerChannelIsSharded: Bool = false
    ) -> RESPLinkWatch {
        let id = self.nextID()
        let promise = self.eventLoop.makePromise(of: Void.self)
        let eventLoop = self.eventLoop
        let core = self.core
        eventLoop.execute {
            if peerChannelIsSharded { core.value.peerCount = "SHARDNUMSUB" }
            core.value.watchLink(id, probeChannel: probeChannel, peerChannel: peerChannel, proof: promise)
        }
        return RESPLinkWatch(proof: promise.futureResult) {
            eventLoop.execute { core.value.unwatchLink(id, peerChannel: peerChannel) }
        }
    }

    /// Notes how many clients subscribe to the peer channel of a watcher.
    ///
    /// The caller has counted them for another purpose.
    package func notePeers(_ count: Int, of channel: String) {
        let core = self.core
        self.eventLoop.execute { core.value.peers.noted(count, of: channel) }
    }
}
