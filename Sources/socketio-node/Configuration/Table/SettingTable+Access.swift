import Foundation
import Gateway

/// What users and machines may do.
extension SettingTable {
    static let roles = SettingDeclaration<NodeConfiguration>.map(
        "roles",
        \.gateway.declaredRoles,
        named: .slug,
        SettingEntry(Self.role, make: { Role(type: $0) }),
        .live,
        """
        What users may do, by role. The roles `public` (for clients without credentials) and `authenticated` always exist.
        """,
        example: """
            roles:
              public:
                scopes: ["api::article.article.find", "api::article.article.create"]
              editor:
                name: Editor
                scopes: ["api::article.article.*", "api::author.author.find"]
                autoJoin: [newsroom]
                joinPolicy: ["chat-*"]
            """
    )

    private static let role: [SettingDeclaration<Role>] = [
        .value(
            "name",
            .text(.nonEmpty),
            \.name,
            .live,
            "The name of the role, for people. If missing: the key itself.",
            literal: { _ in nil },
            value: { $0.text }
        ),
        .value(
            "id",
            .text(.nonEmpty),
            \.id,
            .live,
            "The id of the role in the system that issues the tokens, if tokens carry it.",
            literal: { _ in nil },
            value: { $0.text.map { text in .some(Int(text).map { EntityID.int($0) } ?? EntityID.string(text)) } }
        ),
        .list(
            "scopes",
            \.scopes,
            .text(.scope),
            .live,
            """
            What the role may do: <uid>.<action>, <uid>.*, *.<action> or *. Users need <uid>.create to receive article:create, \
            and <uid>.find of a related type to see the relation.
            """,
            text: { $0.description },
            element: { Scope($0) }
        ),
        .bool("canConnect", \.canConnect, .live, "Whether clients with this role may connect."),
        .texts(
            "autoJoin",
            \.autoJoin,
            .room,
            .live,
            "The rooms that the server puts clients with this role into."
        ),
        .texts(
            "joinPolicy",
            \.joinPolicy,
            .room,
            .live,
            """
            The rooms that clients with this role may join by themselves; * stands for any characters. Nothing else opens a \
            room.
            """
        ),
        .texts(
            "statePolicy",
            \.statePolicy,
            .room,
            .live,
            """
            The keys of a room's state that clients with this role may change. own: `user:<id>` and the id of the socket; \
            anything else is a pattern in which * stands for any characters.
            """
        ),
        .dictionary(
            "fields",
            \.fields,
            named: .nonEmpty,
            SettingEntry<Role.FieldRule>(
                [
                    .optionalSet(
                        "allow",
                        \.allow,
                        .text(.fieldName),
                        .live,
                        "The only fields that the role sees. If missing: all."
                    ),
                    .set("deny", \.deny, .fieldName, .live, "Fields that the role does not see."),
                ],
                make: { _ in Role.FieldRule() }
            ),
            .live,
            "Which fields the role sees, by the uid of a content type or component.",
            element: { $0 }
        ),
    ]

    static let apiTokens = SettingDeclaration<NodeConfiguration>.map(
        "apiTokens",
        \.gateway.apiTokens,
        named: .slug,
        SettingEntry(Self.apiToken, make: { APIToken(name: $0, kind: .custom, hash: "") }),
        .live,
        """
        Tokens of machines, by name: for clients (`auth: {strategy: "api-token", token}`) and the publish API. \
        `socketio-node token create` makes one.
        """,
        example: """
            apiTokens:
              backend:
                hash: "0f…"
                scopes: [io.emit, io.raw]
                expiresAt: 2030-12-31
            """
    )

    private static let apiToken: [SettingDeclaration<APIToken>] = [
        .choice(
            "type",
            \.kind,
            .live,
            """
            read-only: the token receives everything; full-access: it may do everything; custom: it may do what its scopes say.
            """
        ),
        .text("hash", \.hash, .tokenHash, .live, "What `socketio-node token hash` prints.").required,
        .list(
            "scopes",
            \.scopes,
            .text(.scope),
            .live,
            """
            What the token may do: scopes as for roles, and for the publish API \
            \(Scope.verbs.map { "io.\($0)" }.joined(separator: ", ")). io.sockets alone lets sockets join ordinary rooms; \
            rooms of roles, tokens, users and entities need io.audiences as well.
            """,
            text: { $0.description },
            element: { Scope($0) }
        ),
        .value(
            "expiresAt",
            .text(.date),
            \.expiresAt,
            .live,
            "When the token expires. If missing: never.",
            literal: { _ in nil },
            value: { $0.text.flatMap { TextRule.parseDate($0) }.map { .some($0.timeIntervalSince1970) } }
        ),
        .bool("revoked", \.isRevoked, .live, "Whether the token is refused."),
        .optionalText("tenant", \.tenant, .nonEmpty, .live, "The tenant that the token belongs to, for limits."),
    ]
}
