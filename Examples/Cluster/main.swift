// Examples/Cluster/main.swift
import Foundation
import RESP
import RedisAdapters
import SocketIOServer

do {
    let redis = RESPClient(configuration: try RESPConfiguration(url: "redis://127.0.0.1:6379"))
    try await redis.connect()
    let io = SocketServer(adapter: PubSubAdapterFactory(client: redis))

    io.onConnection { socket in
        socket.join("lobby")
    }
    // Another namespace of the same connection, which asks for a secret.
    io.of("/chat").use { socket in
        guard socket.handshake.auth["token"] == "secret" else {
            throw ConnectError("unauthorized", data: ["retry": false])
        }
    }

    try await io.run { _ in print("Listening on http://127.0.0.1:3000") }
} catch {
    // A sentence that says what is wrong: no Redis there, or a port that somebody else has.
    print("The server can't run: \(error)")
    exit(1)
}
