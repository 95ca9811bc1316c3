package import NIOCore
package import SocketIOWire

/// Reads messages in the envelope of the official ClusterAdapter, and hands what they say to the core: a value.
package struct ClusterEnvelopeReader: Sendable {
    private let receiver: ClusterReceiver
    private let namespace: UTF8Text
    private let uid: UTF8Text
    private let signature: ClusterSignature
    /// Told of the rooms that others make sockets join.
    private let onJoin: @Sendable ([Room]) -> Void

    /// Makes a reader.
    ///
    /// - Parameters:
    ///   - receiver: Takes what messages say.
    ///   - uid: This node's own id.
    ///   - signature: Recognises this node's own messages.
    ///   - onJoin: Told of the rooms that others make sockets join.
    package init(
        receiver: ClusterReceiver,
        uid: UTF8Text,
        signature: ClusterSignature,
        onJoin: @escaping @Sendable ([Room]) -> Void = { _ in }
    ) {
        self.receiver = receiver
        self.namespace = UTF8Text(receiver.namespace)
        self.uid = uid
        self.signature = signature
        self.onJoin = onJoin
    }

    /// Takes a message.
    package func received(_ message: ByteBuffer, from channel: @autoclosure () -> String) {
        // This node's own messages come back. It has done what they say before it sent them.
        guard !self.signature.isOn(message) else { return }
        do throws(ClusterProtocolError) {
            try self.read(message)
        } catch {
            self.receiver.rejected(error.reason.rawValue, error, from: channel())
        }
    }

    private func read(_ message: ByteBuffer) throws(ClusterProtocolError) {
        let envelope = try ClusterEnvelope(parsing: message)
        guard envelope.uid != self.uid else { return }
        if let namespace = envelope.namespace, namespace != self.namespace {
            throw ClusterProtocolError(.wrongChannel, "a message for another namespace")
        }
        switch envelope.content {
        case .broadcast(let broadcast):
            guard let options = broadcast.options, self.isOfInterest(options) else { return self.receiver.filtered() }
            self.receiver.deliver(try broadcast.payload.packet(for: self.receiver.namespace), options: options)
        case .request(let request):
            if case .join(_, let rooms) = request.body { self.onJoin(rooms) }
            self.receiver.received(request, byteCount: message.readableBytes)
        case .response(let response):
            guard let question = self.receiver.question(of: response.requestID) else { return }
            self.receiver.received(
                try response.coreAnswer(to: question),
                to: response.requestID,
                from: response.uid,
                byteCount: message.readableBytes
            )
        case .heartbeat(let type):
            throw ClusterProtocolError(.unknownType, "a message of type \(type.rawValue)")
        }
    }

    /// Whether a broadcast may address sockets of this node, by its single room if it has one.
    private func isOfInterest(_ options: BroadcastOptions) -> Bool {
        options.rooms.count != 1 || self.receiver.isOfInterest(options.rooms[0])
    }
}
