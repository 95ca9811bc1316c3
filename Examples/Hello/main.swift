// Examples/Hello/main.swift
import SocketIOServer

struct Message: Codable, Sendable {
    var from: String
    var text: String
}

let io = SocketServer(configuration: .init(host: "127.0.0.1", port: 3000))

io.sockets.onConnection { socket in
    socket.join("lobby")
    socket.on("message") { (text: String) -> Bool in
        io.sockets.to("lobby").emit("message", Message(from: socket.id.description, text: text))
        return true
    }
}

try await io.run()
