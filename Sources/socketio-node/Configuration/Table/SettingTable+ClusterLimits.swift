import Gateway

/// Limits for the whole cluster.
extension SettingTable {
    static let clusterLimits = SettingDeclaration<NodeConfiguration>.record(
        "cluster",
        """
        How much all clients of a user, of an address, with an API token or of a tenant may do in a minute, on all nodes of the \
        cluster together; 0: no limit.
        """,
        [
            .duration(
                "burst",
                \.gateway.limits.cluster.burst,
                1000...3_600_000,
                .live,
                "As much as is allowed in this time may come at once."
            ),
            Self.amounts(
                "All clients of one user.",
                .user,
                [Self.connections] + Self.requests
            ),
            Self.amounts(
                """
                All clients of one IPv4 address, or of one IPv6 network of 64 bits. Joins, subscriptions, messages and questions \
                are those of clients that are neither a user's nor an API token's.
                """,
                .address,
                [Self.connections, Self.failedLogins] + Self.requests
            ),
            Self.amounts(
                "All clients and publishers with one API token.",
                .token,
                [Self.connections] + Self.requests + [Self.publishes]
            ),
            Self.amounts(
                "All users and API tokens of one tenant.",
                .tenant,
                [Self.connections] + Self.requests + [Self.publishes]
            ),
        ]
    )

    private typealias Amount = (action: LimitedAction, summary: String)

    private static let connections: Amount = (.connections, "Clients that connect to the main namespace.")
    private static let failedLogins: Amount = (
        .failedLogins, "Credentials that are wrong. Good ones are always accepted."
    )
    private static let publishes: Amount = (.publishes, "Operations of the publish API.")
    private static let requests: [Amount] = [
        (.events, "Events of any name that clients send; from a client's next connection on."),
        (.bytes, "Bytes of the arguments of such events; from a client's next connection on."),
        (.joins, "Rooms that clients join or leave."),
        (.subscriptions, "Entities that clients subscribe to or unsubscribe from."),
        (.privateMessages, "Messages of clients to each other."),
        (.clusterQuestions, "Questions to the other nodes that clients or publishers cause."),
    ]

    private static func amounts(
        _ summary: String,
        _ scope: LimitScope,
        _ amounts: [Amount]
    ) -> SettingDeclaration<NodeConfiguration> {
        .record(
            scope.rawValue,
            summary,
            amounts.map { action, summary in
                .integer(
                    action.rawValue,
                    \.gateway.limits.cluster[scope][action],
                    0...1_000_000_000_000,
                    .live,
                    summary
                )
            }
        )
    }
}
