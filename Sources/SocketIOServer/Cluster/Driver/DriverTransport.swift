import NIOCore
import SocketIOWire

/// Carries a namespace's messages through a driver, in the envelope of the official ClusterAdapter.
final class DriverTransport: ClusterTransport {
    private let driver: any ClusterDriver
    private let member: ClusterMember
    private let encoder: ClusterEncoder
    private let eventLoop: any EventLoop
    let nodeID: UTF8Text

    init(driver: any ClusterDriver, namespace: String, eventLoop: any EventLoop) {
        let uid = Self.randomID()
        self.driver = driver
        self.member = ClusterMember(namespace: namespace, id: uid)
        self.encoder = ClusterEncoder(uid: uid, namespace: namespace)
        self.eventLoop = eventLoop
        self.nodeID = UTF8Text(uid)
    }

    func makeRequestID() -> String { Self.randomID() }

    /// Sixteen hexadecimal digits.
    private static func randomID() -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }

    // MARK: Life

    func start(_ receiver: ClusterReceiver) async throws {
        let reader = ClusterEnvelopeReader(receiver: receiver, uid: self.nodeID, signature: self.encoder.signature)
        do {
            try await self.driver.join(self.member, ClusterInbox(reader, receiver))
        } catch {
            throw self.error("can't join the cluster", error)
        }
    }

    func close() async { await self.driver.leave(self.member) }

    // MARK: Sending

    func send(_ message: OutgoingMessage) throws(ClusterError) {
        try self.send(self.encoder.sharded(ClusterMessage(message)), to: .all)
    }

    func send(
        _ messages: [OutgoingMessage],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        for (index, message) in messages.enumerated() {
            do throws(ClusterError) {
                try self.send(message)
            } catch {
                // Some are on their way, so it is unknown what the other nodes have.
                guard index == 0 else { return .unconfirmed(reason: error.message) }
                return .refused(reason: error.message)
            }
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        let (driver, member) = (self.driver, self.member)
        promise.completeWithTask { try await driver.confirm(member) }
        do {
            try await promise.futureResult.get()
            return .published
        } catch {
            return .unconfirmed(reason: "\(error)")
        }
    }

    func encode(_ reply: ClusterReply) -> EncodedReply { self.encoder.encode(reply) }

    func send(_ reply: EncodedReply, to asker: ClusterAsker) throws(ClusterError) {
        try self.send(reply.message(asker), to: asker.nodeID.map { .node($0.string) } ?? .all)
    }

    func sendLong(_ reply: EncodedReply, to asker: ClusterAsker, timeout: TimeAmount) -> EventLoopFuture<Void> {
        do throws(ClusterError) {
            try self.send(reply, to: asker)
        } catch {
            return self.eventLoop.makeFailedFuture(error)
        }
        let promise = self.eventLoop.makePromise(of: Void.self)
        let (driver, member) = (self.driver, self.member)
        promise.completeWithTask { try await driver.confirm(member) }
        return promise.futureResult
    }

    private func send(_ bytes: ByteBuffer, to destination: ClusterDestination) throws(ClusterError) {
        do {
            try self.driver.send(bytes, to: destination, from: self.member)
        } catch {
            throw self.error("a message for the other nodes was not taken", error)
        }
    }

    // MARK: Counting

    func countNodes(_ named: [UTF8Text], isConfirmation: Bool) -> EventLoopFuture<ClusterCount> {
        let promise = self.eventLoop.makePromise(of: ClusterCount.self)
        let (driver, namespace) = (self.driver, self.member.namespace)
        promise.completeWithTask { ClusterCount(nodes: try await driver.countMembers(of: namespace)) }
        return promise.futureResult
    }

    private func error(_ attempt: String, _ error: any Error) -> ClusterError {
        if let error = error as? ClusterError { return error }
        return ClusterError(code: .unreachable, message: "namespace \(self.member.namespace): \(attempt): \(error)")
    }
}
