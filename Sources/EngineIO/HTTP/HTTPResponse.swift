import NIOCore
import SocketIOWire

/// The part of an answer to an HTTP request that does not depend on the connection.
enum HTTPResponse: Sendable {
    /// A polling GET's packets.
    case payload(PollingAnswer)
    /// The same for a single packet that is sent unchanged: a text without attachments.
    case packet(EncodedPacket)
    /// A polling POST was accepted.
    case ok
    /// A refused request, as JSON.
    case error(HandshakeError)
    /// Only a status.
    case empty(status: Int)
    /// The answer to a CORS preflight request.
    case preflight(status: Int)
    /// The answer for a path that is not the engine's.
    case foreign(HTTPAnswer)

    var status: Int {
        switch self {
        case .payload, .packet, .ok: 200
        case .error(let error): error.status
        case .empty(let status), .preflight(let status): status
        case .foreign(let answer): answer.status
        }
    }

    /// Whether header hooks apply.
    var isPolling: Bool {
        switch self {
        case .payload, .packet, .ok: true
        case .error, .empty, .preflight, .foreign: false
        }
    }
}

extension PollingAnswer {
    /// Prepares the body for sending: wraps it in a call of the JSON-P function, and compresses it.
    ///
    /// - Parameters:
    ///   - compression: The streams of the loop; `nil` if bodies are not compressed.
    ///   - acceptedEncodings: The request's `Accept-Encoding`.
    mutating func finish(_ compression: LoopCompression?, acceptedEncodings: String?) {
        if let callback = self.callback {
            var call = ByteBuffer()
            call.writeCallback(callback, argument: self.body)
            self.body = call
        }
        guard self.isCompressible, let compression, let acceptedEncodings,
            let (body, encoding) = compression.compress(self.body, accepting: acceptedEncodings)
        else { return }
        self.body = body
        self.encoding = encoding
    }
}

/// The part of an answer that depends on its request and connection.
struct HTTPResponseContext {
    var isHead = false
    var isKeptAlive = true
    var keepAliveSeconds = 5
    /// The CORS fields.
    ///
    /// They come before all others.
    var firstFields: [HTTPField] = []
    /// The fields that hooks add.
    var lastFields: [HTTPField] = []
    /// Whether the user agent is an old Internet Explorer.
    var needsXSSProtectionOff = false
}

extension ByteWriter {
    /// Writes an answer.
    ///
    /// Its fields have the order and case of the reference implementation.
    ///
    /// If the reference implementation answers in chunks, this writes `Content-Length` in the same place.
    mutating func writeHTTPResponse(_ response: HTTPResponse, _ context: HTTPResponseContext, date: ByteBuffer) {
        self.writeStaticString("HTTP/1.1 ")
        self.writeDecimal(response.status)
        self.writeStaticString(" ")
        self.writeStaticString(HTTPStatusText.text(of: response.status))
        self.writeStaticString("\r\n")
        for field in context.firstFields { self.writeHTTPField(field) }
        var lateLength: Int?
        var body = ByteBuffer()
        switch response {
        case .payload(let answer):
            body = answer.body
            if answer.isBinary {
                self.writeStaticString("Content-Type: application/octet-stream\r\n")
            } else {
                self.writeStaticString("Content-Type: text/plain; charset=UTF-8\r\n")
            }
            if let encoding = answer.encoding { self.writeString("Content-Encoding: \(encoding.rawValue)\r\n") }
            self.writePollingFields(length: body.readableBytes, context, cookie: answer.cookie)
        case .packet(let packet):
            self.writeStaticString("Content-Type: text/plain; charset=UTF-8\r\n")
            self.writePollingFields(length: packet.textLength, context, cookie: nil)
        case .ok:
            self.writeStaticString("Content-Type: text/html\r\n")
            self.writePollingFields(length: 2, context, cookie: nil)
        case .error(let error):
            body.writeErrorBody(error)
            self.writeStaticString("Content-Type: application/json\r\n")
            lateLength = body.readableBytes
        case .empty:
            lateLength = 0
        case .preflight:
            self.writeStaticString("Content-Length: 0\r\n")
        case .foreign(let answer):
            body = answer.body
            for field in answer.headers { self.writeHTTPField(field) }
            lateLength = body.readableBytes
        }
        for field in context.lastFields { self.writeHTTPField(field) }
        self.writeImmutableBuffer(date)
        if context.isKeptAlive {
            self.writeStaticString("Connection: keep-alive\r\nKeep-Alive: timeout=")
            self.writeDecimal(context.keepAliveSeconds)
            self.writeStaticString("\r\n")
        } else {
            self.writeStaticString("Connection: close\r\n")
        }
        if let lateLength, !context.isHead {
            self.writeStaticString("Content-Length: ")
            self.writeDecimal(lateLength)
            self.writeStaticString("\r\n")
        }
        self.writeStaticString("\r\n")
        guard !context.isHead else { return }
        switch response {
        case .packet(let packet): self.writeText(of: packet)
        case .ok: self.writeStaticString("ok")
        case .payload, .error, .empty, .preflight, .foreign: self.writeImmutableBuffer(body)
        }
    }

