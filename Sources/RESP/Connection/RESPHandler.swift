import NIOCore
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Turns the bytes of a channel into values.
final class RESPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: RESPConnection
    private var parser: RESPParser

    init(connection: RESPConnection, limits: RESPLimits) {
        self.connection = connection
        self.parser = RESPParser(limits: limits)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.connection.heard()
        self.parser.append(self.unwrapInboundIn(data))
        do throws(RESPError) {
            // A handler may close the connection in the middle of a read. Then the rest of the read is dropped.
            while context.channel.isActive, let value = try self.parser.next() {
                self.connection.received(value)
            }
        } catch {
            self.connection.fail(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.connection.readAll()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let certificate = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self).peerCertificate
        self.connection.fail(
            RESPError.tls(error, certificate: certificate, now: time(nil))
                ?? RESPError(code: .disconnected, message: RESPError.reason(error))
        )
        context.close(promise: nil)
    }
}
