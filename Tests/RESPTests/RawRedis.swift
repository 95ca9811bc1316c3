import Foundation
import NIOCore
import NIOPosix

@testable import RESP

/// Commands to a Redis without a client.
enum RawRedis {
    static func command(_ port: Int, _ words: [String]) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var bytes = ByteBuffer()
            bytes.writeCommand(RESPCommand(words: words))
            try await outbound.write(bytes)
            for try await reply in inbound {
                return String(buffer: reply).trimmingCharacters(in: .whitespacesAndNewlines)
            }
            return ""
        }
    }

    static func command(_ port: Int, _ text: String) async throws -> String {
        try await self.command(port, text.split(separator: " ").map(String.init))
    }

    /// Says something to whoever connects, and closes the connection.
    static func serveOnce(_ words: String) async throws -> Int {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.execute {
                    channel.writeAndFlush(ByteBuffer(string: words)).whenComplete { _ in channel.close(promise: nil) }
                }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return server.localAddress?.port ?? 0
    }
}
