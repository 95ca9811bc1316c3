import Gateway

/// The gateway's settings.
extension SettingTable {
    static let gateway: [SettingField] = [
        SettingField(
            "contentTypes",
            .map(.contentTypeUID, .record(Self.contentType)),
            default: "{}",
            "What back ends publish events about, by uid, and which fields clients may see. \"*\" stands for every other type.",
            example: """
                contentTypes:
                  api::article.article:
                    fields:
                      title: string
                      draftNotes: {type: text, private: true}
                      author: {type: relation, target: "api::author.author"}
                      seo: {type: component, component: shared.seo}
                  api::author.author:
                    fields:
                      name: string
                      email: {type: email, private: true}
                """
        ),
        SettingField(
            "components",
            .map(.componentName, .record(Self.component)),
            default: "{}",
            "Groups of fields that content types share, by uid.",
            example: """
                components:
                  shared.seo:
                    fields:
                      metaTitle: string
                """
        ),
        SettingField(
            "roles",
            .map(.slug, .record(Self.role)),
            default: "{}",
            "What users may do, by role. The roles `public` (for clients without credentials) and `authenticated` always exist.",
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
        ),
        SettingField("authentication", .record(Self.authentication), "How clients prove who they are."),
        SettingField(
            "apiTokenSalt",
            .secret(.salt),
            "The key with which API tokens are hashed; the same on every node."
        ),
        SettingField(
            "apiTokens",
            .map(.slug, .record(Self.apiToken)),
            default: "{}",
            "Tokens of machines, by name: for clients (`auth: {strategy: \"api-token\", token}`) and the publish API. "
                + "`socketio-node token create` makes one.",
            example: """
                apiTokens:
                  backend:
                    hash: "0f…"
                    scopes: [io.emit, io.raw]
                    expiresAt: 2030-12-31
                """
        ),
        SettingField("security", .record(Self.security), "Which clients may connect at all."),
        SettingField("events", .record(Self.events), "What events look like, and who receives them."),
        SettingField("rooms", .record(Self.rooms), "The rooms that clients join by themselves, and private messages."),
        SettingField("entitySubscriptions", .record(Self.subscriptions), "How clients follow single entities."),
        SettingField(
            "limits",
            .record(Self.limits),
            "How often one client may ask for what costs the cluster work. A client that asks too often is answered "
                + "`Rate limit exceeded`, with the milliseconds to wait in `retryAfter`."
        ),
        SettingField(
            "namespaces",
            .map(.namespaceName, .record(Self.namespace)),
            default: "{}",
            "The namespaces besides the main one, by name without the slash.",
            example: """
                namespaces:
                  admin:
                    requireAuth: true
                """
        ),
        SettingField(
            "clusterTimeout",
            .duration(10...600_000),
            default: "5s",
            "How long this node waits for the answers of the other nodes before it gives up."
        ),
    ]

    private static let fields = SettingKind.map(.fieldName, .shorthand(member: "type", Self.field))

    private static let field: [SettingField] = [
        SettingField("type", .choice(Field.typeNames), required: true, "The field's type; a password is never sent."),
        SettingField("private", .bool, default: "false", "Whether the field never leaves the gateway."),
        SettingField(
            "target",
            .text(.uid),
            "The content type of a relation. Without it, each element names its own in `__type`."
        ),
        SettingField("component", .text(.componentName), "The component that a field of type `component` holds."),
        SettingField(
            "components",
            .list(.text(.componentName)),
            default: "[]",
            "The components that a dynamic zone may hold."
        ),
        SettingField("repeatable", .bool, default: "false", "Whether the value is a list."),
    ]

    private static let unknownFields = SettingField(
        "unknownFields",
        .choice(["auto", "keep", "drop"]),
        default: "auto",
        "What happens to fields that are not declared. auto: they are dropped, unless no field is declared at all."
    )

    private static let component: [SettingField] = [
        SettingField("fields", Self.fields, required: true, "The fields, written as for content types."),
        Self.unknownFields,
    ]

