import Gateway
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Names and ids that back ends and clients choose, made of accents in disorder: Swift's own comparison of texts puts
/// them in order first, which takes the square of their number.
let gatewayWork: [LinearWork] = [
    .event("field-names") { texts in
        let fixed: JSONObject = ["id": 1, "settings": .object(members(texts))]
        return .object(fixed.merging(members(texts)) { first, _ in first })
    },
    .event("types-of-entries") { texts in
        [
            "id": 1, "related": .array(texts.map { ["__type": .string($0.string)] }),
            "body": .array(texts.map { ["__component": .string($0.string)] }),
        ]
    },
    .event("owners") { texts in
        .array(texts.map { ["id": 1, "owner": .array([.string($0.string), ["id": .string($0.string)]])] })
    },
    LinearWork(name: "linear.gateway-content-types") { size in
        let gateway = try await makeGateway()
        let texts = accents(size)
        return {
            for text in texts {
                let event = LifecycleEvent(event: "update", schema: SchemaReference(uid: text.string), data: 1)
                use(try? gateway.emit(event))
                use(RoomName.slug(text.string))
            }
        }
    },
]

/// Four texts that differ at their ends.
private func accents(_ size: Int) -> [UTF8Text] {
    let half = size / 16
    let text = "a" + String(repeating: "\u{301}", count: half) + String(repeating: "\u{323}", count: half)
    return ["w", "x", "y", "z"].map { UTF8Text(text + $0) }
}

private func members(_ texts: [UTF8Text]) -> JSONObject {
    var object = JSONObject()
    for text in texts { object[text] = 1 }
    return object
}

private func makeGateway() async throws -> IO {
    var configuration = GatewayConfiguration()
    configuration.contentTypes = [
        ContentType(
            uid: "api::article.article",
            fields: [
                "settings": Field(.json), "related": Field(.morph, isRepeatable: true),
                "body": Field(.dynamicZone(["shared.text"]), isRepeatable: true),
            ],
            unknownFields: .keep,
            ownerField: "owner"
        )
    ]
    configuration.components = [Component(uid: "shared.text", fields: ["text": .string])]
    configuration.roles[0].scopes = [.all]
    return try await IO.install(on: SocketServer(), configuration: configuration)
}

extension LinearWork {
    /// Works an event out for everybody, which nobody receives.
    fileprivate static func event(
        _ name: String,
        _ data: @escaping @Sendable ([UTF8Text]) -> JSONValue
    ) -> LinearWork {
        // Beyond the lengths at which ids are shortened: a step there looks like growth.
        LinearWork(name: "linear.gateway-\(name)", size: 80_000) { size in
            let gateway = try await makeGateway()
            let event = LifecycleEvent(event: "update", schema: "api::article.article", data: data(accents(size)))
            return { use(try? gateway.emit(event)) }
        }
    }
}
