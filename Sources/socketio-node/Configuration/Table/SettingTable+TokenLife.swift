import Gateway
import NIOCore

/// How long credentials are good, and who says so.
extension SettingTable {
    static let whenExpired = SettingDeclaration<NodeConfiguration>.choice(
        "whenExpired",
        \.gateway.authentication.whenExpired,
        .live,
        """
        What becomes of a client whose token expires while it is connected. disconnect: it is told why, and disconnected; \
        demote: it stays as a client without credentials, if such clients may connect.
        """
    )

    static let revocation = SettingDeclaration<NodeConfiguration>.record(
        "revocation",
        "Tokens that POST /io/tokens/revoke has revoked. Redis keeps them, for all nodes.",
        [
            .duration(
                "longestLife",
                \.gateway.authentication.revocation.longestLife,
                60_000...315_360_000_000,
                .live,
                """
                The longest life of JSON Web Tokens: for so long their revocation is kept. A token that lives longer, or has no \
                `exp`, is accepted again after that.
                """
            ),
            .value(
                "staleAfter",
                .duration(0...86_400_000),
                \.gateway.authentication.revocation.staleAfter,
                .restart,
                """
                After how long without a word from Redis this node counts as not knowing which tokens are revoked; 0 for never. \
                From 1s.
                """,
                literal: { .duration(Int(($0?.nanoseconds ?? 0) / 1_000_000)) },
                value: { setting in setting.time.map { $0 == .zero ? nil : $0 } }
            ),
            .bool(
                "failClosed",
                \.gateway.authentication.revocation.failClosed,
                .live,
                "Whether a node that does not know which tokens are revoked lets nobody in who comes with a token."
            ),
        ]
    )

    static let lookup = SettingDeclaration<NodeConfiguration>.record(
        "lookup",
        """
        A directory of users. It is asked about everybody who logs in with a JSON Web Token, with a POST of `{userId}`, and \
        answers `{blocked?, role?, username?, email?}`, or 404 for a user that it does not know.
        """,
        [
            .optionalText(
                "url",
                \.lookup.url,
                .outgoingURL,
                .live,
                "Where it is, with https. Without it nobody is asked."
            ),
            .secret("token", \.lookup.token, .nonEmpty, .live, "What this node shows as `Authorization: Bearer …`."),
            .duration("timeout", \.lookup.settings.timeout, 10...60_000, .live, "How long it may take to answer."),
            .duration(
                "cacheFor",
                \.lookup.settings.cacheFor,
                0...86_400_000,
                .live,
                "For how long its answer about a user is good."
            ),
            .choice(
                "whenUnreachable",
                \.lookup.settings.whenUnreachable,
                .live,
                """
                What happens to those who log in while it does not answer. refuse: they are not let in; accept: what their token \
                says is believed.
                """
            ),
        ]
    )
}

extension TextRule {
    static let outgoingURL = TextRule(
        expectation: "a URL such as https://users.example.com/lookup, without a user and a fragment",
        pattern: "^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$",
        example: "https://users.example.com/lookup"
    ) { OutgoingURL($0) != nil }
}