    private static let contentType: [SettingField] = [
        SettingField("fields", Self.fields, default: "{}", "The fields: `name: type`, or `name: {type: …}` with:"),
        Self.unknownFields,
        SettingField(
            "privateAttributes",
            .list(.text(.fieldName)),
            default: "[]",
            "More fields that never leave the gateway."
        ),
        SettingField(
            "singularName",
            .text(.nonEmpty),
            "The first part of event names, as in `article:create`. If missing: what follows the last dot of the uid."
        ),
        SettingField("pluralName", .text(.nonEmpty), "The plural, for people."),
        SettingField("displayName", .text(.nonEmpty), "The name, for people."),
        SettingField("eventPrefix", .text(.nonEmpty), "Replaces the singular name in event names."),
        SettingField(
            "kind",
            .choice(["collection", "single"]),
            default: "collection",
            "Whether there are many entities of this type, or one."
        ),
        SettingField(
            "actions",
            .list(.text(.action)),
            default: "[create, update, delete]",
            "Which of the events create, update and delete are sent; \"*\": all. Events of other names are always sent."
        ),
        SettingField(
            "populate",
            .scalarOr(.choice(["*", "none"]), .listOrTree),
            "Which relations stay in an event: \"*\", none, a list of paths (author.company), or a map of relations to "
                + "true or {fields: [...], populate: ...}. If missing, all relations stay that the publisher sent."
        ),
        SettingField("populateCreatorFields", .bool, default: "false", "Whether createdBy and updatedBy are sent."),
        SettingField(
            "draftAndPublish",
            .bool,
            default: "false",
            "Whether entities have drafts: an entity is one while its `publishedAt` is empty or missing."
        ),
        SettingField(
            "idFields",
            .list(.text(.fieldName)),
            default: "[documentId, id]",
            "The fields that hold an entity's ids. Clients subscribe to an entity by the value of one of them. Name exactly those "
                + "that events carry."
        ),
        SettingField(
            "ownerField",
            .text(.fieldName),
            "The field with the user id of the owner, or of several. Only owners, and those with a scope such as "
                + "<uid>.update:any or <uid>.*:any, get events about the entity and may follow it."
        ),
        SettingField(
            "delivery",
            .choice(["roles", "entity"]),
            default: "roles",
            "Who gets the events. roles: everybody whose role permits it; entity: only those of them who subscribed to the entity."
        ),
    ]

    private static let role: [SettingField] = [
        SettingField("name", .text(.nonEmpty), "The name of the role, for people. If missing: the key itself."),
        SettingField(
            "id",
            .text(.nonEmpty),
            "The id of the role in the system that issues the tokens, if tokens carry it."
        ),
        SettingField(
            "scopes",
            .list(.text(.scope)),
            default: "[]",
            "What the role may do: <uid>.<action>, <uid>.*, *.<action> or *. Users need <uid>.create to receive "
                + "article:create, and <uid>.find of a related type to see the relation."
        ),
        SettingField("canConnect", .bool, default: "true", "Whether clients with this role may connect."),
        SettingField(
            "autoJoin",
            .list(.text(.room)),
            default: "[]",
            "The rooms that the server puts clients with this role into."
        ),
        SettingField(
            "joinPolicy",
            .list(.text(.room)),
            default: "[]",
            "The rooms that clients with this role may join by themselves; * stands for any characters. Nothing else opens "
                + "a room."
        ),
        SettingField(
            "fields",
            .map(.nonEmpty, .record(Self.fieldRule)),
            default: "{}",
            "Which fields the role sees, by the uid of a content type or component."
        ),
    ]

    private static let fieldRule: [SettingField] = [
        SettingField("allow", .list(.text(.fieldName)), "The only fields that the role sees. If missing: all."),
        SettingField("deny", .list(.text(.fieldName)), default: "[]", "Fields that the role does not see."),
    ]

    private static let authentication: [SettingField] = [
        SettingField(
            "mode",
            .choice(["handshake", "event"]),
            default: "handshake",
            "When clients authenticate. handshake: with `auth: {strategy, token}`, before they are connected; event: with the "
                + "event `authenticate`, after they are connected."
        ),
        SettingField(
            "timeout",
            .duration(100...3_600_000),
            default: "10s",
            "How long a client may take to authenticate in event mode."
        ),
        SettingField(
            "jwt",
            .record(Self.jwt),
            "The JSON Web Tokens of users, strategy `jwt`. Without any key no token is accepted."
        ),
        SettingField("publicRole", .text(.slug), default: "public", "The role of clients without credentials."),
        SettingField(
            "defaultRole",
            .text(.slug),
            default: "authenticated",
            "The role of users whose token names no role."
        ),
        SettingField(
            "maximumFailures",
            .integer(1...1_000_000),
            default: "20",
            "Failures of one address at once after which further ones count as too many attempts."
        ),
        SettingField(
            "failureWindow",
            .duration(1000...86_400_000),
            default: "60s",
            "How long it takes until maximumFailures of them are forgotten."
        ),
    ]

