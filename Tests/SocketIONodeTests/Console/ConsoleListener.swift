import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import Console

/// Serves the API on a free port while `body` runs.
func withListener(_ api: ConsoleAPI, _ body: (SocketAddress) async throws -> Void) async throws {
    let (addresses, listening) = AsyncStream.makeStream(of: SocketAddress?.self)
    let service = api.service(
        host: "127.0.0.1",
        port: 0,
        eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
        onListening: { listening.yield($0) }
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await service.run() }
        var iterator = addresses.makeAsyncIterator()
        let address = try #require(await iterator.next() ?? nil)
        try await body(address)
        group.cancelAll()
    }
}
