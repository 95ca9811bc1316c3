import NIOCore

/// Reads the PROXY header in front of a connection from a load balancer, and then removes itself.
final class ProxyProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: HTTPConnection
    private var buffer: ByteBuffer?
    private var isDone = false

    init(connection: HTTPConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard !self.isDone else { return context.fireChannelRead(self.wrapInboundOut(bytes)) }
        if var buffer = self.buffer.take() {
            buffer.writeBuffer(&bytes)
            bytes = buffer
        }
        do throws(ProxyHeader.Malformed) {
            guard let header = try ProxyHeader.read(from: &bytes) else {
                // This is a copy, because the loop reads into the same buffer again.
                self.buffer = ByteBuffer(bytes: bytes.readableBytesView)
                return
            }
            self.isDone = true
            self.connection.isProxied(header)
            if bytes.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(bytes)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            self.connection.server.proxyHeaderMissing()
            context.close(promise: nil)
        }
    }
}