    private static let jwt: [SettingField] = [
        SettingField("secret", .secret(.jwtSecret), "The secret of HS256, HS384 and HS512 tokens."),
        SettingField(
            "keys",
            .list(.record(Self.jwtKey)),
            default: "[]",
            "Further keys, for other algorithms or while keys are changed.",
            example: """
                keys:
                  - {id: "2026", publicKeyFile: /etc/socketio/issuer.pem}
                  - {keySetFile: /etc/socketio/jwks.json}
                """
        ),
        SettingField(
            "algorithms",
            .list(.choice(JWTConfiguration.knownAlgorithms)),
            "The algorithms that are accepted. If missing: all that the keys allow."
        ),
        SettingField("issuer", .text(.nonEmpty), "The `iss` that tokens must carry."),
        SettingField("audience", .text(.nonEmpty), "The `aud` that tokens must carry."),
        SettingField(
            "leeway",
            .duration(0...3_600_000),
            default: "0",
            "How far the clocks of the issuer and of this node may differ."
        ),
        SettingField("requiresExpiration", .bool, default: "false", "Whether tokens must have an `exp`."),
        SettingField(
            "claims",
            .record(Self.claims),
            "The names of the claims that describe the user. A dot leads into an object."
        ),
    ]

    private static let jwtKey: [SettingField] = [
        SettingField("id", .text(.nonEmpty), "The `kid` by which tokens name this key."),
        SettingField("secret", .secret(.jwtSecret), "A shared secret, or"),
        SettingField("publicKey", .secret(.nonEmpty), "a public key as PEM (RSA, P-256, P-384, P-521, Ed25519), or"),
        SettingField("keySet", .secret(.nonEmpty), "a JSON Web Key Set."),
    ]

    private static let claims: [SettingField] = [
        SettingField("id", .text(.nonEmpty), default: "id", "The user's id."),
        SettingField("role", .text(.nonEmpty), default: "role", "The role's type, name or id."),
        SettingField("username", .text(.nonEmpty), default: "username", "The user's name."),
        SettingField("email", .text(.nonEmpty), default: "email", "The user's e-mail address."),
    ]

    private static let apiToken: [SettingField] = [
        SettingField(
            "type",
            .choice(["read-only", "full-access", "custom"]),
            default: "custom",
            "read-only: the token receives everything; full-access: it may do everything; custom: it may do what its scopes say."
        ),
        SettingField("hash", .text(.tokenHash), required: true, "What `socketio-node token hash` prints."),
        SettingField(
            "scopes",
            .list(.text(.scope)),
            default: "[]",
            "What the token may do: scopes as for roles, and for the publish API "
                + Scope.verbs.map { "io.\($0)" }.joined(separator: ", ")
                + ". io.sockets alone lets sockets join ordinary rooms; rooms of roles, tokens, users and entities need "
                + "io.audiences as well."
        ),
        SettingField("expiresAt", .text(.date), "When the token expires. If missing: never."),
        SettingField("revoked", .bool, default: "false", "Whether the token is refused."),
    ]

    private static let security: [SettingField] = [
        SettingField(
            "requireAuthentication",
            .bool,
            default: "false",
            "Whether clients without credentials are refused."
        ),
        SettingField(
            "ipWhitelist",
            .list(.text(.address)),
            default: "[]",
            "The only addresses or networks that may connect. Empty: all may."
        ),
        SettingField(
            "ipBlacklist",
            .list(.text(.address)),
            default: "[]",
            "Addresses or networks that may not connect, nor may clients whose address cannot be read."
        ),
        SettingField(
            "trustedProxies",
            .list(.text(.address)),
            default: "[]",
            "Load balancers whose X-Forwarded-For or Forwarded is believed, also for limits.*PerAddress."
        ),
        SettingField(
            "maximumConnections",
            .integer(1...10_000_000),
            "The most sockets of the main namespace on this node; no limit if missing."
        ),
    ]

