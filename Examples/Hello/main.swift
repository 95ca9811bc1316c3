// Examples/Hello/main.swift
import Foundation
import SocketIOServer

struct Message: Codable, Sendable {
    var from: SocketID
    var text: String
}

let io = SocketServer(configuration: .init(host: "127.0.0.1", port: 3000))

io.onConnection { socket in
    socket.join("lobby")
    socket.on("message") { (text: String) -> Bool in
        io.to("lobby").emit("message", Message(from: socket.id, text: text))
        return true
    }
}

do {
    try await io.run { _ in print("Listening on http://127.0.0.1:3000") }
} catch {
    print("The server can't run: \(error)")
    exit(1)
}
