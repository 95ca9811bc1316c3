import Gateway

/// Every key of the configuration: its name, shape, default and meaning.
///
/// The parser, the names in the environment, `check-config` and `config/node.yaml` are all made from this table.
enum SettingTable {
    /// Variables that share the prefix and are no settings: the command line's own.
    static let otherVariables: Set<String> = ["SOCKETIO_CONFIG", "SOCKETIO_TOKEN", "SOCKETIO_URL", "SOCKETIO_TARGETS"]

    static let root: [SettingField] = [
        SettingField("listen", .record(Self.listen), "The public port: Socket.IO, GET /healthz and GET /readyz."),
        SettingField("heartbeat", .record(Self.heartbeat), "How the server finds dead connections."),
        SettingField("limits", .record(Self.limits), "What one client may cost."),
        SettingField(
            "cors",
            .record(Self.cors),
            "Which web pages may connect; pages of this server's own origin always may."
        ),
        SettingField("adapter", .record(Self.adapter), "How the nodes of a cluster reach each other."),
        SettingField("gateway", .record(Self.gateway), "Who may connect, and who may see what."),
        SettingField("publish", .record(Self.publish), "The HTTP API through which back ends publish."),
        SettingField("logging", .record(Self.logging), "The log, on standard error."),
        SettingField("shutdown", .record(Self.shutdown), "What happens on SIGTERM, SIGINT and SIGHUP."),
    ]

    private static let port = SettingKind.integer(0...65_535)

    private static let listen: [SettingField] = [
        SettingField("host", .text(.host), default: "127.0.0.1", "The address; 0.0.0.0 or \"::\" for all interfaces."),
        SettingField("port", Self.port, default: "3000", "The port; 0 takes a free one and prints it."),
        SettingField("path", .text(.urlPath), default: "/socket.io", "The path that clients connect to."),
        SettingField(
            "transports",
            .list(.choice(["polling", "websocket"])),
            default: "[polling, websocket]",
            "The transports that clients may use."
        ),
        SettingField("allowUpgrades", .bool, default: "true", "Whether a polling client may change to WebSocket."),
        SettingField("allowEIO3", .bool, default: "false", "Whether Socket.IO 2 clients may connect, too."),
        SettingField(
            "compressPolls",
            .bool,
            default: "true",
            "Whether the server compresses answers to polls of 1 KB to 256 KB."
        ),
        SettingField(
            "compressMessages",
            .bool,
            default: "false",
            "Whether the server compresses WebSocket messages from 1 KB on for clients that offer "
                + "permessage-deflate, and takes compressed ones from them."
        ),
        SettingField(
            "connectTimeout",
            .duration(1...3_600_000),
            default: "45s",
            "How long a connection may stay without joining a namespace."
        ),
        SettingField(
            "threads",
            .integer(0...1024),
            default: "0",
            "Event loops; 0: one for each processor core."
        ),
    ]

    private static let heartbeat: [SettingField] = [
        SettingField("interval", .duration(100...3_600_000), default: "25s", "Time between two pings of the server."),
        SettingField(
            "timeout",
            .duration(100...3_600_000),
            default: "20s",
            "How long a client may take to answer a ping. A load balancer's idle timeout must exceed both together."
        ),
        SettingField(
            "upgradeTimeout",
            .duration(100...600_000),
            default: "10s",
            "How long a change of transport may take."
        ),
    ]

