import Gateway

/// What clients share beside events.
extension SettingTable {
    static let roomState = SettingDeclaration<NodeConfiguration>.record(
        "roomState",
        "What rooms remember for their members: a few keys with values that every member sees.",
        [
            .bool(
                "enabled",
                \.gateway.roomState.enabled,
                .live,
                "Whether clients may change the state of rooms, and are told of it."
            ),
            .integer(
                "maximumKeys",
                \.gateway.roomState.maximumKeys,
                1...10_000,
                .live,
                "The most keys of a room."
            ),
            .integer(
                "maximumKeyLength",
                \.gateway.roomState.maximumKeyLength,
                1...1_024,
                .live,
                "The longest key, in bytes."
            ),
            .integer(
                "maximumValueBytes",
                \.gateway.roomState.maximumValueBytes,
                1...1_000_000,
                .live,
                "The longest value, in bytes of JSON."
            ),
            .integer(
                "maximumRoomBytes",
                \.gateway.roomState.maximumRoomBytes,
                1...10_000_000,
                .live,
                "The most bytes of all keys and values of a room."
            ),
            .integer(
                "changesPerSecond",
                \.gateway.roomState.changesPerSecond,
                1...100_000,
                .live,
                """
                How many changes of a room this node makes in a second for its clients. A later value of a key replaces one \
                that waits.
                """
            ),
            .duration(
                "maximumLifetime",
                \.gateway.roomState.maximumLifetime,
                1_000...31_536_000_000,
                .live,
                "How long a value of a client stays at most that no socket holds."
            ),
            .duration(
                "lease",
                \.gateway.roomState.lease,
                100...3_600_000,
                .live,
                """
                How long a node that says nothing counts as alive. What its sockets hold, presence and who is online are gone \
                after that time if it dies.
                """
            ),
        ]
    )

    static let presence = SettingDeclaration<NodeConfiguration>.record(
        "presence",
        "Who edits which entity, who types, and who is online.",
        [
            .bool(
                "enabled",
                \.gateway.presence.enabled,
                .live,
                "Whether clients may tell each other what they edit."
            ),
            .integer(
                "maximumEntitiesPerSocket",
                \.gateway.presence.maximumEntitiesPerSocket,
                1...1_000,
                .live,
                "The most entities that one client may edit at a time."
            ),
            .integer(
                "maximumEditors",
                \.gateway.presence.maximumEditors,
                1...10_000,
                .live,
                "The most users who may edit an entity at a time."
            ),
            .duration(
                "typingInterval",
                \.gateway.presence.typingInterval,
                0...60_000,
                .restart,
                "How often the others are told that a client is typing."
            ),
            .duration(
                "typingLifetime",
                \.gateway.presence.typingLifetime,
                100...60_000,
                .restart,
                "How long a client counts as typing after it has said so."
            ),
            .bool(
                "onlineUsers",
                \.gateway.presence.onlineUsers,
                .live,
                "Whether the cluster keeps an index of the users who are online, for clients that connect from then on."
            ),
            .integer(
                "maximumWatchedUsers",
                \.gateway.presence.maximumWatchedUsers,
                1...10_000,
                .live,
                "The most users whose coming and going one client may watch."
            ),
        ]
    )

    static let livePreview = SettingDeclaration<NodeConfiguration>.record(
        "livePreview",
        "Entities that clients see while others edit them, each as far as its role may.",
        [
            .bool("enabled", \.gateway.livePreview.enabled, .live, "Whether clients may subscribe to previews."),
            .bool(
                "draftEvents",
                \.gateway.livePreview.draftEvents,
                .live,
                "Whether an `update` with `previous` is also shown to those who preview the entity."
            ),
            .duration(
                "debounce",
                \.gateway.livePreview.debounce,
                0...60_000,
                .live,
                "How long the value of a field waits for later ones of the same field."
            ),
            .integer(
                "maximumSubscriptionsPerSocket",
                \.gateway.livePreview.maximumSubscriptionsPerSocket,
                1...1_000,
                .live,
                "The most entities that one client may preview."
            ),
        ]
    )

    static let fieldChanges = SettingDeclaration<NodeConfiguration>.record(
        "fieldChanges",
        "How the difference of two states of an entity is told in previews.",
        [
            .bool("enabled", \.gateway.fieldChanges.enabled, .live, "Whether previews have differences."),
            .texts(
                "excludeFields",
                \.gateway.fieldChanges.excludeFields,
                .fieldName,
                .live,
                "Fields that do not count as changed."
            ),
            .integer(
                "maximumDepth",
                \.gateway.fieldChanges.maximumDepth,
                1...20,
                .live,
                "How deep objects are compared; deeper ones are replaced as a whole."
            ),
        ]
    )
}