    private static let events: [SettingField] = [
        SettingField(
            "payloadFormat",
            .choice(PayloadFormat.allCases.map(\.rawValue)),
            default: "flat",
            "flat: the entity itself; envelope: {data, meta}; strapi4: {data: {id, attributes}, meta}."
        ),
        SettingField(
            "receivePolicy",
            .choice(ReceivePolicy.allCases.map(\.rawValue)),
            default: "action",
            "Which scope a client needs to receive article:create. action: <uid>.create; read: <uid>.find."
        ),
        SettingField(
            "actionAliases",
            .bool,
            default: "true",
            "Whether clients that may receive update also receive publish and createOrUpdate, and clients that may receive "
                + "delete also receive unpublish and bulkDelete."
        ),
        SettingField(
            "customEventNames",
            .bool,
            default: "false",
            "Whether events are named article:created instead of article:create."
        ),
        SettingField(
            "onlyPublished",
            .bool,
            default: "false",
            "Whether drafts cause no events; in a list, drafts are left out. It needs draftAndPublish."
        ),
        SettingField(
            "excludeFields",
            .list(.text(.fieldName)),
            default: "[]",
            "Fields that are never sent, of any type."
        ),
        SettingField(
            "sensitiveFields",
            .list(.text(.fieldName)),
            default: "[]",
            "More names of fields that are never sent, besides password, apiKey and the like."
        ),
        SettingField(
            "sensitivePatterns",
            .list(.text(.nonEmpty)),
            default: "[]",
            "The same as patterns; * stands for any characters."
        ),
        SettingField(
            "operatorsReceiveEvents",
            .bool,
            default: "false",
            "Whether the sockets of operators get every event."
        ),
        SettingField(
            "rememberedEventIDs",
            .integer(0...10_000_000),
            default: "10000",
            "How many `eventId`s this node remembers, so that it sends a repeated event once."
        ),
    ]

    private static let rooms: [SettingField] = [
        SettingField(
            "enablePrivateRooms",
            .bool,
            default: "false",
            "Whether clients may write private messages to each other. The joinPolicy of their role alone says which rooms they "
                + "may join."
        ),
        SettingField(
            "messagePolicy",
            .choice(MessagePolicy.allCases.map(\.rawValue)),
            default: "anyone",
            "To whom a client may write, if enablePrivateRooms is on. sameRoom: to members of a room that it is in as "
                + "well; sameRole: to clients with its role."
        ),
        SettingField("allowsColon", .bool, default: "false", "Whether names of rooms may contain a colon."),
        SettingField("allowsDot", .bool, default: "false", "Whether names of rooms may contain a dot."),
        SettingField("maximumNameLength", .integer(1...512), default: "128", "The most bytes in the name of a room."),
        SettingField(
            "maximumRoomsPerSocket",
            .integer(1...1_000_000),
            default: "100",
            "The most rooms that a client may be in, besides the gateway's own."
        ),
        SettingField(
            "defaultRooms",
            .list(.text(.room)),
            default: "[io-default, io-notification]",
            "Rooms that every client with credentials joins."
        ),
    ]

    private static let subscriptions: [SettingField] = [
        SettingField("enabled", .bool, default: "true", "Whether clients may subscribe to entities."),
        SettingField(
            "mode",
            .choice(SubscriptionMode.allCases.map(\.rawValue)),
            default: "narrow",
            "What a subscriber gets of a content type. narrow: only the entities that it subscribed to; additive: those as well as "
                + "everything that its role gets."
        ),
        SettingField(
            "maximumSubscriptionsPerSocket",
            .integer(1...1_000_000),
            default: "100",
            "The most entities that one client may follow."
        ),
        SettingField(
            "allowedContentTypes",
            .list(.text(.uid)),
            default: "[]",
            "The only content types that clients may subscribe to. Empty: all."
        ),
        SettingField(
            "rememberedIDs",
            .integer(0...10_000_000),
            default: "20000",
            "How many ids this node remembers, with the other ids and the owners of their entities. So an event that "
                + "carries one of two ids reaches clients that subscribed by the other."
        ),
    ]

    private static let limits: [SettingField] = [
        SettingField(
            "questionsPerSecond",
            .integer(1...1_000_000),
            default: "10",
            "Questions to the other nodes that a client may cause in a second, such as a private message to a socket of "
                + "another node; twice as many at once."
        ),
        SettingField(
            "changesPerSecond",
            .integer(1...1_000_000),
            default: "50",
            "Rooms and entities that a client may join, leave, subscribe to or unsubscribe from in a second; four times as "
                + "many at once."
        ),
    ]

    private static let namespace: [SettingField] = [
        SettingField("requireAuth", .bool, default: "false", "Whether clients without credentials are refused."),
        SettingField("roles", .list(.text(.slug)), default: "[]", "The only roles that may connect. Empty: all."),
        SettingField(
            "tokens",
            .list(.text(.slug)),
            default: "[]",
            "The API tokens that may connect, by name. Empty: all, or none if `roles` is not empty."
        ),
        SettingField(
            "inheritsChecks",
            .bool,
            default: "true",
            "Whether this node checks address, credentials and role as for the main namespace."
        ),
    ]
}
