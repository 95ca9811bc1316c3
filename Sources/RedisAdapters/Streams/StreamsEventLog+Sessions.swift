import Logging
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Sessions of clients, kept in Redis.
extension StreamsEventLog {
    /// How many sessions are prolonged in one piece.
    private static let mostAtOnce = 1_000

    func keep(_ session: KeptSession, for lifetime: TimeAmount) {
        let keys = self.dialect.sessionKeys(of: session.id.secret)
        guard let record = session.record,
            let value = StoredSession.value(session, node: self.dialect.uid, namespace: self.dialect.namespace)
        else {
            self.metrics.sessionNotKept("too_long", details: ["session": "\(session.id.label)"])
            return self.forget(session.id)
        }
        let command = SessionScript.command(
            SessionScript.keep,
            keys,
            .string(StoredSession.text(of: record.claim)),
            record.isNew ? "1" : "0",
            .bytes(value),
            .string(Self.milliseconds(lifetime)),
            .bytes(record.isAway ? session.stream.text : ByteBuffer())
        )
        self.write(command) { [weak self] error in
            self?.notKept(error)
            // What was kept before is not true any more.
            self?.forget(session.id)
        }
    }

    func prolong(_ sessions: [SessionID], for lifetime: TimeAmount) {
        let milliseconds = RESPCommand.Argument.string(Self.milliseconds(lifetime))
        for start in stride(from: 0, to: sessions.count, by: Self.mostAtOnce) {
            let commands = sessions[start..<min(start + Self.mostAtOnce, sessions.count)].map { id in
                RESPCommand("PEXPIRE", .string(self.dialect.sessionKeys(of: id.secret).own), milliseconds)
            }
            self.bus.execute(commands, isTransaction: false, timeout: .seconds(5)) { _ in }
        }
    }

    func forget(_ session: SessionID) {
        let keys = self.dialect.sessionKeys(of: session.secret)
        self.write(SessionScript.command(SessionScript.forget, keys, .string(self.dialect.uid))) { _ in }
    }

    /// Writes in the order of the calls.
    private func write(_ command: RESPCommand, orElse failed: @escaping @Sendable (RESPError) -> Void) {
        do throws(RESPError) {
            _ = try self.bus.keep(command) { outcome in
                switch outcome {
                case .replied: break
                case .refused(let error), .unconfirmed(let error), .dropped(let error): failed(error)
                }
            }
        } catch {
            self.notKept(error)
        }
    }

    private func notKept(_ error: RESPError) {
        self.metrics.sessionNotKept("not_written", details: ["error": "\(error.brief)"])
        self.logger.debug("Could not write a session", metadata: ["error": "\(error.brief)"])
    }

    private static func milliseconds(_ time: TimeAmount) -> String {
        String(max(1, time.nanoseconds / 1_000_000))
    }

    // MARK: Taking

    func takeSession(_ id: SessionID) async throws -> KeptSession? {
        let command = SessionScript.command(
            SessionScript.take,
            self.dialect.sessionKeys(of: id.secret),
            .string(self.dialect.namespace)
        )
        let replies = try await self.bus.execute([command], timeout: .seconds(5))
        if case .error(let error)? = replies.first { throw error }
        guard let parts = replies.first?.arrayValue, parts.count == 3 else { return nil }
        do throws(ClusterProtocolError) {
            let session = try await self.session(own: parts[0].bytes, official: parts[1].bytes, together: parts[2])
            return session?.id == id ? session : nil
        } catch {
            self.metrics.rejected(error.reason.rawValue, details: ["error": "\(error)"])
            self.logger.debug("Ignored what is kept of a client", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func session(
        own: ByteBuffer?,
        official: ByteBuffer?,
        together: RESPValue
    ) async throws(ClusterProtocolError) -> KeptSession? {
        let stored = try own.map { value throws(ClusterProtocolError) in try StoredSession(parsing: value) }
        if let stored, let record = stored.session.record {
            guard record.isAway else { return try await self.handedOver(stored) }
            if official != nil, together.integerValue == 1 { return stored.session }
        }
        // A Node.js node has taken the session since, and may have kept it again.
        return try official.map { text throws(ClusterProtocolError) in try KeptSession(parsing: text) }
    }

    /// Asks the node to which the client was connected, if that is another node and lives.
    private func handedOver(_ stored: StoredSession) async throws(ClusterProtocolError) -> KeptSession? {
        guard stored.node != UTF8Text(self.dialect.uid) else { return stored.session }
        let eventLoop = self.bus.eventLoop
        let requestID = UTF8Text(self.dialect.configuration.makeID())
        let promise = eventLoop.makePromise(of: ByteBuffer?.self)
        self.handovers.wait(for: requestID, promise)
        let question = SessionMessage.take(
            requestID: requestID,
            node: UTF8Text(self.dialect.uid),
            session: UTF8Text(stored.session.id.secret)
        )
        let patience = eventLoop.scheduleTask(in: .seconds(1)) { [handovers] in
            handovers.answered(requestID, .failure(RESPError(code: .timeout, message: "no answer")))
        }
        self.bus.execute(
            [self.publishing(question, to: stored.node)],
            isTransaction: false,
            timeout: .seconds(1)
        ) { [handovers] result in
            // No node listens on that channel: it is dead, or has left the cluster.
            guard case .success(let replies) = result, replies.first?.integerValue != 0 else {
                return handovers.answered(requestID, .failure(RESPError(code: .disconnected, message: "nobody there")))
            }
        }
        defer { patience.cancel() }
        let answer: ByteBuffer?
        do {
            answer = try await promise.futureResult.get()
        } catch {
            return stored.session
        }
        return try answer.map { body throws(ClusterProtocolError) in try StoredSession.session(of: body) }
    }

    private func publishing(_ message: SessionMessage, to node: UTF8Text) -> RESPCommand {
        RESPCommand(
            self.dialect.configuration.usesShardedPubSub ? "SPUBLISH" : "PUBLISH",
            .string(self.dialect.channels.responses(to: node.string)),
            .bytes(message.encoded)
        )
    }

    // MARK: Giving

    func received(_ message: ByteBuffer) {
        do throws(ClusterProtocolError) {
            switch try SessionMessage(parsing: message) {
            case .give(let requestID, let kept): self.handovers.answered(requestID, .success(kept))
            case .take(let requestID, let node, let session): self.give(session, to: node, requestID)
            }
        } catch {
            self.metrics.rejected(error.reason.rawValue, details: ["error": "\(error)"])
            self.logger.debug("Ignored a message about a session", metadata: ["error": "\(error)"])
        }
    }

    private func give(_ session: UTF8Text, to node: UTF8Text, _ requestID: UTF8Text) {
        guard let id = SessionID(session.string) else {
            return self.metrics.rejected(ClusterProtocolError.Reason.unexpectedShape.rawValue)
        }
        guard self.handovers.beginAnswer() else { return self.metrics.refused(.tooMany) }
        let host = self.host
        self.dialect.configuration.startTask {
            let session = await host.handOver(id)
            self.handovers.endAnswer()
            let answer = SessionMessage.give(requestID: requestID, session.flatMap { StoredSession.body(of: $0) })
            self.bus.execute([self.publishing(answer, to: node)], isTransaction: false, timeout: .seconds(1)) { _ in }
        }
    }
}
