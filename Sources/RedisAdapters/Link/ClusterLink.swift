import CoreMetrics
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// One namespace's part in the link to the cluster: its rights, the proof that its messages arrive, and what became of them.
final class ClusterLink: Sendable {
    private let bus: any ClusterBus
    private let namespace: String
    private let channels: ClassicChannels
    private let encoder: ClassicEncoder
    private let uid: String
    private let metrics: PubSubAdapterMetrics
    private let watch = NIOLockedValueBox<(any ClusterLinkWatch)?>(nil)

    init(
        bus: any ClusterBus,
        namespace: String,
        channels: ClassicChannels,
        encoder: ClassicEncoder,
        uid: String,
        metrics: PubSubAdapterMetrics
    ) {
        self.bus = bus
        self.namespace = namespace
        self.channels = channels
        self.encoder = encoder
        self.uid = uid
        self.metrics = metrics
    }

    // MARK: Start and end

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
        let watch = self.bus.watchLink(
            // A channel like that of a node's answers, for which a user has the right: nobody else listens there.
            probeChannel: self.channels.response(to: "probe-\(self.uid)"),
            peerChannel: self.channels.request
        )
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
        if isAboutRights {
            message +=
                ". The Redis user needs PUBLISH, SUBSCRIBE, PSUBSCRIBE and PUBSUB, and the channels "
                + "\(self.channels.broadcastPattern), \(self.channels.request) and \(self.channels.response)*, "
                + "the first one granted in exactly these characters"
        }
        return ClusterError(code: .unreachable, message: message)
    }

    private var rights: [ClusterRight] {
        // A room that only a bug could make, and an answer to nobody: every node lets them pass by.
        let nobody = BroadcastOptions(rooms: [Room("\u{0}")])
        let toNobody = self.encoder.leave(uid: self.uid, options: nobody, rooms: [])
        let answer = ByteBuffer(string: #"{"requestId":"\#(self.uid)"}"#)
        return [
            ClusterRight(.publish(ByteBuffer()), self.channels.broadcast(to: nobody.rooms)),
            ClusterRight(.publish(toNobody), self.channels.request),
            ClusterRight(.publish(answer), self.channels.response),
            ClusterRight(.subscribePattern, self.channels.broadcastPattern),
            ClusterRight(.subscribe, self.channels.request),
            ClusterRight(.subscribe, self.channels.response),
            ClusterRight(.subscribe, self.channels.response(to: self.uid)),
            ClusterRight(.count, self.channels.request),
        ]
    }

    // MARK: Telling

    /// Tells the other nodes to do all of that, and waits for what became of it.
    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let messages = operations.map { self.message($0) }
        switch await self.bus.publish(messages, keeps: policy == .queue, timeout: timeout) {
        case .published: return .published
        case .queued: return .queued
        case .refused(let error), .unconfirmed(let error):
            self.metrics.unpublished.increment(by: messages.count)
            return .refused(reason: error.brief)
        }
    }

    private func message(_ operation: ClusterOperation) -> (channel: String, message: ByteBuffer) {
        let options = operation.options
        switch operation.action {
        case .emit(let arguments):
            let message = self.encoder.broadcast(uid: self.uid, arguments: arguments, options: options)
            return (self.channels.broadcast(to: options.rooms), message)
        case .join(let rooms):
            return (self.channels.request, self.encoder.join(uid: self.uid, options: options, rooms: rooms))
        case .leave(let rooms):
            return (self.channels.request, self.encoder.leave(uid: self.uid, options: options, rooms: rooms))
        case .disconnect(let closingConnection):
            let message = self.encoder.disconnect(
                uid: self.uid,
                options: options,
                closingConnection: closingConnection
            )
            return (self.channels.request, message)
        }
    }
}

extension PubSubAdapter {
    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        await self.link.publish(operations, whileUnreachable: policy, timeout: timeout)
    }
}
