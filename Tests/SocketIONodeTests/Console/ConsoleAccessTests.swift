import Gateway
import Logging
import Metrics
import NIOCore
import NIOPosix
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console

/// Who may ask the internal listener what, and how.
@Suite(.timeLimit(.minutes(1)))
struct ConsoleAccessTests {
    static func token(_ name: String, _ scopes: String...) -> APIToken {
        APIToken(name: name, kind: .custom, hash: "", scopes: scopes.compactMap { Scope($0) })
    }

    private static let routes = [
        ConsoleRoute(.get, "io/rooms/:/state", parameters: ["x"]) { request in
            .json(["room": .string(request.values[0]), "x": request.parameter("x").map { .string($0) } ?? .null])
        },
        ConsoleRoute(.put, "io/settings", access: .scope("settings"), members: ["a"]) { request in .json(request.body)
        },
        ConsoleRoute(.get, "open", access: .anybody) { request in .json(["limit": .int(try request.limit(default: 7))])
        },
        ConsoleRoute(.get, "fails") { _ in throw CancellationError() },
    ]

    private func serving(_ body: (SocketAddress) async throws -> Void) async throws {
        let api = ConsoleAPI(
            routes: Self.routes,
            token: { key in
                switch key {
                case "watch": Self.token("watch", "io.monitor")
                case "change": Self.token("change", "io.settings")
                case "publish": Self.token("publish", "io.emit", "io.raw", "io.sockets")
                default: nil
                }
            },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            eventLoop: MultiThreadedEventLoopGroup.singleton.next()
        )
        try await withListener(api, body)
    }

    @Test(arguments: [
        ("/io/rooms/a%2Fb/state?x=1", "watch", 200, #"{"room":"a/b","x":"1"}"#),
        ("/io/rooms/a/state?y=1", "watch", 400, "there are x"),
        ("/io/rooms/a/state", nil, 401, "Authorization: Bearer"),
        ("/io/rooms/a/state", "wrong", 401, "Authorization: Bearer"),
        ("/io/rooms/a/state", "publish", 403, "io.monitor"), ("/io/rooms/a/state", "change", 403, "io.monitor"),
        ("/io/rooms/a", nil, 404, "no such route"), ("/io/settings", "change", 405, "takes PUT"),
        ("/fails", "watch", 500, "its log says why"), ("/open?limit=1000", nil, 400, "parameter"),
        ("/open", nil, 200, #"{"limit":7}"#),
    ])
    func theHeadDecides(target: String, key: String?, status: Int, text: String) async throws {
        try await self.serving { address in
            let answer = try await exchange("GET", target, token: key, with: address)
            #expect(answer.status == status)
            #expect(answer.body.contains(text), "\(answer.body)")
        }
    }

    @Test(arguments: [
        ("change", #"{"a": 1}"#, 200, #"{"a":1}"#), ("change", #"{"b": 1}"#, 400, "'b' is no member"),
        ("change", "[", 400, "not JSON"), ("change", "[]", 400, "must be a JSON object"),
        ("watch", "{}", 403, "io.settings"),
    ])
    func bodiesAreRead(key: String, body: String, status: Int, text: String) async throws {
        try await self.serving { address in
            let answer = try await exchange("PUT", "/io/settings", token: key, body: body, with: address)
            #expect(answer.status == status)
            #expect(answer.body.contains(text), "\(answer.body)")
        }
    }

    /// A body that is too long, or that nobody reads, is refused by the head.
    @Test(arguments: [
        ("PUT /io/settings", "Content-Length: 1000001", "413"), ("GET /open", "Content-Length: 1", "413"),
        ("GET /open", "Transfer-Encoding: chunked", "413"),
    ])
    func bodiesAreBounded(line: String, field: String, status: String) async throws {
        try await self.serving { address in
            let connection = try await RawConnection(address)
            try await connection.send(
                "\(line) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer change\r\n\(field)\r\n\r\n"
            )
            #expect(try await connection.response().status.contains(status))
            #expect(try await connection.end() == [])
        }
    }
}
