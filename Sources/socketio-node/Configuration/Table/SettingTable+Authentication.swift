import Gateway

/// How clients prove who they are.
extension SettingTable {
    static let authentication = SettingDeclaration<NodeConfiguration>.record(
        "authentication",
        "How clients prove who they are.",
        [
            .choice(
                "mode",
                \.gateway.authentication.mode,
                .restart,
                """
                When clients authenticate. handshake: with `auth: {strategy, token}`, before they are connected; event: with \
                the event `authenticate`, after they are connected.
                """
            ),
            .duration(
                "timeout",
                \.gateway.authentication.timeout,
                100...3_600_000,
                .live,
                "How long a client may take to authenticate in event mode."
            ),
            Self.jwt,
            .text(
                "publicRole",
                \.gateway.authentication.publicRole,
                .slug,
                .live,
                "The role of clients without credentials."
            ),
            .text(
                "defaultRole",
                \.gateway.authentication.defaultRole,
                .slug,
                .live,
                "The role of users whose token names no role."
            ),
            .integer(
                "maximumFailures",
                \.gateway.authentication.maximumFailures,
                1...1_000_000,
                .live,
                "Failures of one address at once after which further ones count as too many attempts."
            ),
            .duration(
                "failureWindow",
                \.gateway.authentication.failureWindow,
                1000...86_400_000,
                .live,
                "How long it takes until maximumFailures of them are forgotten."
            ),
            Self.whenExpired, Self.revocation, Self.lookup,
        ]
    )

    private static let jwt = SettingDeclaration<NodeConfiguration>.record(
        "jwt",
        "The JSON Web Tokens of users, strategy `jwt`. Without any key no token is accepted.",
        [
            .secret("secret", \.jwt.secret, .jwtSecret, .live, "The secret of HS256, HS384 and HS512 tokens."),
            .entries(
                "keys",
                \.jwt.keys,
                Self.jwtKey,
                .live,
                "Further keys, for other algorithms or while keys are changed: a secret, a public key or a key set each.",
                example: """
                    keys:
                      - {id: "2026", publicKeyFile: /etc/socketio/issuer.pem}
                      - {keySetFile: /etc/socketio/jwks.json}
                      - {keySetUrl: "https://login.example.com/jwks.json"}
                    """
            ),
            .optionalSet(
                "algorithms",
                \.jwt.configuration.algorithms,
                .choice(JWTConfiguration.knownAlgorithms),
                .live,
                "The algorithms that are accepted. If missing: all that the keys allow."
            ),
            .optionalText("issuer", \.jwt.configuration.issuer, .nonEmpty, .live, "The `iss` that tokens must carry."),
            .optionalText(
                "audience",
                \.jwt.configuration.audience,
                .nonEmpty,
                .live,
                "The `aud` that tokens must carry."
            ),
            .duration(
                "leeway",
                \.jwt.configuration.clockDifference,
                0...3_600_000,
                .live,
                "How far the clocks of the issuer and of this node may differ."
            ),
            .bool(
                "requiresExpiration",
                \.jwt.configuration.requiresExpiration,
                .live,
                "Whether tokens must have an `exp`."
            ),
            .record(
                "claims",
                "The names of the claims that describe the user. A dot leads into an object.",
                [
                    .text("id", \.jwt.configuration.claims.id, .nonEmpty, .live, "The user's id."),
                    .text("role", \.jwt.configuration.claims.role, .nonEmpty, .live, "The role's type, name or id."),
                    .text("username", \.jwt.configuration.claims.username, .nonEmpty, .live, "The user's name."),
                    .text("email", \.jwt.configuration.claims.email, .nonEmpty, .live, "The user's e-mail address."),
                    .text(
                        "tenant",
                        \.jwt.configuration.claims.tenant,
                        .nonEmpty,
                        .live,
                        "The user's tenant, for limits."
                    ),
                ]
            ),
        ]
    )

    private static let jwtKey = SettingEntry<NodeConfiguration.JWT.Key>(
        [
            .optionalText("id", \.id, .nonEmpty, .live, "The `kid` by which tokens name this key."),
            .secret("secret", \.secret, .jwtSecret, .live, "A shared secret."),
            .secret(
                "publicKey",
                \.publicKey,
                .nonEmpty,
                .live,
                "A public key as PEM (RSA, P-256, P-384, P-521, Ed25519)."
            ),
            .secret("keySet", \.keySet, .nonEmpty, .live, "A JSON Web Key Set."),
            .optionalText(
                "keySetUrl",
                \.keySetURL,
                .outgoingURL,
                .live,
                """
                Where a JSON Web Key Set is, with https. It is fetched again when it is old, and when a token names a key that is \
                not in it, at most once a minute. While that fails, the known keys stay in use.
                """
            ),
        ],
        make: { _ in NodeConfiguration.JWT.Key() }
    )
}
