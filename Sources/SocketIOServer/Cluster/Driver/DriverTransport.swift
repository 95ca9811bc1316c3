import NIOCore
import SocketIOWire

/// Carries a namespace's messages through a driver, in the envelope of the official ClusterAdapter.
final class DriverTransport: ClusterTransport {
    private let driver: any ClusterDriver
    private let member: ClusterMember
    private let encoder: ClusterEncoder
    private let eventLoop: any EventLoop
    /// How long the driver may take to count the nodes.
    private let countTimeout: TimeAmount
    let nodeID: UTF8Text

    init(driver: any ClusterDriver, namespace: String, eventLoop: any EventLoop, countTimeout: TimeAmount) {
        let uid = Self.randomID()
        self.driver = driver
        self.member = ClusterMember(namespace: namespace, id: uid)
        self.encoder = ClusterEncoder(uid: uid, namespace: namespace)
        self.eventLoop = eventLoop
        self.countTimeout = countTimeout
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
        do {
            try await self.confirmed(within: timeout).get()
            return .published
        } catch let error as ClusterError where error.code == .timeout && policy == .queue {
            return .queued
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
        return self.confirmed(within: timeout)
    }

    private func confirmed(within timeout: TimeAmount) -> EventLoopFuture<Void> {
        let (driver, member) = (self.driver, self.member)
        return self.ask("the broker has not confirmed a message", within: timeout) { try await driver.confirm(member) }
    }

    /// Asks the driver, and waits for a limited time: a driver may never answer.
    private func ask<Answer: Sendable>(
        _ failure: String,
        within timeout: TimeAmount,
        _ body: @escaping @Sendable () async throws -> Answer
    ) -> EventLoopFuture<Answer> {
        let promise = self.eventLoop.makePromise(of: Answer.self)
        let namespace = self.member.namespace
        let timer = self.eventLoop.scheduleTask(in: timeout) {
            let milliseconds = timeout.nanoseconds / 1_000_000
            let message = "namespace \(namespace): \(failure) within \(milliseconds) ms"
            promise.fail(ClusterError(code: .timeout, message: message))
        }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        // What comes too late is ignored.
        promise.completeWithTask(body)
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
        let (driver, namespace) = (self.driver, self.member.namespace)
        return self.ask("the driver has not counted the nodes", within: self.countTimeout) {
            ClusterCount(nodes: try await driver.countMembers(of: namespace))
        }
    }

    private func error(_ attempt: String, _ error: any Error) -> ClusterError {
        if let error = error as? ClusterError { return error }
        return ClusterError(code: .unreachable, message: "namespace \(self.member.namespace): \(attempt): \(error)")
    }
}
