import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Carries a namespace's messages as the official streams adapter does: broadcasts and commands in a stream, questions
/// and answers over channels.
final class StreamsTransport: ClusterTransport {
    let dialect: StreamsDialect
    let bus: any StreamsBus
    let attachment: BusAttachment
    let metrics: ClusterMetrics
    let nodeID: UTF8Text
    private let hub: StreamHub
    private let leases: LeaseService
    private let log: (any StreamLog)?
    private let state = NIOLockedValueBox(State())

    private struct State {
        var member: StreamsReceiver?
        var isClosed = false
    }

    init(
        dialect: StreamsDialect,
        bus: any StreamsBus,
        hub: StreamHub,
        leases: LeaseService,
        log: (any StreamLog)?,
        metrics: ClusterMetrics
    ) {
        self.dialect = dialect
        self.bus = bus
        self.hub = hub
        self.leases = leases
        self.log = log
        self.metrics = metrics
        self.nodeID = UTF8Text(dialect.uid)
        let counted = dialect.namespaceChannel
        let link = ClusterLink(
            bus: bus,
            namespace: dialect.namespace,
            rights: dialect.rights(keepsSessions: log != nil, probeChannel: dialect.probeChannel),
            advice: dialect.advice(keepsSessions: log != nil),
            probeChannel: dialect.probeChannel,
            peerChannel: counted
        )
        self.attachment = BusAttachment(
            bus: bus,
            namespace: dialect.namespace,
            link: link,
            countedChannel: counted,
            nodeID: self.nodeID,
            channelOfNode: { dialect.bus(dialect.channels.responses(to: $0.string)) }
        )
    }

    func makeRequestID() -> String { self.dialect.configuration.makeID() }

    var peers: [ClusterPeer] { self.leases.peers(of: UTF8Text(self.dialect.namespace)) }

    // MARK: Life

    func start(_ receiver: ClusterReceiver) async throws {
        let member = StreamsReceiver(dialect: self.dialect, log: self.log, receiver: receiver)
        // Entries of the stream are not lost with the connection; the hub looks after that.
        try await self.attachment.start(receiver, losesEvents: false) {
            self.bus.addSubscription(
                patterns: [],
                channels: [self.dialect.namespaceChannel, self.dialect.bus(self.dialect.responseChannel)],
                handler: { [weak member] in member?.received($0) }
            )
        } prepare: {
            try await self.read(for: member)
        }
        await self.leases.join(UTF8Text(self.dialect.namespace), as: self.nodeID, receiver)
    }

    private func read(for member: StreamsReceiver) async throws {
        self.state.withLockedValue { $0.member = member }
        if self.log != nil {
            try await StreamAnchor.set(in: self.dialect.stream, uid: self.dialect.uid, bus: self.bus)
        }
        try await self.hub.join(member)
        guard self.state.withLockedValue({ $0.isClosed }) else { return }
        await self.hub.leave(member)
        throw ClusterError(code: .closed, message: "the adapter of namespace \(self.dialect.namespace) is closed")
    }

    func close() async {
        let member = self.state.withLockedValue { state in
            state.isClosed = true
            defer { state.member = nil }
            return state.member
        }
        await self.leases.leave(UTF8Text(self.dialect.namespace))
        if let member { await self.hub.leave(member) }
        await self.attachment.close()
    }
}
