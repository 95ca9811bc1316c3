import Gateway
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// Answers the gateway's requests as a test says, and remembers them.
final class ScriptedHTTP: OutgoingHTTP {
    private let log = NIOLockedValueBox<[OutgoingRequest]>([])
    private let answer: @Sendable (_ request: OutgoingRequest, _ number: Int) async throws -> OutgoingResponse

    init(_ answer: @escaping @Sendable (OutgoingRequest, Int) async throws -> OutgoingResponse) {
        self.answer = answer
    }

    /// Answers each event with JSON.
    convenience init(json answer: @escaping @Sendable (_ body: JSONValue) -> JSONValue) {
        self.init { request, _ in .json(answer(request.json)) }
    }

    func send(_ request: OutgoingRequest) async throws -> OutgoingResponse {
        let number = self.log.withLockedValue { log in
            log.append(request)
            return log.count
        }
        return try await self.answer(request, number)
    }

    /// Does not return.
    static func hang() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in stream {}
        continuation.finish()
    }

    var requests: [OutgoingRequest] { self.log.withLockedValue { $0 } }
}

extension OutgoingRequest {
    /// The body.
    var json: JSONValue { self.body.flatMap { try? JSONValue(parsing: $0) } ?? .null }

    func header(_ name: String) -> String? { self.headers.first { $0.name == name }?.value }
}

extension OutgoingResponse {
    static func json(_ value: JSONValue, status: Int = 200) -> OutgoingResponse {
        var body = ByteBuffer()
        body.writeJSON(value)
        return OutgoingResponse(status: status, headers: [.init("Content-Type", "application/json")], body: body)
    }
}
