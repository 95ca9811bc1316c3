// Examples/Cluster/main.swift
import RESP
import RedisAdapters
import SocketIOServer

let redis = RESPClient(configuration: try RESPConfiguration(url: "redis://127.0.0.1:6379"))
try await redis.connect()
let io = SocketServer(adapter: PubSubAdapterFactory(client: redis))

io.of("/chat").use { socket in
    guard socket.handshake.auth["token"] == "secret" else {
        throw ConnectError("unauthorized", data: ["retry": false])
    }
}

try await io.run()
