import NIOCore
import NIOHTTP1
import SocketIOWire

/// A request for a WebSocket, and what is known about it.
final class UpgradeRequest {
    /// Why the request is refused.
    struct Refusal: Error {
        var status = 400
        var contentTypeName: StaticString = "Content-Type"
        var message: String
        var field: HTTPField?
    }

    let head: HTTPRequestHead
    let fields: RequestFields
    let query: EngineQuery
    private let remoteAddress: SocketAddress?
    private let issued = WallClock.milliseconds()
    var transport = TransportName.websocket
    /// The polling session that it wants to join.
    var session: SessionReference?
    /// The CORS fields of the answer.
    var corsFields: [HTTPField] = []
    /// The compression that the answer agrees to.
    private(set) var compression: DeflateAgreement?
    /// The task that decides whether the session may begin.
    var decision: Task<Void, Never>?

    init(head: HTTPRequestHead, fields: RequestFields, remoteAddress: SocketAddress?) {
        self.head = head
        self.fields = fields
        self.query = EngineQuery(target: head.uri)
        self.remoteAddress = remoteAddress
    }

    /// The request in the form that the session keeps.
    private(set) lazy var handshake = HandshakeRequest(
        head: self.head,
        remoteAddress: self.remoteAddress,
        issued: self.issued
    )

    /// Checks the WebSocket handshake (RFC 6455, section 4.2.1).
    ///
    /// - Returns: The answer that opens the WebSocket.
    func accept(_ configuration: EngineConfiguration) -> Result<ByteBuffer, Refusal> {
        guard self.head.method == .GET else {
            return .failure(Refusal(status: 405, message: "Invalid HTTP method"))
        }
        let headers = self.head.headers
        guard let key = headers.field("sec-websocket-key"), key.withBytes(Self.isValidKey) else {
            return .failure(Refusal(message: "Missing or invalid Sec-WebSocket-Key header"))
        }
        guard let version = headers.field("sec-websocket-version"),
            version.withBytes({ $0.equals("13") || $0.equals("8") })
        else {
            return .failure(
                Refusal(
                    message: "Missing or invalid Sec-WebSocket-Version header",
                    field: HTTPField("Sec-WebSocket-Version", "13, 8")
                )
            )
        }
        var subprotocol: String?
        if let offered = headers.field("sec-websocket-protocol") {
            guard let first = offered.withBytes(Self.firstSubprotocol) else {
                return .failure(Refusal(message: "Invalid Sec-WebSocket-Protocol header"))
            }
            subprotocol = first
        }
        if let deflate = configuration.perMessageDeflate {
            switch DeflateAgreement.negotiate(headers.field("sec-websocket-extensions"), deflate) {
            case .agreed(let agreement): self.compression = agreement
            case .none: break
            case .refused:
                return .failure(Refusal(message: "Invalid or unacceptable Sec-WebSocket-Extensions header"))
            }
        }
        return .success(self.answer(key: key, subprotocol: subprotocol, configuration))
    }

    private func answer(key: String, subprotocol: String?, _ configuration: EngineConfiguration) -> ByteBuffer {
        var answer = ByteBufferAllocator().buffer(capacity: 512)
        answer.writeStaticString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        answer.writeStaticString("Connection: Upgrade\r\nSec-WebSocket-Accept: ")
        answer.writeBase64Encoded(Self.digest(of: key))
        answer.writeStaticString("\r\n")
        if let subprotocol { answer.writeHTTPField(HTTPField("Sec-WebSocket-Protocol", subprotocol)) }
        if let compression = self.compression {
            answer.writeHTTPField(HTTPField("Sec-WebSocket-Extensions", compression.headerValue))
        }
        for field in self.corsFields { answer.writeHTTPField(field) }
        if configuration.initialHeaders != nil || configuration.headers != nil {
            var added: [HTTPField] = []
            if self.session == nil { configuration.initialHeaders?(&added, self.handshake) }
            configuration.headers?(&added, self.handshake)
            for field in added { answer.writeHTTPField(field) }
        }
        answer.writeStaticString("\r\n")
        return answer
    }

    private static func digest(of key: String) -> ByteBuffer {
        let suffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return key.withBytes { key in
            suffix.withUTF8Buffer { SHA1.digest(of: key, $0) }
        }
    }

    /// 22 characters of base64 and `==`.
    private static func isValidKey(_ key: Bytes) -> Bool {
        guard key.count == 24, key.part(22..<24).equals("==") else { return false }
        return key.part(0..<22).allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                true
            default:
                false
            }
        }
    }

    /// The most items.
    ///
    /// No honest list has more.
    private static let maximumSubprotocols = 64

    /// The first of a list of distinct tokens; `nil` if the text is no such list.
    private static func firstSubprotocol(in list: Bytes) -> String? {
        var names: [[UInt8]] = []
        var isList = true
        list.split(at: UInt8(ascii: ",")) { item in
            let name = Array(item.trimmed)
            isList =
                !name.isEmpty && name.allSatisfy(\.isTokenCharacter) && !names.contains(name)
                && names.count < Self.maximumSubprotocols
            names.append(name)
            return isList
        }
        return isList ? names.first.map { String(decoding: $0, as: UTF8.self) } : nil
    }
}
