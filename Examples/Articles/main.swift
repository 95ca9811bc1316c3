// Examples/Articles/main.swift
import Foundation
import Gateway
import SocketIOServer

var configuration = GatewayConfiguration()
configuration.contentTypes = [
    ContentType(
        uid: "api::article.article",
        fields: ["title": .string, "price": .integer, "draftNotes": Field(.text, isPrivate: true)]
    )
]
configuration.roles = [
    // Clients without a token. They don't see the price, and nobody sees the private notes.
    Role(
        type: "public",
        scopes: [Scope("api::article.article.create")!],
        fields: ["api::article.article": Role.FieldRule(deny: ["price"])]
    ),
    // Users whose token names no other role. `*` stands for every action.
    Role(type: "authenticated", scopes: [Scope("api::article.article.*")!]),
]
// Users bring a JSON Web Token with the claims `id` and `role`: io(url, {auth: {token}}).
configuration.authentication.jwt = JWTConfiguration(keys: [.init(.secret("a secret of at least thirty-two bytes"))])

do {
    let server = SocketServer(configuration: .init(host: "127.0.0.1", port: 3000))
    let gateway = try await IO.install(on: server, configuration: configuration)

    // A back end in the same process: every client gets `article:create` with the fields that its role may see.
    server.on("publish") { (socket: Socket, title: String) -> String in
        let report = try gateway.emit(
            event: "create",
            schema: "api::article.article",
            data: ["id": 1, "title": .string(title), "price": 5, "draftNotes": "for editors"]
        )
        return report.outcome.rawValue
    }

    try await server.run { _ in print("Listening on http://127.0.0.1:3000") }
} catch {
    print("The gateway can't run: \(error)")
    exit(1)
}
