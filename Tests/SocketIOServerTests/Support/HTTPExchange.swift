import Foundation
import NIOCore
import NIOPosix

/// One HTTP exchange on a connection of its own.
func exchange(
    _ method: String,
    _ target: String,
    body: String? = nil,
    with address: SocketAddress
) async throws -> (status: Int, body: String) {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(to: address) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        try await outbound.write(
            ByteBuffer(
                string: "\(method) \(target) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\(length)\r\n\(body ?? "")"
            )
        )
        var response = ByteBuffer()
        for try await bytes in inbound { response.writeImmutableBuffer(bytes) }
        let text = String(buffer: response)
        guard let end = text.range(of: "\r\n\r\n"), let status = Int(text.dropFirst(9).prefix(3)) else {
            return (0, text)
        }
        return (status, String(text[end.upperBound...]))
    }
}
