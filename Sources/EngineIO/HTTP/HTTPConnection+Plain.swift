import NIOCore
import NIOHTTP1
import SocketIOWire

/// Reads usual requests without NIO's decoder; see ``PlainRequestHead``.
///
/// A polling client sends two requests for each message and its answer. So nothing is made of such a request except
/// what its session gets.
extension HTTPConnection {
    /// The most reads of one head.
    ///
    /// A head in more pieces goes to the decoder, which does not look at the first pieces again.
    private static var maximumReads: Int { 16 }

    /// Takes all bytes from the client.
    func receive(_ input: inout ByteBuffer) {
        guard !self.isReceiving else {
            // While a request is handled, the channel can hand over more bytes.
            self.later = self.later.take() ?? ByteBuffer()
            self.later?.writeBuffer(&input)
            return
        }
        self.isReceiving = true
        while input.readableBytes > 0 || self.takeLater(&input) {
            // What came meanwhile may belong to a request that the decoder has begun to read.
            if self.usesDecoder {
                self.decode(&input)
                continue
            }
            if self.bodyBytesToCome > 0 {
                self.takeBody(from: &input)
                continue
            }
            switch self.state {
            case .idle: self.takeRequest(from: &input)
            case .receivingUpgrade, .decidingUpgrade: self.hold(&input)
            // The client has not waited for the answer to its last request.
            case .receiving, .answering, .draining: self.decode(&input)
            case .closing, .detached: input.moveReaderIndex(to: input.writerIndex)
            }
        }
        self.isReceiving = false
    }

    private func takeLater(_ input: inout ByteBuffer) -> Bool {
        guard let later = self.later.take() else { return false }
        input = later
        return true
    }

    private func hold(_ input: inout ByteBuffer) {
        // This is a copy, because the loop reads into the same buffer again.
        var held = self.held.take() ?? ByteBuffer()
        held.writeBuffer(&input)
        self.held = held
    }

    /// Gives this and everything that follows to NIO's decoder.
    private func decode(_ input: inout ByteBuffer) {
        var bytes = self.held.take() ?? ByteBuffer()
        bytes.writeBuffer(&input)
        guard let context = self.context else { return }
        do {
            if !self.usesDecoder { try self.useDecoder(in: context) }
        } catch {
            return self.closeNow()
        }
        context.fireChannelRead(self.wrapInboundOut(bytes))
    }

    private func takeRequest(from input: inout ByteBuffer) {
        if var held = self.held.take() {
            held.writeBuffer(&input)
            input = held
        }
        let limits = self.limits
        let outcome = input.withBytes {
            PlainRequestHead.read($0, maximumFields: limits.maxHeaderCount, maximumBytes: limits.maxHeaderBytes)
        }
        switch outcome {
        case .incomplete:
            self.heldReads += 1
            if self.heldReads > Self.maximumReads { self.decode(&input) } else { self.hold(&input) }
        case .unusual:
            self.decode(&input)
        case .whole(let head):
            self.heldReads = 0
            if let poll = self.poll(head, input) {
                input.moveReaderIndex(forwardBy: head.length)
                self.begin(poll, bodyBytes: head.contentLength)
            } else {
                self.begin(head, &input)
            }
        }
    }

    private func takeBody(from input: inout ByteBuffer) {
        let count = min(self.bodyBytesToCome, input.readableBytes)
        self.bodyBytesToCome -= count
        if let bytes = input.readSlice(length: count) { self.process(.body(bytes)) }
        if self.bodyBytesToCome == 0 { self.process(.end(nil)) }
    }

    // MARK: Polls

    /// A usual request of a polling session that exists.
    private struct Poll {
        var exchange: HTTPExchange
        var session: SessionReference
    }

    private func poll(_ head: PlainRequestHead, _ input: ByteBuffer) -> Poll? {
        let server = self.server
        guard !head.isUpgrade, server.takesPlainPolls, self.refusal == nil else { return nil }
        return input.withBytes { bytes -> Poll? in
            let target = bytes.part(head.target)
            guard server.owns(target) else { return nil }
            let query = EngineQuery(target: target)
            guard case .known(.polling) = query.transport, case .id(let id) = query.session,
                let session = server.pollingSession(id)
            else { return nil }
            var context = HTTPResponseContext()
            if let agent = head.userAgent.map(bytes.part) {
                guard !agent.contains("MSIE"), !agent.contains("Trident/") else { return nil }
            }
            if let cors = self.loop.cors {
                context.firstFields = cors.fields(
                    origin: head.origin.map { bytes.part($0).text },
                    preflight: (false, nil)
                )
            }
            context.isKeptAlive = head.isKeptAlive && !server.isStopping
            context.keepAliveSeconds = self.keepAliveSeconds
            let exchange = HTTPExchange(
                connection: self,
                method: head.isPost ? .post : .get,
                isBinary: head.contentType.map { bytes.part($0).equals("application/octet-stream") } ?? false,
                acceptedEncodings: head.isPost ? nil : head.acceptedEncodings.map { bytes.part($0).text },
                context: context
            )
            return Poll(exchange: exchange, session: session)
        }
    }

    private func begin(_ poll: Poll, bodyBytes: Int?) {
        self.beginCounting()
        guard let bodyBytes else {
            // The timer for the time without a request stays. When it fires, it finds the connection busy.
            self.ticket?.establish()
            self.state = .answering(poll.exchange)
            return poll.exchange.begin(with: poll.session, transport: .polling)
        }
        self.loop.timers.schedule(self, in: self.limits.requestTimeout)
        self.state = .receiving(poll.exchange)
        self.bodyBytesToCome = bodyBytes
        poll.exchange.begin(with: poll.session, transport: .polling)
        if bodyBytes == 0 { self.process(.end(nil)) }
    }

    // MARK: Others

    /// Handles any other request, like those that the decoder has read.
    private func begin(_ head: PlainRequestHead, _ input: inout ByteBuffer) {
        let isTaken = input.withBytes { self.server.owns($0.part(head.target)) } && self.server.takesWebSockets
        guard !head.isUpgrade || isTaken else { return self.decode(&input) }
        let request = input.withBytes { HTTPRequestHead(head, in: $0) }
        input.moveReaderIndex(forwardBy: head.length)
        // The bytes behind it belong to the WebSocket.
        if head.isUpgrade, input.readableBytes > 0 { self.hold(&input) }
        self.bodyBytesToCome = head.contentLength ?? 0
        self.process(.head(request))
        if self.bodyBytesToCome == 0 { self.process(.end(nil)) }
    }
}

extension HTTPRequestHead {
    fileprivate init(_ head: PlainRequestHead, in bytes: Bytes) {
        var fields: [(String, String)] = []
        fields.reserveCapacity(head.fieldCount)
        head.forEachField(in: bytes) { fields.append(($0.text, $1.text)) }
        self.init(
            version: .http1_1,
            method: head.isPost ? .POST : .GET,
            uri: bytes.part(head.target).text,
            headers: HTTPHeaders(fields)
        )
    }
}

extension ByteBuffer {
    /// Runs a closure on the readable bytes, without a copy.
    fileprivate func withBytes<Result>(_ body: (Bytes) -> Result) -> Result {
        self.withUnsafeReadableBytes { raw in raw.withMemoryRebound(to: UInt8.self, body) }
    }
}
