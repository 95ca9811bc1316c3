import EngineIO
import Gateway
import NIOCore
import NIOHTTP1
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What a route answers, before it is written.
struct JSONAnswer: Sendable {
    var status = 200
    var value: JSONValue

    /// The answer, with the word that the request's `eventId` is remembered by this node alone.
    func remembered() -> JSONAnswer {
        guard case .object(var object) = self.value else { return self }
        object["eventIdScope"] = "node"
        return JSONAnswer(status: self.status, value: .object(object))
    }
}

/// A list that is an answer: `{"sockets": [...]}`, written one element after the other.
struct AnswerList: Sendable {
    var name: String
    var elements: [SocketInfo]

    func value(of element: SocketInfo) -> JSONValue { element.value }
}

/// What became of what a request asked for.
struct VerbResult: Sendable {
    /// `false`: there is no such socket, or it could not be done.
    var success = true
    /// What was sent; `nil`: nothing.
    var report: PublishReport?
    /// Further members of the answer.
    var details: JSONObject = [:]

    /// Whether a repeated request would publish twice.
    var hasPublished: Bool { self.success && self.report?.delivery != nil && self.report?.delivery != .nobody }

    /// `{success, delivery?, receipt?, …}`; 202 for what waits.
    var answer: JSONAnswer {
        var object: JSONObject = ["success": .bool(self.success)]
        if let report = self.report {
            object["delivery"] = .string(report.delivery.rawValue)
            object["receipt"] = report.receipt?.value
        }
        for (name, value) in self.details { object[name] = value }
        return JSONAnswer(status: self.report?.delivery == .queued ? 202 : 200, value: .object(object))
    }
}

extension PublishReceipt {
    /// `{receivers, nodes, missing}`.
    var value: JSONValue {
        [
            "receivers": .int(self.receivers), "nodes": .int(self.nodes),
            "missing": .array(self.missing.map { .string($0) }),
        ]
    }
}

extension PublishAPI.Answer {
    init(_ error: PublishError) {
        var bytes = ByteBuffer()
        bytes.writeJSON(error.body)
        self.init(status: Int(error.status.code), headers: error.headers, body: AnswerBody(uncounted: bytes))
    }

    /// Status line and fields, with the empty line behind them; those of an answer to HEAD are the same.
    func http(isKeptAlive: Bool, now: Int) -> ByteBuffer {
        var head = ByteBuffer()
        let status = HTTPResponseStatus(statusCode: self.status)
        head.writeString("HTTP/1.1 \(self.status) \(status.reasonPhrase)\r\n")
        head.writeString("Date: \(HTTPDate.string(fromSeconds: now))\r\n")
        head.writeString("Content-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n")
        for (name, value) in self.headers { head.writeString("\(name): \(value)\r\n") }
        head.writeString("Content-Length: \(self.body.bytes.readableBytes)\r\n")
        if !isKeptAlive { head.writeString("Connection: close\r\n") }
        head.writeString("\r\n")
        return head
    }
}
