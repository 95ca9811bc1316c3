import NIOCore
import SocketIOWire

/// What an answer of a webhook, or the lack of one, means.
enum WebhookVerdict: Sendable {
    /// It has taken the events; its answer is `nil` if it says nothing in JSON.
    case answered(JSONValue?)
    /// Another attempt would end in the same way, and the endpoint works.
    case rejected(String)
    /// Another attempt would end in the same way, and the endpoint does not work as it should.
    case broken(String)
    /// Another attempt may succeed.
    case failed(String, retryAfter: TimeAmount?)

    /// What a response means.
    init(_ response: OutgoingResponse) {
        switch response.status {
        case 200...299:
            guard Self.isJSON(response), response.body.readableBytes > 0 else {
                self = .answered(nil)
                return
            }
            do throws(JSONError) {
                self = .answered(try JSONValue(parsing: response.body))
            } catch {
                self = .broken("answers what is no JSON: \(error)")
            }
        case 300...399:
            self = .broken("answers \(response.status); redirects are not followed, so name the final URL")
        case 408, 425, 429, 500, 502, 503, 504, 507, 520...530:
            self = .failed("answers \(response.status)", retryAfter: Self.retryAfter(response))
        case 400...499:
            self = .rejected("answers \(response.status)")
        default:
            self = .broken("answers \(response.status)")
        }
    }

    /// What the lack of a response means.
    init(_ error: any Error) {
        guard let error = error as? OutgoingError else {
            self = .failed("\(error)", retryAfter: nil)
            return
        }
        switch error.code {
        case .timedOut, .unreachable: self = .failed(error.message, retryAfter: nil)
        default: self = .broken(error.message)
        }
    }

    /// For the outbox.
    func outcome<Lane, Message>(
        of _: WebhookOutbox<Lane, Message>.Type
    ) -> WebhookOutbox<Lane, Message>.Outcome {
        switch self {
        case .answered: .answered
        case .rejected: .rejected
        case .broken: .broken
        case .failed(_, let retryAfter): .failed(retryAfter: retryAfter)
        }
    }

    /// Whether the head says that the body is JSON; capitals do not matter.
    private static func isJSON(_ response: OutgoingResponse) -> Bool {
        guard let type = response.header("content-type") else { return false }
        let bytes = type.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }.map { byte in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        return bytes.elementsEqual("application/json".utf8)
            || bytes.starts(with: "application/".utf8) && bytes.suffix(5).elementsEqual("+json".utf8)
    }

    /// The seconds of `Retry-After`; a date counts as nothing.
    private static func retryAfter(_ response: OutgoingResponse) -> TimeAmount? {
        guard let digits = response.header("retry-after")?.utf8, (1...6).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return .seconds(digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) })
    }
}
