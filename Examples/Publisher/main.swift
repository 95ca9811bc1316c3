// Examples/Publisher/main.swift
import Foundation
import RESP
import SocketIOEmitter

do {
    let redis = RESPClient(configuration: try RESPConfiguration(url: "redis://127.0.0.1:6379"))
    try await redis.connect()

    let emitter = Emitter(redis)
    try emitter.to("lobby").emit("message", ["from": "the back end", "text": "hello"])

    try await emitter.flush()
    await redis.close()
} catch {
    print("Nothing was published: \(error)")
    exit(1)
}
