import Gateway

/// What events look like, and who receives them.
extension SettingTable {
    static let events = SettingDeclaration<NodeConfiguration>.record(
        "events",
        "What events look like, and who receives them.",
        [
            .choice(
                "payloadFormat",
                \.gateway.events.payloadFormat,
                .live,
                "flat: the entity itself; envelope: {data, meta}; strapi4: {data: {id, attributes}, meta}."
            ),
            .choice(
                "receivePolicy",
                \.gateway.events.receivePolicy,
                .live,
                "Which scope a client needs to receive article:create. action: <uid>.create; read: <uid>.find."
            ),
            .bool(
                "actionAliases",
                \.gateway.events.actionAliases,
                .live,
                """
                Whether clients that may receive update also receive publish and createOrUpdate, and clients that may receive \
                delete also receive unpublish and bulkDelete.
                """
            ),
            .bool(
                "customEventNames",
                \.gateway.events.customEventNames,
                .live,
                "Whether events are named article:created instead of article:create."
            ),
            .bool(
                "onlyPublished",
                \.gateway.events.onlyPublished,
                .live,
                "Whether drafts cause no events; in a list, drafts are left out. It needs draftAndPublish."
            ),
            .texts(
                "excludeFields",
                \.gateway.events.excludeFields,
                .fieldName,
                .live,
                "Fields that are never sent, of any type."
            ),
            .texts(
                "sensitiveFields",
                \.gateway.events.sensitiveFields,
                .fieldName,
                .live,
                "More names of fields that are never sent, besides password, apiKey and the like."
            ),
            .texts(
                "sensitivePatterns",
                \.gateway.events.sensitivePatterns,
                .nonEmpty,
                .live,
                "The same as patterns; * stands for any characters."
            ),
            .bool(
                "operatorsReceiveEvents",
                \.gateway.events.operatorsReceiveEvents,
                .live,
                "Whether the sockets of operators get every event."
            ),
            .integer(
                "rememberedEventIDs",
                \.gateway.events.rememberedEventIDs,
                0...10_000_000,
                .restart,
                "How many `eventId`s this node remembers, so that it sends a repeated event once."
            ),
        ]
    )
}
