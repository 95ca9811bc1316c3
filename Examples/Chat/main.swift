// Examples/Chat/main.swift: rooms, names and who is typing.
//
//     swift run ExampleChat        and open http://127.0.0.1:3000 in two windows
import Foundation
import SocketIOServer

struct ChatMessage: Codable, Sendable {
    var name: String
    var text: String
}

extension Socket {
    var name: String { self.data["name"]?.stringValue ?? "somebody" }

    /// Rooms that users name have a prefix: without it, somebody could join the room of another socket's id.
    var chatRoom: Room? { self.rooms.first { UTF8Text($0.name).hasPrefix("chat:") } }

    func leaveChatRoom() {
        guard let room = self.chatRoom else { return }
        self.to(room).emit("left", self.name)
        self.leave(room)
    }
}

var configuration = SocketServerConfiguration(host: "127.0.0.1", port: 3000)
configuration.engine.routes = { method, target in
    guard method == "GET", target == "/" else { return nil }
    return HTTPAnswer(
        status: 200,
        headers: [HTTPField("Content-Type", "text/html; charset=utf-8")],
        body: ByteBuffer(bytes: PackageResources.index_html)
    )
}
let io = SocketServer(configuration: configuration)

io.use { socket in
    guard let name = socket.handshake.auth["name"]?.stringValue, (1...20).contains(name.unicodeScalars.count) else {
        throw ConnectError("A name has 1 to 20 characters.")
    }
    socket.data["name"] = .string(name)
}

// Handlers on the namespace serve every socket; what they return answers the client's acknowledgement.
io.sockets.on("join") { (socket: Socket, name: String) async throws -> [String] in
    // Scalars, and not what Swift counts as characters: one of these can be a megabyte.
    guard (1...20).contains(name.unicodeScalars.count) else {
        throw RejectedEvent("A room's name has 1 to 20 characters.")
    }
    socket.leaveChatRoom()
    let room = Room("chat:\(name)")
    socket.join(room)
    socket.to(room).emit("joined", socket.name)
    return try await io.to(room).fetchSockets().compactMap { $0.data["name"]?.stringValue }
}

io.sockets.on("message") { (socket: Socket, text: String) in
    guard let room = socket.chatRoom else { throw RejectedEvent("Join a room first.") }
    guard (1...1000).contains(text.unicodeScalars.count) else {
        throw RejectedEvent("A message has 1 to 1000 characters.")
    }
    io.to(room).emit("message", ChatMessage(name: socket.name, text: text))
}

// Nobody misses a volatile event that did not get through.
io.sockets.on("typing") { (socket: Socket, isTyping: Bool) in
    guard let room = socket.chatRoom else { return }
    socket.to(room).volatile.emit("typing", socket.name, isTyping)
}

io.sockets.onDisconnecting { socket, _ in socket.leaveChatRoom() }

do {
    try await io.run { _ in print("The chat is on http://127.0.0.1:3000") }
} catch {
    print("The chat can't run: \(error)")
    exit(1)
}
