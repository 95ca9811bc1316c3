import Gateway
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// Other servers, as a function of the request.
final class StubHTTP: OutgoingHTTP {
    private let answer: NIOLockedValueBox<@Sendable (OutgoingRequest) throws -> OutgoingResponse>
    private let log = NIOLockedValueBox<[OutgoingRequest]>([])

    init(_ answer: @escaping @Sendable (OutgoingRequest) throws -> OutgoingResponse) {
        self.answer = NIOLockedValueBox(answer)
    }

    /// The requests so far.
    var requests: [OutgoingRequest] { self.log.withLockedValue { $0 } }

    func answer(_ answer: @escaping @Sendable (OutgoingRequest) throws -> OutgoingResponse) {
        self.answer.withLockedValue { $0 = answer }
    }

    func send(_ request: OutgoingRequest) async throws -> OutgoingResponse {
        self.log.withLockedValue { $0.append(request) }
        return try self.answer.withLockedValue { $0 }(request)
    }
}

extension OutgoingResponse {
    static func json(_ text: String, status: Int = 200) -> OutgoingResponse {
        OutgoingResponse(status: status, body: ByteBuffer(string: text))
    }
}
