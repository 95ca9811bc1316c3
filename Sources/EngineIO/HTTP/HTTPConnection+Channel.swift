import DequeModule
import NIOCore
import NIOHTTP1
import SocketIOWire
import Synchronization

/// The events of the channel, and the bytes that it reads.
extension HTTPConnection: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.loop.connections[ObjectIdentifier(self)] = self
        self.armTimer(self.limits.requestTimeout)
    }

    func channelActive(context: ChannelHandlerContext) {
        let isBalancer = self.isFromBalancer
        if !isBalancer, !self.server.configuration.proxyProtocolSources.isEmpty {
            context.pipeline.syncOperations.removeHandler(name: Self.proxyProtocolName, promise: nil)
        }
        // A balancer's connection belongs to no address before its header has come.
        self.seekAdmission(from: isBalancer ? nil : context.channel.remoteAddress)
        context.fireChannelActive()
    }

    private var isFromBalancer: Bool {
        let sources = self.server.configuration.proxyProtocolSources
        guard !sources.isEmpty, let peer = self.context?.channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0) })
        else { return false }
        return sources.contains { $0.contains(peer) }
    }

    private func seekAdmission(from address: SocketAddress?) {
        let isFull = self.server.acceptState.isFull.load(ordering: .relaxed)
        guard self.server.admission.isLimited || isFull, self.refusal == nil else { return }
        switch self.server.admission.connect(from: address?.ipAddress, isFull: isFull) {
        case .success(let ticket): self.ticket = ticket
        case .failure(let error): self.turnAway(error)
        }
    }

    /// A load balancer has said whose connection it is.
    func isProxied(_ header: ProxyHeader) {
        guard case .client(let address, let port) = header else { return }
        self.proxiedAddress = try? SocketAddress(ipAddress: address.description, port: Int(port))
        self.ticket = nil
        self.seekAdmission(from: self.proxiedAddress)
    }

    /// The address of the connection's other end, if it is known.
    var remoteAddress: SocketAddress? { self.proxiedAddress ?? self.context?.channel.remoteAddress }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.detach()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.usesDecoder else { return context.fireChannelRead(data) }
        var bytes = self.unwrapInboundIn(data)
        if self.isNew {
            self.isNew = false
            bytes = self.rest(of: bytes, context)
        }
        var input = bytes
        self.receive(&input)
        input = ByteBuffer()
        if bytes.storageCapacity >= EngineLoop.receiveBufferSize { self.loop.giveBack(bytes) }
    }

    /// Reads what stands behind a new connection's first byte.
    ///
    /// The channel first reads a single byte (see ``ReceiveAllocator``), and would read the rest only in another turn.
    private func rest(of first: ByteBuffer, _ context: ChannelHandlerContext) -> ByteBuffer {
        let descriptor = SocketDescriptor(of: context.channel)
        self.descriptor = descriptor
        guard descriptor.isValid, first.readableBytes == 1 else { return first }
        var bytes = self.loop.takeReceiveBuffer()
        bytes.writeImmutableBuffer(first)
        _ = descriptor.receive(into: &bytes)
        return bytes
    }

    /// The decoder has read a part of a request.
    func received(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head):
            self.decoder?.decodedHead(head)
        case .body(let bytes): self.decoder?.decodedBody(bytes.readableBytes)
        case .end: self.decoder?.decodedEnd()
        }
        if self.queue.isEmpty, self.takesParts {
            self.process(part)
            self.processQueue()
            return
        }
        switch self.state {
        case .closing, .detached: return
        case .idle, .receiving, .answering, .draining, .receivingUpgrade, .decidingUpgrade: break
        }
        if case .head = part { self.queuedRequests += 1 }
        self.queue.append(part)
        if self.queuedRequests > self.limits.maxPipelinedRequests { self.closeNow() }
    }

    func read(context: ChannelHandlerContext) {
        // A client that sends requests ahead has to wait when some are queued, or when answers are queued that it does
        // not read. The end of the stream is noticed even so.
        self.isReadHeld = true
        self.readIfPossible()
    }

    func readIfPossible() {
        guard self.isReadHeld, self.queue.isEmpty, self.isWritable, let context = self.context else { return }
        // Bytes behind a request for an upgrade wait until the server has decided.
        if self.held != nil, case .decidingUpgrade = self.state { return }
        self.isReadHeld = false
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        self.noteQueuedBytes()
        self.readIfPossible()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.descriptor = SocketDescriptor.none
        switch self.state {
        case .receiving(let exchange), .answering(let exchange): exchange.aborted()
        case .receivingUpgrade(let request), .decidingUpgrade(let request): request.decision?.cancel()
        case .idle, .draining, .closing, .detached: break
        }
        self.detach()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            self.server.metrics.malformedInput(.httpRequest)
            switch self.state {
            case .idle, .receiving:
                let isTooBig = error as? HTTPParserError == .headerOverflow
                self.writeAndClose(isTooBig ? "431 Request Header Fields Too Large" : "400 Bad Request")
                return
            case .answering, .draining, .receivingUpgrade, .decidingUpgrade, .closing, .detached:
                break
            }
        }
        self.closeNow()
    }

    func detach() {
        self.state = .detached
        self.mayHaveBacklog = false
        self.noteQueuedBytes()
        self.noteRequestBytes()
        self.descriptor = SocketDescriptor.none
        self.bodyBytesToCome = 0
        if self.isReadHeld {
            // The new owner of the connection knows nothing of a read that was held back here.
            self.isReadHeld = false
            self.context?.read()
        }
        self.queue = []
        self.ticket = nil
        self.forgetRefusal()
        self.loop.timers.cancel(self)
        self.loop.connections[ObjectIdentifier(self)] = nil
    }
}
