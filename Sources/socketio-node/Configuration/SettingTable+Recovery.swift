extension SettingTable {
    static let recovery: [SettingField] = [
        SettingField(
            "enabled",
            .bool,
            default: "false",
            """
            Whether a client that comes back in time keeps its id and its rooms and gets what it missed; otherwise it is a new \
            client. Every event carries one more argument then, its offset.
            """
        ),
        SettingField(
            "maxDisconnectionDuration",
            .duration(1...86_400_000),
            default: "2m",
            "How long a client may be away."
        ),
        SettingField(
            "skipMiddlewares",
            .bool,
            default: "false",
            """
            Whether a client that comes back is not authenticated again. If it is, and is somebody else by then or has another \
            role, it is a new client.
            """
        ),
        SettingField(
            "sessions",
            .integer(0...10_000_000),
            default: "100000",
            "How many clients that are away the node remembers; the oldest give way."
        ),
        SettingField(
            "events",
            .integer(0...100_000_000),
            default: "100000",
            "How many events the node keeps for them."
        ),
        SettingField(
            "bytes",
            .bytes(0...1_099_511_627_776),
            default: "64MiB",
            "How many bytes it keeps: of events, and of the rooms and data of clients that are away."
        ),
    ]
}