    private static let limits: [SettingField] = [
        SettingField(
            "messageSize",
            .bytes(1024...1_073_741_824),
            default: "1MB",
            "The longest message, or body of a polling request, that the server takes."
        ),
        SettingField("attachments", .integer(0...1000), default: "10", "The most binary attachments of one packet."),
        SettingField(
            "queuedBytes",
            .bytes(16_384...1_073_741_824),
            default: "16MiB",
            "How many unsent bytes may wait behind the message that is being sent before the server "
                + "disconnects the client as too slow."
        ),
        SettingField(
            "totalQueuedBytes",
            .bytes(0...1_099_511_627_776),
            default: "0",
            "How many unsent bytes all clients together may have before the server disconnects those with "
                + "most; 0: a quarter of the memory that the process may use."
        ),
        SettingField(
            "totalRequestBytes",
            .bytes(0...1_099_511_627_776),
            default: "0",
            "How many bytes all requests and messages together may have that have come in part only or "
                + "wait to be handled, before the server refuses the longest; 0: an eighth of the memory that "
                + "the process may use."
        ),
        SettingField(
            "volatileBytes",
            .bytes(0...1_073_741_824),
            default: "16KiB",
            "How many unsent bytes a client may have before the server drops volatile events for it."
        ),
        SettingField(
            "waitingEvents",
            .integer(1...1_000_000),
            default: "128",
            "How many events of one client may wait for their handlers before the server stops reading from it."
        ),
        SettingField(
            "waitingBytes",
            .bytes(1024...1_073_741_824),
            default: "1MiB",
            "How many bytes of such events may wait; one event may be longer than that."
        ),
        SettingField(
            "namespacesPerConnection",
            .integer(1...100_000),
            default: "100",
            "The most namespaces that one connection may join."
        ),
        SettingField(
            "roomsPerSocket",
            .integer(1...1_000_000),
            default: "1000",
            "The most rooms that a socket may be in."
        ),
        SettingField(
            "pendingAcknowledgements",
            .integer(1...1_000_000),
            default: "1000",
            "How many events sent to one client may wait for its acknowledgement."
        ),
        SettingField(
            "authSize",
            .bytes(64...1_073_741_824),
            default: "64KiB",
            "The longest `auth` that a client may send when it connects."
        ),
        SettingField(
            "packetsPerSecond",
            .integer(0...1_000_000_000),
            default: "0",
            "How many packets a second one connection may send in the long run, and twice as many at once; 0: as "
                + "many as it can. The server refuses further ones with the reason, and disconnects a client that goes "
                + "on."
        ),
        SettingField(
            "bytesPerSecond",
            .bytes(0...1_073_741_824),
            default: "0",
            "How many bytes of messages a second one connection may send in the long run; 0: as many as it can. A "
                + "client that sends more is not read for a while."
        ),
        SettingField(
            "controlPacketsPerSecond",
            .integer(0...1_000_000_000),
            default: "1000",
            "How many pings, pongs and other packets without data a second one connection may send; 0: as many as "
                + "it can."
        ),
        SettingField(
            "connections",
            .integer(0...100_000_000),
            default: "0",
            "The most connections of all clients; 0: as many as the system allows."
        ),
        SettingField(
            "connectionsPerAddress",
            .integer(0...100_000_000),
            default: "0",
            "The most connections of one address; 0: no limit. Behind a proxy all connections have the proxy's "
                + "address."
        ),
        SettingField(
            "sessionsPerAddress",
            .integer(0...100_000_000),
            default: "0",
            "The most clients of one address, polling ones included; 0: no limit."
        ),
        SettingField(
            "requestTimeout",
            .duration(100...3_600_000),
            default: "30s",
            "How long an HTTP request may take to arrive."
        ),
        SettingField(
            "keepAliveTimeout",
            .duration(100...3_600_000),
            default: "75s",
            "How long the server keeps an HTTP connection without a request."
        ),
    ]

    private static let cors: [SettingField] = [
        SettingField(
            "origins",
            .list(.text(.origin)),
            default: "[]",
            "Origins of the pages that may connect; \"*\" for all.",
            example: "origins: [\"https://app.example.com\"]"
        ),
        SettingField("methods", .list(.text(.httpMethod)), default: "[GET, POST]", "Methods allowed in a preflight."),
        SettingField(
            "allowedHeaders",
            .list(.text(.headerName)),
            default: "[]",
            "Headers allowed in a preflight; empty: those that the browser asks for."
        ),
        SettingField("credentials", .bool, default: "false", "Whether browsers may send cookies along."),
        SettingField(
            "maxAge",
            .duration(0...86_400_000),
            default: "0",
            "How long a browser may keep a preflight's answer."
        ),
    ]

    private static let adapter: [SettingField] = [
        SettingField(
            "type",
            .choice(["memory", "redis"]),
            default: "memory",
            "memory: this node alone. redis: all nodes on one Redis, Node.js servers and emitters included."
        ),
        SettingField("redis", .record(Self.redis), "Used with `type: redis`."),
    ]

