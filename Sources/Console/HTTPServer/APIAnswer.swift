import EngineIO
import NIOCore
import NIOHTTP1
import SocketIOWire

/// An answer, before it is written as HTTP.
struct APIAnswer: Sendable {
    static let json = "application/json; charset=utf-8"

    var status: Int
    var contentType = Self.json
    var headers: [(name: String, value: String)] = []
    var body: AnswerBody
    /// What follows without an end, instead of the body.
    var stream: AnswerStream?
}

extension APIAnswer {
    init(_ error: APIError) {
        var bytes = ByteBuffer()
        bytes.writeJSON(error.body)
        self.init(status: Int(error.status.code), headers: error.headers, body: AnswerBody(uncounted: bytes))
    }

    /// The status line and the fields, with the empty line behind them.
    ///
    /// An answer to HEAD has the same ones.
    func http(isKeptAlive: Bool, now: Int) -> ByteBuffer {
        var head = ByteBuffer()
        let status = HTTPResponseStatus(statusCode: self.status)
        head.writeString("HTTP/1.1 \(self.status) \(status.reasonPhrase)\r\n")
        head.writeString("Date: \(HTTPDate.string(fromSeconds: now))\r\n")
        head.writeString("Content-Type: \(self.contentType)\r\nCache-Control: no-store\r\n")
        for (name, value) in self.headers { head.writeString("\(name): \(value)\r\n") }
        // The end of a stream is that of the connection.
        if self.stream == nil { head.writeString("Content-Length: \(self.body.bytes.readableBytes)\r\n") }
        if !isKeptAlive { head.writeString("Connection: close\r\n") }
        head.writeString("\r\n")
        return head
    }
}
