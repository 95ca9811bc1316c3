/// Requests of the node to other servers.
extension SettingTable {
    static let outgoing = SettingDeclaration<NodeConfiguration>.record(
        "outgoing",
        "The requests that this node sends to servers that the configuration names.",
        [
            .texts(
                "allow",
                \.outgoing.allow,
                .address,
                .restart,
                """
                Addresses and networks that are reached besides those of the public Internet, such as the network of your \
                services. Addresses at which clouds give out credentials count only if they are listed one by one.
                """,
                example: "allow: [10.0.0.0/8, \"fd00::/8\"]"
            ),
            .record(
                "tls",
                "Used with URLs of https://.",
                [
                    .optionalText(
                        "caFile",
                        \.outgoing.caFile,
                        .nonEmpty,
                        .restart,
                        "The certificates (PEM) of those who may vouch for servers; those that the system trusts, if not set."
                    )
                ]
            ),
        ]
    )
}