    private static let redis: [SettingField] = [
        SettingField(
            "url",
            .secret(.nonEmpty),
            "Where Redis is: redis://[user[:password]@]host[:port][/database].",
            example: "url: redis://127.0.0.1:6379"
        ),
        SettingField(
            "key",
            .text(.nonEmpty),
            default: "socket.io",
            "The channels' prefix; must be the same on every node and in every emitter."
        ),
        SettingField(
            "requestsTimeout",
            .duration(10...600_000),
            default: "5s",
            "How long a question to the other nodes waits for their answers."
        ),
        SettingField(
            "readinessGrace",
            .duration(0...3_600_000),
            default: "5s",
            """
            How long Redis may be away, or take no messages, before /readyz says no. Clients that are connected stay, and are \
            served. The node sees by messages to itself whether messages arrive.
            """
        ),
        SettingField(
            "keptBytes",
            .bytes(65_536...17_179_869_184),
            default: "64MiB",
            "How many bytes of messages are kept for a Redis that is away. A message that does not fit is refused."
        ),
        SettingField(
            "keptFor",
            .duration(100...3_600_000),
            default: "2m",
            "How long a message is kept for a Redis that is away. Then it is dropped, and counted."
        ),
        SettingField(
            "publishOnSpecificResponseChannel",
            .bool,
            default: "false",
            "Send answers to the node that asked only; on only where every node listens there (Node adapter 7.1 or later)."
        ),
    ]

    // MARK: gateway

