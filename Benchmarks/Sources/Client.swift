import CCounters
import NIOCore
import SocketIOServer
import SocketIOWire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A client that blocks and, once it is connected, allocates nothing: what is counted is the server's.
final class Client {
    private let descriptor: CInt
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 8)

    init(port: Int) {
        self.descriptor = counters_connect(UInt16(port))
        expect(self.descriptor >= 0, "no connection to port \(port)")
    }

    deinit {
        close(self.descriptor)
        self.memory.deallocate()
    }

    /// A client that has joined the main namespace over a WebSocket.
    static func webSocket(port: Int) -> Client {
        let client = Client(port: port)
        client.openWebSocket()
        return client
    }

    private static let upgrade = Array(
        """
        GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r
        Host: localhost\r
        Connection: Upgrade\r
        Upgrade: websocket\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        \r\n
        """.utf8
    )
    private static let connect = Frame("40")

    func openWebSocket() {
        self.send(Self.upgrade)
        // The answer is 129 bytes; byte by byte, as the first frame follows it at once.
        var end: UInt32 = 0
        while end != 0x0D0A_0D0A {
            self.receive(1)
            end = end << 8 | UInt32(self.memory[0])
        }
        self.receiveFrame()
        self.send(Self.connect.bytes)
        self.receiveFrame()
    }

    func send(_ bytes: [UInt8]) {
        let isSent = bytes.withUnsafeBytes { counters_send(self.descriptor, $0.baseAddress, $0.count) }
        expect(isSent, "the server closed the connection")
    }

    private func receive(_ count: Int) {
        let received = counters_receive(self.descriptor, self.memory.baseAddress, count, true)
        expect(received == count, "the server sent nothing, or closed the connection")
    }

    /// Takes one WebSocket frame.
    func receiveFrame() {
        self.receive(2)
        var length = Int(self.memory[1])
        if length == 126 {
            self.receive(2)
            length = Int(self.memory[0]) << 8 | Int(self.memory[1])
        }
        self.receive(length)
    }

    /// Sends a request and takes the answer.
    func exchange(_ request: [UInt8]) {
        self.send(request)
        let length = counters_receive_http(
            self.descriptor,
            self.memory.baseAddress?.assumingMemoryBound(to: CChar.self),
            self.memory.count
        )
        expect(length > 0, "no answer")
    }

    /// The answer to a request, as text.
    func answer(_ request: String) -> String {
        self.exchange(Array(request.utf8))
        return String(cString: self.memory.baseAddress!.assumingMemoryBound(to: CChar.self))
    }
}

/// A text message, masked as a client sends it.
struct Frame {
    let bytes: [UInt8]

    init(_ text: String) {
        var frame = ByteBuffer()
        frame.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(0x1234_5678))
        self.bytes = Array(frame.readableBytesView)
    }
}
