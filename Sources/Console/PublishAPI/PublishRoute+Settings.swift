import Gateway
import NIOHTTP1
import OrderedCollections
import SocketIOWire

/// Settings that change while nodes run.
extension PublishRoute {
    static let settings: [PublishRoute] = [
        PublishRoute(
            .get,
            "io/settings",
            "settings",
            .verb { io, request in
                let status = try await Self.settings(of: io).status()
                return VerbResult(details: status.value.objectValue ?? [:], entityTag: status.entityTag)
            }
        ),
        PublishRoute(.put, "io/settings", "settings", takesAnyMember: true) { io, request in
            let settings = try Self.settings(of: io)
            guard let condition = request.admitted.ifMatch else { throw APIError.preconditionRequired }
            guard request.body.objectValue != nil else {
                throw APIError.invalidRequest("The body must be the settings, a JSON object: {\"gateway\": {…}}.")
            }
            return VerbResult(
                try await settings.replace(
                    with: request.body,
                    ifMatch: Self.entityTag(in: condition),
                    by: request.token.name
                )
            )
        },
        PublishRoute(
            .get,
            "io/settings/history",
            "settings",
            .verb { io, request in
                let history = try await Self.settings(of: io).history()
                return VerbResult(
                    details: ["versions": .array(history.map { .object($0.value(withSettings: true)) })]
                )
            }
        ),
        PublishRoute(
            .post,
            "io/settings/rollback",
            "settings",
            members: ["version"],
            .verb { io, request in
                let settings = try Self.settings(of: io)
                var version: Int?
                if let value = request.body["version"], !value.isNull {
                    guard let number = value.intValue else {
                        throw APIError.invalidRequest("'version' must be a number of GET /io/settings/history.")
                    }
                    version = number
                }
                return VerbResult(
                    try await settings.rollBack(
                        to: version,
                        ifMatch: request.admitted.ifMatch.flatMap(Self.entityTag),
                        by: request.token.name
                    )
                )
            }
        ),
        PublishRoute(
            .post,
            "io/reload",
            "settings",
            members: ["onlyHere"],
            .verb { io, request in
                VerbResult(try await Self.settings(of: io).reload(everywhere: try !request.flag("onlyHere")))
            }
        ),
    ]

    private static func settings(of publisher: Publisher) throws -> LiveSettings {
        guard let settings = publisher.io.settings else { throw APIError.noSettings }
        return settings
    }

    /// The tag of `If-Match: "…"`; `nil` for `*`, which is any.
    private static func entityTag(in condition: String) -> String? {
        var text = condition.utf8[...]
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        while let first = text.first, isSpace(first) { text = text.dropFirst() }
        while let last = text.last, isSpace(last) { text = text.dropLast() }
        if text.elementsEqual("*".utf8) { return nil }
        if text.starts(with: "W/".utf8) { text = text.dropFirst(2) }
        if text.count >= 2, text.first == UInt8(ascii: "\""), text.last == UInt8(ascii: "\"") {
            text = text.dropFirst().dropLast()
        }
        return String(Substring(text))
    }

    private init(
        _ method: RequestHead.Method,
        _ pattern: String,
        _ verb: String,
        takesAnyMember: Bool,
        _ action: @escaping Verb
    ) {
        self.init(method, pattern, verb, .verb(action))
        self.takesAnyMember = takesAnyMember
    }
}

extension VerbResult {
    /// What a change of settings has come to.
    fileprivate init(_ report: SettingsReport) {
        self.init(details: report.value.objectValue ?? [:], entityTag: report.entityTag)
    }
}

extension APIError {
    static let noSettings = Self(
        status: .notFound,
        code: "not_found",
        message: "This node follows no settings that could change while it runs."
    )

    static let preconditionRequired = Self(
        status: .preconditionRequired,
        code: "precondition_required",
        message: "This needs If-Match with the ETag of GET /io/settings, or * to replace whatever is there."
    )

    init(_ refusal: SettingsRefusal) {
        self.init(
            status: .unprocessableEntity,
            code: "invalid_settings",
            message: "Nothing was changed. \(refusal.problems.joined(separator: "; "))"
        )
    }

    init(_ error: SettingsChangeError) {
        switch error {
        case .conflict(let entityTag):
            self.init(
                status: .preconditionFailed,
                code: "conflict",
                message: error.description,
                headers: [("ETag", "\"\(entityTag)\"")]
            )
        case .unknownVersion:
            self.init(status: .notFound, code: "not_found", message: error.description)
        }
    }
}
