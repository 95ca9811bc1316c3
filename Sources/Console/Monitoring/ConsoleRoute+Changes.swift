import Gateway
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension ConsoleRoute {
    /// What operators do with the figures: try an event, count from zero.
    static func changes(_ io: IO) -> [ConsoleRoute] {
        [
            ConsoleRoute(.post, "io/test-event", members: ["eventName", "data"]) { request in
                try await request.audited(io) { try await Self.testEvent(io, request) }
            },
            ConsoleRoute(.post, "io/reset-stats", members: []) { request in
                try await request.audited(io) {
                    let report = await io.monitoring.resetStatistics()
                    return .json(Self.answer(["success": .bool(report.isComplete)], missing: report.missing))
                }
            },
        ]
    }

    /// The longest name of a test event, in bytes.
    private static let longestTestName = 50

    /// Sends an event `test:<name>` to every client of the main namespace.
    private static func testEvent(_ io: IO, _ request: ConsoleRequest) async throws -> ConsoleAnswer {
        let name: String
        switch request.body["eventName"] {
        case nil, .null?: name = "test"
        case .string(let text)?: name = text
        default: throw APIError.invalidRequest("'eventName' must be a text.")
        }
        let isValid = (1...Self.longestTestName).contains(name.utf8.count) && name.utf8.allSatisfy(Self.isOfTestName)
        guard isValid else {
            throw APIError.invalidRequest(
                "'eventName' must have 1 to \(Self.longestTestName) letters, digits, ':', '.', '_' or '-'."
            )
        }
        let data = request.body["data"] ?? .object([:])
        var payload = data.objectValue ?? (data.isNull ? [:] : ["data": data])
        payload["timestamp"] = Self.timestamp
        payload["test"] = true
        let publisher = io.publisher(wantsReceipt: true)
        let event = "test:\(name)"
        let report = try await publisher.emitToNamespace("main", event: event, rooms: nil, data: .object(payload))
        io.monitoring.testEventSent(event, data)
        var answer: JSONObject = [
            "success": true, "eventName": .string(event), "data": .object(payload),
            "recipients": report?.receipt.map { .int($0.receivers) } ?? .null,
        ]
        answer["delivery"] = report.map { .string($0.delivery.rawValue) }
        return .json(Self.answer(.object(answer), missing: report?.receipt?.missing ?? ["cluster"]))
    }

    private static func isOfTestName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension ConsoleRequest {
    /// What was asked for, such as `POST /io/reset-stats`.
    private var action: String {
        "\(self.route.method.rawValue) /\(self.route.pattern.map(\.string).joined(separator: "/"))"
    }

    /// Answers a request that changes something, and notes who has asked for it and what came of it.
    func audited(
        _ io: IO,
        details: JSONObject? = nil,
        _ body: () async throws -> ConsoleAnswer
    ) async throws -> ConsoleAnswer {
        func note(_ result: String) {
            io.monitoring.audit(
                AuditRecord(
                    actor: self.token?.name,
                    address: self.address?.ipAddress,
                    action: self.action,
                    target: self.values.isEmpty ? nil : self.values.joined(separator: ", "),
                    result: result,
                    details: details
                )
            )
        }
        do {
            let answer = try await body()
            note("done")
            return answer
        } catch {
            note(APIError(error).code)
            throw error
        }
    }
}
