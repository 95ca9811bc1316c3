import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer

/// One namespace's part in the link to Redis: its rights, and the proof that its messages arrive.
final class ClusterLink: Sendable {
    private let bus: any ClusterBus
    private let namespace: String
    /// The rights that are needed, one by one.
    private let rights: [ClusterRight]
    /// The same in a sentence for the person who has to grant them.
    private let advice: String
    private let probeChannel: String
    private let peerChannel: BusChannel
    private let watch = NIOLockedValueBox<(any ClusterLinkWatch)?>(nil)

    /// Makes a link.
    ///
    /// - Parameters:
    ///   - bus: The way to Redis.
    ///   - namespace: The namespace.
    ///   - rights: What the Redis user must be allowed.
    ///   - advice: What to grant, in a sentence.
    ///   - probeChannel: Where this node sends messages to itself; no other node listens there.
    ///   - peerChannel: The channel whose subscribers are the nodes.
    init(
        bus: any ClusterBus,
        namespace: String,
        rights: [ClusterRight],
        advice: String,
        probeChannel: String,
        peerChannel: BusChannel
    ) {
        self.bus = bus
        self.namespace = namespace
        self.rights = rights
        self.advice = advice
        self.probeChannel = probeChannel
        self.peerChannel = peerChannel
    }

    /// Checks each right that is needed.
    ///
    /// - Throws: ``ClusterError`` that names all that are missing; `RESPError` if Redis is not there.
    func checkRights() async throws {
        let missing = try await self.bus.missingRights(self.rights)
        guard !missing.isEmpty else { return }
        let names = missing.map(\.description).joined(separator: ", ")
        throw self.startError("NOPERM: the Redis user may not \(names)", isAboutRights: true)
    }

    /// Returns when a message that was published has come back.
    func start() async throws {
        let watch = self.bus.watchLink(probeChannel: self.probeChannel, peerChannel: self.peerChannel)
        self.watch.withLockedValue { $0 = watch }
        try await watch.proven()
    }

    func stop() {
        let watch = self.watch.withLockedValue { watch in
            defer { watch = nil }
            return watch
        }
        watch?.cancel()
    }

    /// The error of a start that failed.
    func startError(_ error: RESPError) -> ClusterError {
        self.startError(error.message, isAboutRights: error.hasServerCode("NOPERM"))
    }

    private func startError(_ reason: String, isAboutRights: Bool) -> ClusterError {
        var message = "the adapter of namespace \(self.namespace) can't join the cluster: \(reason)"
        if isAboutRights { message += ". \(self.advice)" }
        return ClusterError(code: .unreachable, message: message)
    }
}
