import CoreMetrics
import Logging
import NIOCore
package import SocketIOWire

/// Takes everything that arrives at a transport.
///
/// Broadcasts and commands take effect at once, in the order in which they arrive. Questions and answers go to the
/// namespace's loop.
package final class ClusterReceiver: Sendable {
    let context: ClusterContext
    let joins: RemoteJoins
    private let core: LoopConfined<ClusterCore>

    init(context: ClusterContext, joins: RemoteJoins, core: LoopConfined<ClusterCore>) {
        self.context = context
        self.joins = joins
        self.core = core
    }

    /// The namespace's name.
    package var namespace: String { self.context.host.name }

    /// Tells a transport in which rooms this node has sockets.
    package func observeRooms(_ observer: (any RoomObserver)?) { self.context.host.observeRooms(observer) }

    // MARK: Broadcasts

    /// Whether a client of this node is in that room, may come back to it, or is about to join it.
    package func isOfInterest(_ room: Room) -> Bool {
        self.context.host.hasLocalMembers(of: room) || self.joins.contains(room)
    }

    /// Delivers a broadcast of another node to this node's sockets.
    package func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        self.context.metrics.delivered.increment()
        self.context.host.deliver(packet, options: options)
    }

    /// Counts a broadcast of another node that is delivered in another way.
    package func delivered() { self.context.metrics.delivered.increment() }

    /// Counts a broadcast that was left unread, because it addresses no socket of this node.
    package func filtered() { self.context.metrics.filtered.increment() }

    /// Counts and logs a message that was ignored.
    package func rejected(_ reason: String, _ error: any Error, from channel: @autoclosure () -> String) {
        // Made for a line only: whoever may publish may publish rubbish as fast as it likes.
        func details() -> Logger.Metadata { ["cluster.channel": "\(channel())", "error": "\(error)"] }
        self.context.metrics.rejected(reason, details: details())
        self.context.logger.debug("Ignored a message of the cluster", metadata: details())
    }

    // MARK: Requests

    /// Takes a command or a question of another node or an emitter, but not of this node itself.
    ///
    /// - Parameters:
    ///   - request: What is asked.
    ///   - byteCount: How long the message was.
    package func received(_ request: ClusterRequest, byteCount: Int) {
        let host = self.context.host
        let asker = ClusterAsker(nodeID: request.uid, requestID: request.requestID)
        switch request.body {
        case .join(let options, let rooms):
            if let options { self.joins.join(options, rooms, host) }
        case .leave(let options, let rooms):
            if let options { host.delLocalSockets(options, rooms: rooms) }
        case .disconnect(let options, let closingConnection):
            if let options { host.disconnectLocalSockets(options, closingConnection: closingConnection) }
        case .joinSocket(let socket, let rooms):
            self.command(socket, asker) { if !rooms.isEmpty { self.joins.join($0, rooms, host) } }
        case .leaveSocket(let socket, let rooms):
            self.command(socket, asker) { if !rooms.isEmpty { host.delLocalSockets($0, rooms: rooms) } }
        case .disconnectSocket(let socket, let closingConnection):
            self.command(socket, asker) { host.disconnectLocalSockets($0, closingConnection: closingConnection) }
        case .socketIDs(let options): self.take(.socketIDs(options), asker, byteCount)
        case .allRooms: self.take(.rooms, asker, byteCount)
        case .fetchSockets(let options): self.take(.sockets(options.map(Self.unflagged)), asker, byteCount)
        case .serverSideEmit(let arguments): self.serverSideEvent(arguments, asker)
        case .broadcast(let arguments, let options): self.deliver(arguments, options, asker)
        }
    }

    /// The options without their flags, which official nodes ignore here.
    private static func unflagged(_ options: BroadcastOptions) -> BroadcastOptions {
        BroadcastOptions(rooms: options.rooms, except: options.except)
    }

    /// Carries a command of an old node out and confirms it, if the socket is here.
    private func command(_ socket: String, _ asker: ClusterAsker, _ body: (BroadcastOptions) -> Void) {
        guard self.context.host.hasLocalSocket(socket) else { return }
        body(BroadcastOptions(rooms: [Room(socket)]))
        self.context.reply(.done, to: asker)
    }

    private func take(_ question: AnswerDesk.Question, _ asker: ClusterAsker, _ byteCount: Int) {
        self.core.execute { $0.desk.take(question, of: asker, byteCount: byteCount) }
    }

    private func serverSideEvent(_ arguments: [JSONValue], _ asker: ClusterAsker) {
        guard asker.requestID != nil else { return self.context.host.serverSideEvent(arguments, reply: nil) }
        let context = self.context
        context.host.serverSideEvent(arguments) { context.reply(.serverSide($0), to: asker) }
    }

    private func deliver(_ arguments: [JSONValue], _ options: BroadcastOptions?, _ asker: ClusterAsker) {
        let context = self.context
        guard let options, !arguments.isEmpty else { return context.reply(.clientCount(0), to: asker) }
        // Of the flags, only the timeout matters here.
        let timeout =
            options.flags.timeoutMilliseconds.map { TimeAmount.milliseconds(Int64($0)) }
            ?? context.configuration.requestsTimeout
        context.host.deliverWithAck(
            arguments: arguments,
            options: context.transport.honoursFlagsOfAcknowledged ? options : Self.unflagged(options),
            timeout: timeout,
            onClientCount: { context.reply(.clientCount($0), to: asker) },
            onAcknowledgement: { context.reply(.acknowledgement($0), to: asker) }
        )
    }

    // MARK: Answers

    /// What this node asked with that id; `nil` if it asked nothing, or waits no longer.
    ///
    /// Callable from any thread. Every node may get every answer, and most are for others. With this a node need not
    /// read those.
    package func question(of requestID: UTF8Text) -> ClusterResponse.Question? { self.context.awaited[requestID] }

    /// Takes the answer of another node.
    ///
    /// - Parameters:
    ///   - answer: The answer.
    ///   - requestID: The id of the question.
    ///   - node: Which node answers, if the message tells.
    ///   - byteCount: How long the message was.
    package func received(
        _ answer: ClusterResponse.Answer,
        to requestID: UTF8Text,
        from node: UTF8Text?,
        byteCount: Int
    ) {
        self.core.execute { $0.answered(answer, to: requestID, from: node, byteCount: byteCount) }
    }

    // MARK: The link

    /// Takes note that the broker was lost, or that everything is subscribed again.
    ///
    /// - Parameters:
    ///   - isAvailable: Whether the broker is there.
    ///   - losesEvents: Whether this node misses what others have published meanwhile.
    package func availabilityChanged(_ isAvailable: Bool, losesEvents: Bool = true) {
        if isAvailable, losesEvents { self.context.host.eventsMayBeMissing() }
        self.core.execute { $0.availabilityChanged(isAvailable) }
    }

    /// Takes note that others may have published something that did not arrive.
    package func eventsMayBeMissing() { self.context.host.eventsMayBeMissing() }

    /// Takes note that a node has come, gone, fallen silent or spoken again.
    package func peersChanged() { self.core.execute { $0.look() } }
}