    private mutating func writePollingFields(length: Int, _ context: HTTPResponseContext, cookie: String?) {
        self.writeStaticString("Content-Length: ")
        self.writeDecimal(length)
        self.writeStaticString("\r\n")
        if context.needsXSSProtectionOff { self.writeStaticString("X-XSS-Protection: 0\r\n") }
        self.writeStaticString("cache-control: no-store\r\n")
        if let cookie { self.writeHTTPField(HTTPField("Set-Cookie", cookie)) }
    }

    /// Writes a field, unless it would end the head or begin another field.
    private mutating func writeHTTPField(_ field: HTTPField) {
        guard field.isWritable else { return }
        self.writeString(field.name)
        self.writeStaticString(": ")
        if field.value.utf8.contains(where: { $0 >= 0x80 }), let latin1 = field.value.latin1 {
            latin1.withUnsafeBytes { self.writeBytes($0) }
        } else {
            self.writeString(field.value)
        }
        self.writeStaticString("\r\n")
    }
}

extension ByteBuffer {
    /// Writes a field, unless it would end the head or begin another field.
    mutating func writeHTTPField(_ field: HTTPField) {
        guard field.isWritable else { return }
        self.writeString(field.name)
        self.writeStaticString(": ")
        if field.value.utf8.contains(where: { $0 >= 0x80 }), let latin1 = field.value.latin1 {
            self.writeBytes(latin1)
        } else {
            self.writeString(field.value)
        }
        self.writeStaticString("\r\n")
    }

    /// `___eio[0]("…");` with the payload as a JavaScript string.
    fileprivate mutating func writeCallback(_ index: String, argument: ByteBuffer) {
        self.writeString("___eio[\(index)](")
        // In older JavaScript both are line ends, but not in JSON.
        var literal = ByteBuffer()
        literal.writeJSONString(String(buffer: argument))
        var text = String(buffer: literal)
        if text.unicodeScalars.contains(where: { $0 == "\u{2028}" || $0 == "\u{2029}" }) {
            text = text.unicodeScalars.map {
                $0 == "\u{2028}" ? "\\u2028" : $0 == "\u{2029}" ? "\\u2029" : String($0)
            }.joined()
        }
        self.writeString(text)
        self.writeStaticString(");")
    }

    fileprivate mutating func writeErrorBody(_ error: HandshakeError) {
        self.writeStaticString(#"{"code":"#)
        self.writeString(String(error.code.rawValue))
        self.writeStaticString(#","message":"#)
        self.writeJSONString(error.clientMessage)
        self.writeStaticString("}")
    }

    /// Writes the last answer on a connection for which there is no room.
    mutating func writeCapacityRefusal(_ error: HandshakeError, isHead: Bool) {
        var body = ByteBuffer()
        body.writeErrorBody(error)
        self.writeStaticString("HTTP/1.1 ")
        self.writeString(String(error.status))
        self.writeStaticString(" ")
        self.writeStaticString(HTTPStatusText.text(of: error.status))
        self.writeStaticString("\r\nContent-Type: application/json\r\n")
        self.writeString("Content-Length: \(body.readableBytes)\r\nConnection: close\r\n\r\n")
        if !isHead { self.writeImmutableBuffer(body) }
    }

    /// Writes the short last answer on a connection whose request for an upgrade was refused.
    mutating func writeUpgradeRefusal(
        status: Int = 400,
        contentTypeName: StaticString = "Content-type",
        message: String,
        field: HTTPField? = nil,
        isHead: Bool
    ) {
        self.writeStaticString("HTTP/1.1 ")
        self.writeString(String(status))
        self.writeStaticString(" ")
        self.writeStaticString(HTTPStatusText.text(of: status))
        self.writeStaticString("\r\nConnection: close\r\n")
        self.writeStaticString(contentTypeName)
        self.writeString(": text/html\r\nContent-Length: \(message.utf8.count)\r\n")
        if let field { self.writeHTTPField(field) }
        self.writeStaticString("\r\n")
        if !isHead { self.writeString(message) }
    }
}

extension String {
    /// The text's bytes in Latin-1, the encoding that Node uses for header fields; `nil` if it has other characters.
    fileprivate var latin1: [UInt8]? {
        var bytes: [UInt8] = []
        for scalar in self.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}

extension HTTPField {
    /// Whether name and value stay on their line.
    var isWritable: Bool {
        !self.name.isEmpty
            && self.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            && self.value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
    }
}

enum HTTPStatusText {
    static func text(of status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Payload Too Large"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Unknown"
        }
    }
}
