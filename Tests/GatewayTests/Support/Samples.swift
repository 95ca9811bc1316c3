import SocketIOWire

@testable import Gateway

/// A small publishing house: articles with authors, who have secrets.
enum Samples {
    static let article = "api::article.article"
    static let author = "api::author.author"
    static let salt = "0123456789abcdef0123456789abcdef"
    static let secret = "a secret of at least thirty-two bytes, and more"

    static func scopes(_ texts: String...) -> [Scope] { texts.compactMap { Scope($0) } }

    static var contentTypes: [ContentType] {
        [
            ContentType(
                uid: Self.article,
                fields: [
                    "title": .string,
                    "notes": Field(.scalar(.text), isPrivate: true),
                    "author": Field(.relation(target: Self.author)),
                    "seo": Field(.component("shared.seo")),
                    "body": Field(.dynamicZone(["shared.quote", "shared.seo"]), isRepeatable: true),
                    "cover": Field(.media),
                    "related": Field(.morph, isRepeatable: true),
                    "settings": Field(.json),
                    "publishedAt": Field(.scalar(.datetime)),
                ],
                privateAttributes: ["internalRating"]
            ),
            ContentType(
                uid: Self.author,
                fields: [
                    "name": .string,
                    "pin": Field(.password),
                    "salary": Field(.scalar(.integer), isPrivate: true),
                    "articles": Field(.relation(target: Self.article), isRepeatable: true),
                ]
            ),
        ]
    }

    static var components: [Component] {
        [
            Component(
                uid: "shared.seo",
                fields: [
                    "description": .string, "draft": Field(.scalar(.text), isPrivate: true),
                    "reviewer": Field(.relation(target: Self.author)),
                ]
            ),
            Component(
                uid: "shared.quote",
                fields: ["text": .string, "source": Field(.scalar(.text), isPrivate: true)]
            ),
        ]
    }

    /// Public readers, members who see authors as well, editors who may do everything with articles, and tokens.
    static var configuration: GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.contentTypes = self.contentTypes
        configuration.components = self.components
        configuration.roles = [
            Role(
                type: "public",
                name: "Public",
                scopes: Self.scopes("\(article).create", "\(article).update", "\(article).delete")
            ),
            Role(
                type: "authenticated",
                name: "Authenticated",
                id: 1,
                scopes: Self.scopes("\(article).*", "\(author).find"),
                autoJoin: ["members"],
                joinPolicy: ["team-*"]
            ),
            Role(
                type: "editor",
                name: "Chief Editor",
                id: 7,
                scopes: Self.scopes("\(article).*", "\(author).find"),
                fields: [Self.author: .init(deny: ["name"])]
            ),
            Role(type: "nobody", name: "Nobody", scopes: []),
            Role(type: "banned", name: "Banned", scopes: [], canConnect: false),
        ]
        configuration.apiTokenSalt = Self.salt
        configuration.apiTokens = [
            Self.token("Full", .fullAccess), Self.token("Reader", .readOnly),
            Self.token("Custom One", .custom, scopes: Self.scopes("\(article).update")),
            Self.token("Late", .fullAccess, expiresAt: 1000),
            Self.token("Revoked", .fullAccess, isRevoked: true),
        ]
        configuration.authentication.jwt = JWTConfiguration(keys: [.init(.secret(Self.secret))])
        return configuration
    }

    static func token(
        _ name: String,
        _ kind: APIToken.Kind,
        scopes: [Scope] = [],
        expiresAt: Double? = nil,
        isRevoked: Bool = false
    ) -> APIToken {
        APIToken(
            name: name,
            kind: kind,
            hash: APIToken.hash(of: self.key(name), salt: Self.salt),
            scopes: scopes,
            expiresAt: expiresAt,
            isRevoked: isRevoked
        )
    }

    static func key(_ name: String) -> String { "key-of-\(name)" }

    static let entry: JSONValue = [
        "id": 5, "documentId": "abc", "title": "Hello", "notes": "PRIVATE", "internalRating": "PRIVATE",
        "password": "PRIVATE", "unknown": "PRIVATE",
        "author": ["id": 1, "name": "Ada", "pin": "PRIVATE", "salary": "PRIVATE", "extra": "PRIVATE"],
        "seo": [
            "id": 3, "description": "d", "draft": "PRIVATE", "reviewer": ["id": 2, "name": "Bob", "salary": "PRIVATE"],
        ],
        "body": [
            ["__component": "shared.quote", "id": 1, "text": "q", "source": "PRIVATE"],
            ["__component": "shared.unknown", "id": 2, "text": "PRIVATE"],
        ],
        "cover": ["id": 9, "url": "/a.png", "hash": "a_1", "provider_metadata": "PRIVATE"],
        "related": [
            ["__type": "api::author.author", "id": 4, "name": "Eve", "pin": "PRIVATE"],
            ["__type": "api::nothing.nothing", "id": 4, "name": "PRIVATE"],
        ],
        "settings": ["hashtags": ["a"], "tokenCount": 3, "secretary": "Ann", "deep": ["apiKey": "PRIVATE", "ok": 1]],
        "createdBy": ["id": 1, "email": "PRIVATE"], "updatedBy": ["id": 1, "email": "PRIVATE"],
    ]
}
