import NIOCore
import NIOPosix
import SocketIOWire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Collects what a connection reads while it moves to another event loop.
final class TransferHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?
    private var collected = ByteBuffer()
    private let timeout: TimeAmount

    /// How long it may collect.
    ///
    /// After that the connection is closed.
    init(timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.collect(self.unwrapInboundIn(data)) }

    func collect(_ bytes: ByteBuffer) { self.collected.writeImmutableBuffer(bytes) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Releases the connection when everything that was written to it has left.
    ///
    /// - Parameter body: Gets a descriptor of the socket, which it then owns, and the bytes that were read. It is not
    ///   called if the peer is gone.
    func transfer(_ body: @escaping (NIOBSDSocket.Handle, ByteBuffer) -> Void) {
        guard let context = self.context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        let deadline = context.eventLoop.assumeIsolated().scheduleTask(in: self.timeout) { context.close(promise: nil) }
        promise.futureResult.assumeIsolated().whenComplete { result in
            deadline.cancel()
            guard case .success = result, context.channel.isActive else { return }
            let socket = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { dup($0) }
            context.close(promise: nil)
            guard let socket, socket >= 0 else { return }
            body(socket, self.collected)
        }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
    }
}

extension EngineLoop {
    /// Makes a WebSocket on this loop from another loop's connection.
    ///
    /// `leftOver` has the bytes that were read behind the request. The `answer` to the request has not been written
    /// yet.
    func adopt(
        _ socket: NIOBSDSocket.Handle,
        leftOver: ByteBuffer,
        answer: ByteBuffer,
        compression: DeflateAgreement?,
        ticket: ConnectionTicket?,
        session: SessionReference,
        isTextOnly: Bool
    ) {
        ClientBootstrap(group: self.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.syncOptions?.setOption(
                        .recvAllocator,
                        value: ReceiveAllocator(loop: self)
                    )
                    try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
                    try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketHandler(loop: self, compression: compression, ticket: ticket, mayHaveBacklog: false)
                    )
                }
            }
            .withConnectedSocket(socket)
            .whenSuccess { channel in
                guard let handler = try? channel.pipeline.syncOperations.handler(type: WebSocketHandler.self) else {
                    return channel.close(promise: nil)
                }
                handler.hasMoved = true
                handler.writeAndFlush(answer)
                session.perform { $0.received(probe: handler, isTextOnly: isTextOnly) }
                handler.received(leftOver)
            }
    }
}
