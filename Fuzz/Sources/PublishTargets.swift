import EngineIO
import Gateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOHTTP1
import SocketIOServer
import SocketIOWire

@testable import Console

/// A connection of the publish API: refused, slow and good requests, in pieces.
///
/// It always comes to its end, and nothing of it stays behind.
let publishTarget = Target(name: "publish") { input in
    var input = input
    let cut = input.takeChoice()
    let pieces = input.pieces(cut)
    waiting {
        let loop = NIOAsyncTestingEventLoop()
        let server = APIServer(
            api: publishAPI,
            host: "127.0.0.1",
            port: 0,
            eventLoopGroup: loop,
            onListening: { _ in }
        )
        let channel = NIOAsyncTestingChannel(loop: loop)
        do {
            try await loop.executeInContext { try APIConnection.addHandlers(to: channel, server: server) }
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1))
        } catch {
            fatalError("no connection: \(error)")
        }
        for piece in pieces where channel.isActive { _ = try? await channel.writeInbound(piece) }
        try? await loop.executeInContext {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        await loop.advanceTime(by: .seconds(200))
        // An answer that was being made leaves now, and nothing comes after it.
        try? await channel.closeFuture.get()
        // The task that makes an answer for a client that has left gives its bytes back when it ends.
        // If it kept them, the fuzzer would find that this input takes too long.
        while publishAPI.budget.bytesInUse > 0 {
            await Task.yield()
            await loop.run()
        }
        await loop.shutdownGracefully()
    }
}

/// A request of the publish API with its body: the route by the first byte, then what the gateway makes of it.
let publishBodyTarget = Target(name: "publish-body") { input in
    var input = input
    let choice = Int(input.takeChoice())
    let body = input
    let target = targets[choice % targets.count]
    waiting {
        var head = HTTPRequestHead(version: .http1_1, method: target.method, uri: target.path)
        head.headers = ["Host": "x", "Authorization": "Bearer key-of-all"]
        do {
            let answer = await publishAPI.answer(try publishAPI.admit(RequestHead(head)), body: body)
            require(answer.status != 500, "the API failed: \(String(buffer: answer.body.bytes))")
            require((try? JSONValue(parsing: answer.body.bytes)) != nil, "an answer that is no JSON")
        } catch {
            fatalError("not admitted: \(error)")
        }
    }
}

private let targets: [(method: HTTPMethod, path: String)] = [
    (.POST, "/io/emit"), (.POST, "/io/raw"), (.POST, "/io/batch"), (.POST, "/io/namespaces/chat/emit"),
    (.POST, "/io/sockets/a/join"), (.POST, "/io/sockets/a/message"), (.POST, "/io/sockets/a/subscriptions"),
    (.POST, "/io/entities/api::article.article/1/emit"), (.POST, "/io/users/1/disconnect"),
]

/// The API over a server without clients, and one token that may do everything.
private let publishAPI: PublishAPI = {
    let made = NIOLockedValueBox<PublishAPI?>(nil)
    waiting {
        var gateway = GatewayConfiguration()
        gateway.contentTypes = [
            ContentType(uid: "api::article.article", fields: ["title": .string, "owner": .string])
        ]
        gateway.namespaces = [GatewayNamespace(name: "chat")]
        gateway.apiTokenSalt = "sixteen bytes and more"
        gateway.apiTokens = [
            APIToken(
                name: "all",
                kind: .fullAccess,
                hash: APIToken.hash(of: "key-of-all", salt: gateway.apiTokenSalt)
            )
        ]
        do {
            let server = SocketServer()
            let io = try await IO.install(on: server, configuration: gateway)
            let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
            let api = PublishAPI(io: io, logger: logger) { path in
                path == "/healthz" ? (status: 200, body: ByteBuffer(string: "{}")) : nil
            }
            made.withLockedValue { $0 = api }
        } catch {
            fatalError("no gateway: \(error)")
        }
    }
    guard let api = made.withLockedValue({ $0 }) else { fatalError("no API") }
    return api
}()
