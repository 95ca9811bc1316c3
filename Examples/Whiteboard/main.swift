// Examples/Whiteboard/main.swift: strokes as bytes, and what was drawn before for those who come later.
//
//     swift run ExampleWhiteboard        and open http://127.0.0.1:3000 in two windows
//
// A stroke is 4 bytes for its colour and width, then x and y of each point as 16-bit numbers, little-endian: bytes
// travel as they are, beside the JSON, not as text in it.
import Foundation
import SocketIOServer
import Synchronization

/// What is on the board, bounded: the oldest strokes go first.
final class Board: Sendable {
    private let strokes = Mutex<[ByteBuffer]>([])

    var all: [ByteBuffer] { self.strokes.withLock { $0 } }

    func add(_ stroke: ByteBuffer) {
        self.strokes.withLock { strokes in
            if strokes.count == 5000 { strokes.removeFirst(500) }
            strokes.append(stroke)
        }
    }

    func clear() { self.strokes.withLock { $0 = [] } }
}

let board = Board()
var configuration = SocketServerConfiguration(host: "127.0.0.1", port: 3000)
configuration.engine.maxHTTPBufferSize = 64 * 1024
// A whole board is thousands of attachments: told in packets that a client takes.
let strokesPerPacket = 10
configuration.engine.routes = { method, target in
    guard method == "GET", target == "/" else { return nil }
    return HTTPAnswer(
        status: 200,
        headers: [HTTPField("Content-Type", "text/html; charset=utf-8")],
        body: ByteBuffer(bytes: PackageResources.index_html)
    )
}
let io = SocketServer(configuration: configuration)

io.onConnection { socket in
    let strokes = board.all
    for start in stride(from: 0, to: strokes.count, by: strokesPerPacket) {
        socket.emit("strokes", Array(strokes[start..<min(start + strokesPerPacket, strokes.count)]))
    }
}

io.sockets.on("stroke") { (socket: Socket, stroke: ByteBuffer) in
    guard (8...8192).contains(stroke.readableBytes), stroke.readableBytes.isMultiple(of: 4) else {
        throw RejectedEvent("A stroke has 1 to 2047 points.")
    }
    // A slice would keep the message that it came in.
    board.add(ByteBuffer(bytes: stroke.readableBytesView))
    socket.broadcast.emit("strokes", [stroke])
}

io.sockets.on("clear") { (socket: Socket) in
    board.clear()
    io.emit("clear")
}

do {
    try await io.run { _ in print("The whiteboard is on http://127.0.0.1:3000") }
} catch {
    print("The whiteboard can't run: \(error)")
    exit(1)
}