    private static let gateway: [SettingField] = [
        SettingField(
            "contentTypes",
            .map(.contentTypeUID, .record(Self.contentType)),
            default: "{}",
            "What is published, by uid, and which of its fields may be seen. \"*\" stands for every other type.",
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
            "What users may do, by role. `public` (no credentials) and `authenticated` exist even if not listed.",
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
        SettingField("security", .record(Self.security), "Who may connect at all."),
        SettingField("events", .record(Self.events), "What events look like, and who receives them."),
        SettingField("rooms", .record(Self.rooms), "Rooms that clients join themselves."),
        SettingField("entitySubscriptions", .record(Self.subscriptions), "Clients that follow single entities."),
        SettingField(
            "namespaces",
            .map(.namespaceName, .record(Self.namespace)),
            default: "{}",
            "Namespaces besides the main one, by name without slash.",
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
            "How long a question to the other nodes may take before it is an error."
        ),
    ]

    private static let fields = SettingKind.map(.fieldName, .shorthand(member: "type", Self.field))

    private static let field: [SettingField] = [
        SettingField("type", .choice(Field.typeNames), required: true, "The field's type; a password is never sent."),
        SettingField("private", .bool, default: "false", "Whether the field never leaves the gateway."),
        SettingField(
            "target",
            .text(.uid),
            "A relation's content type; without it, elements name theirs in `__type`."
        ),
        SettingField("component", .text(.componentName), "A component field's component."),
        SettingField("components", .list(.text(.componentName)), default: "[]", "A dynamic zone's components."),
        SettingField("repeatable", .bool, default: "false", "Whether the value is a list."),
    ]

    private static let unknownFields = SettingField(
        "unknownFields",
        .choice(["auto", "keep", "drop"]),
        default: "auto",
        "Fields that are not declared; auto: drop, unless no field is declared at all."
    )

    private static let component: [SettingField] = [
        SettingField("fields", Self.fields, required: true, "Its fields, as for content types."),
        Self.unknownFields,
    ]

    private static let contentType: [SettingField] = [
        SettingField("fields", Self.fields, default: "{}", "Its fields: `name: type`, or `name: {type: …}` with:"),
        Self.unknownFields,
        SettingField("privateAttributes", .list(.text(.fieldName)), default: "[]", "Further private fields."),
        SettingField(
            "singularName",
            .text(.nonEmpty),
            "Names its events, `article:create`; what follows the uid's last dot if missing."
        ),
        SettingField("pluralName", .text(.nonEmpty), "Its plural, for people."),
        SettingField("displayName", .text(.nonEmpty), "Its name, for people."),
        SettingField("eventPrefix", .text(.nonEmpty), "Stands in its events' names instead of the singular name."),
        SettingField("kind", .choice(["collection", "single"]), default: "collection", "Many entities, or one."),
        SettingField(
            "actions",
            .list(.text(.action)),
            default: "[create, update, delete]",
            "Which of create, update and delete are sent; \"*\": all. Events of other names always are."
        ),
        SettingField(
            "populate",
            .scalarOr(.choice(["*", "none"]), .listOrTree),
            "Relations that stay in an event: \"*\", none, a list of paths (author.company), or a map of relations to "
                + "true or {fields: [...], populate: ...}. All that was sent if missing."
        ),
        SettingField("populateCreatorFields", .bool, default: "false", "Whether createdBy and updatedBy are sent."),
        SettingField("draftAndPublish", .bool, default: "false", "Whether entities have a draft state."),
        SettingField(
            "idFields",
            .list(.text(.fieldName)),
            default: "[documentId, id]",
            "Fields by which an entity can be subscribed to."
        ),
        SettingField(
            "ownerField",
            .text(.fieldName),
            "The field with the owner's user id: only the owner gets the event."
        ),
        SettingField(
            "delivery",
            .choice(["roles", "entity"]),
            default: "roles",
            "roles: to everybody permitted; entity: only to those who subscribed to the entity."
        ),
    ]

    private static let role: [SettingField] = [
        SettingField("name", .text(.nonEmpty), "The role's name for people; the key itself if missing."),
        SettingField("id", .text(.nonEmpty), "Its id in the system that issues the tokens, if they carry it."),
        SettingField(
            "scopes",
            .list(.text(.scope)),
            default: "[]",
            "<uid>.<action>, <uid>.*, *.<action> or *. Receiving article:create needs <uid>.create, seeing a relation "
                + "<its target>.find."
        ),
        SettingField("canConnect", .bool, default: "true", "Whether clients of this role may connect."),
        SettingField("autoJoin", .list(.text(.room)), default: "[]", "Rooms joined on connection."),
        SettingField("joinPolicy", .list(.text(.room)), default: "[]", "Rooms that clients may join, * as wildcard."),
        SettingField(
            "fields",
            .map(.nonEmpty, .record(Self.fieldRule)),
            default: "{}",
            "Which fields it sees, by uid of a content type or component."
        ),
    ]

    private static let fieldRule: [SettingField] = [
        SettingField("allow", .list(.text(.fieldName)), "The only fields it sees; all if missing."),
        SettingField("deny", .list(.text(.fieldName)), default: "[]", "Fields it doesn't see."),
    ]

    private static let authentication: [SettingField] = [
        SettingField(
            "mode",
            .choice(["handshake", "event"]),
            default: "handshake",
            "handshake: `auth: {strategy, token}` before a client is connected; event: by `authenticate` afterwards."
        ),
        SettingField(
            "timeout",
            .duration(100...3_600_000),
            default: "10s",
            "How long a client may take in event mode."
        ),
        SettingField(
            "jwt",
            .record(Self.jwt),
            "Users' JSON Web Tokens, strategy `jwt`. Without any key none is accepted."
        ),
        SettingField("publicRole", .text(.slug), default: "public", "The role of clients without credentials."),
        SettingField(
            "defaultRole",
            .text(.slug),
            default: "authenticated",
            "The role of users whose token names none."
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
            "The algorithms accepted; all that the keys allow if missing."
        ),
        SettingField("issuer", .text(.nonEmpty), "The `iss` that tokens must carry."),
        SettingField("audience", .text(.nonEmpty), "The `aud` that tokens must carry."),
        SettingField("leeway", .duration(0...3_600_000), default: "0", "By how much clocks may differ."),
        SettingField("requiresExpiration", .bool, default: "false", "Whether tokens must have an `exp`."),
        SettingField("claims", .record(Self.claims), "Where a token describes the user; a dot leads into an object."),
    ]

    private static let jwtKey: [SettingField] = [
        SettingField("id", .text(.nonEmpty), "The `kid` by which tokens name it."),
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
            "read-only: receives everything; full-access: may do everything; custom: what its scopes say."
        ),
        SettingField("hash", .text(.tokenHash), required: true, "What `socketio-node token hash` prints."),
        SettingField(
            "scopes",
            .list(.text(.scope)),
            default: "[]",
            "As for roles, and for publishing io.<verb>: "
                + Scope.verbs.map { "io.\($0)" }.joined(separator: ", ") + "."
        ),
        SettingField("expiresAt", .text(.date), "When it ends; never if missing."),
        SettingField("revoked", .bool, default: "false", "Whether it is refused from now on."),
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
            "Addresses or networks that may connect; empty: all."
        ),
        SettingField(
            "ipBlacklist",
            .list(.text(.address)),
            default: "[]",
            "Addresses or networks that may not connect."
        ),
        SettingField(
            "trustedProxies",
            .list(.text(.address)),
            default: "[]",
            "Load balancers whose X-Forwarded-For is believed."
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
            "What receiving article:create needs: action: <uid>.create; read: <uid>.find."
        ),
        SettingField(
            "actionAliases",
            .bool,
            default: "true",
            "Whether the scope for update also lets publish and createOrUpdate through, the one for delete unpublish."
        ),
        SettingField("customEventNames", .bool, default: "false", "Whether events are named article:created."),
        SettingField("onlyPublished", .bool, default: "false", "Whether drafts cause no events."),
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
            "Further names of secrets, besides password, apiKey and the like."
        ),
        SettingField("sensitivePatterns", .list(.text(.nonEmpty)), default: "[]", "The same, with * as wildcard."),
        SettingField("operatorsReceiveEvents", .bool, default: "false", "Whether operators' sockets get every event."),
        SettingField(
            "rememberedEventIDs",
            .integer(0...10_000_000),
            default: "10000",
            "How many `eventId`s this node remembers, so that a repeated event is sent once."
        ),
    ]

    private static let rooms: [SettingField] = [
        SettingField(
            "enablePrivateRooms",
            .bool,
            default: "false",
            "Whether clients may join any room that isn't reserved, and write to each other."
        ),
        SettingField("allowsColon", .bool, default: "false", "Whether rooms' names may contain a colon."),
        SettingField("allowsDot", .bool, default: "false", "Whether rooms' names may contain a dot."),
        SettingField("maximumNameLength", .integer(1...512), default: "128", "The longest name of a room."),
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
            "narrow: a subscriber gets only its entities of that type; additive: what its role gets, and these."
        ),
        SettingField(
            "maximumSubscriptionsPerSocket",
            .integer(1...1_000_000),
            default: "100",
            "The most subscriptions of one client."
        ),
        SettingField(
            "allowedContentTypes",
            .list(.text(.uid)),
            default: "[]",
            "Content types that can be subscribed to; empty: all."
        ),
    ]

    private static let namespace: [SettingField] = [
        SettingField("requireAuth", .bool, default: "false", "Whether clients without credentials are refused."),
        SettingField("roles", .list(.text(.slug)), default: "[]", "Roles that may connect; empty: all."),
        SettingField(
            "inheritsChecks",
            .bool,
            default: "true",
            "Whether address, credentials and role are checked as for the main namespace."
        ),
    ]

    // MARK: the node itself

    private static let publish: [SettingField] = [
        SettingField("enabled", .bool, default: "true", "Whether this node offers the API."),
        SettingField("host", .text(.host), default: "127.0.0.1", "The address; keep it off public networks."),
        SettingField("port", Self.port, default: "3001", "The port; 0 takes a free one and prints it."),
        SettingField(
            "whileDisconnected",
            .choice(["queue", "refuse"]),
            default: "queue",
            "What becomes of a publish while Redis is away: queue: it waits, within bounds, and the answer is 202; refuse: "
                + "the answer is 503, and nothing is sent."
        ),
        SettingField("bodySize", .bytes(1024...1_073_741_824), default: "1MB", "The longest request body."),
        SettingField(
            "answerSize",
            .bytes(1024...1_073_741_824),
            default: "4MB",
            "The longest answer; a longer list of sockets is refused with 422."
        ),
        SettingField(
            "totalSize",
            .bytes(1024...17_179_869_184),
            default: "64MB",
            "The most bytes of bodies and answers that are held at a time; beyond that the answer is 503."
        ),
        SettingField("batchSize", .integer(1...100_000), default: "100", "The most operations in one batch."),
        SettingField(
            "headTimeout",
            .duration(100...600_000),
            default: "10s",
            "How long a new connection may take to send a request's first line and fields."
        ),
        SettingField(
            "requestTimeout",
            .duration(100...600_000),
            default: "30s",
            "How long a request's body may take to arrive."
        ),
        SettingField(
            "requestsPerToken",
            .integer(1...100_000),
            default: "1000",
            "The most requests of one token that are under way at a time; beyond that the answer is 429."
        ),
        SettingField(
            "maximumConnections",
            .integer(1...100_000),
            default: "1000",
            "The most connections; with more, those are closed that wait longest without asking anything."
        ),
    ]

    private static let logging: [SettingField] = [
        SettingField(
            "level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            default: "info",
            "The least important messages that are written."
        ),
        SettingField(
            "format",
            .choice(["text", "json"]),
            default: "text",
            "text: for people; json: one object a line."
        ),
    ]

    private static let shutdown: [SettingField] = [
        SettingField(
            "delay",
            .duration(0...600_000),
            default: "0",
            "How long /readyz says no before clients are closed, so that a load balancer stops sending new ones; a second "
                + "signal ends it."
        ),
        SettingField(
            "deadline",
            .duration(100...3_600_000),
            default: "20s",
            "How long leaving may take, delay included: close the clients, leave Redis. Then the process ends anyway."
        ),
    ]
}
