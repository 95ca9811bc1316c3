import Gateway

/// What back ends publish events about.
extension SettingTable {
    static let contentTypes = SettingDeclaration<NodeConfiguration>.map(
        "contentTypes",
        \.gateway.contentTypes,
        named: .contentTypeUID,
        SettingEntry(Self.contentType, make: { ContentType(uid: $0) }),
        .live,
        """
        What back ends publish events about, by uid, and which fields clients may see. "*" stands for every other type.
        """,
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
    )

    static let components = SettingDeclaration<NodeConfiguration>.map(
        "components",
        \.gateway.components,
        named: .componentName,
        SettingEntry<Component>(
            [
                Self.fields(\.fields, "The fields, written as for content types.").required,
                Self.unknownFields(\.unknownFields),
            ],
            make: { Component(uid: $0, fields: [:]) }
        ),
        .live,
        "Groups of fields that content types share, by uid.",
        example: """
            components:
              shared.seo:
                fields:
                  metaTitle: string
            """
    )

    private static let contentType: [SettingDeclaration<ContentType>] =
        [
            Self.fields(\.fields, "The fields: `name: type`, or `name: {type: …}` with more keys."),
            Self.unknownFields(\.unknownFields),
        ] + Self.names + Self.delivery + [Self.entityHistory]

    private static let names: [SettingDeclaration<ContentType>] = [
        .set("privateAttributes", \.privateAttributes, .fieldName, .live, "More fields that never leave the gateway."),
        .value(
            "singularName",
            .text(.nonEmpty),
            \.singularName,
            .live,
            """
            The first part of event names, as in `article:create`. If missing: what follows the last dot of the uid.
            """,
            literal: { _ in nil },
            value: { $0.text }
        ),
        .optionalText("pluralName", \.pluralName, .nonEmpty, .live, "The plural, for people."),
        .optionalText("displayName", \.displayName, .nonEmpty, .live, "The name, for people."),
        .optionalText("eventPrefix", \.eventPrefix, .nonEmpty, .live, "Replaces the singular name in event names."),
    ]

    private static let delivery: [SettingDeclaration<ContentType>] = [
        .choice("kind", \.kind, .live, "Whether there are many entities of this type, or one."),
        .set(
            "actions",
            \.actions,
            .action,
            .live,
            """
            Which of the events create, update and delete are sent; "*": all. Events of other names are always sent.
            """
        ),
        .value(
            "populate",
            .scalarOr(.choice(["*", "none"]), .listOrTree),
            \.populate,
            .live,
            """
            Which relations stay in an event: "*", none, a list of paths (author.company), or a map of relations to true or \
            {fields: [...], populate: ...}. If missing, all relations stay that the publisher sent.
            """,
            literal: { _ in nil },
            value: { $0.isSet ? .some(Populate($0)) : nil }
        ),
        .bool(
            "populateCreatorFields",
            \.populateCreatorFields,
            .live,
            "Whether createdBy and updatedBy are sent."
        ),
        .bool(
            "draftAndPublish",
            \.draftAndPublish,
            .live,
            "Whether entities have drafts: an entity is one while its `publishedAt` is empty or missing."
        ),
        .texts(
            "idFields",
            \.idFields,
            .fieldName,
            .live,
            """
            The fields that hold an entity's ids. Clients subscribe to an entity by the value of one of them. Name exactly \
            those that events carry.
            """
        ),
        .optionalText(
            "ownerField",
            \.ownerField,
            .fieldName,
            .live,
            """
            The field with the user id of the owner, or of several. Only owners, and those with a scope such as \
            <uid>.update:any or <uid>.*:any, get events about the entity and may follow it.
            """
        ),
        .choice(
            "delivery",
            \.delivery,
            .live,
            """
            Who gets the events. roles: everybody whose role permits it; entity: only those of them who subscribed to the \
            entity.
            """
        ),
        .duration(
            "coalesce",
            \.timeOfHolding,
            0...10_000,
            .live,
            """
            How long a node holds an update, so that a later one of the same entity can take its place. Each node sends the \
            last one of that time.
            """
        ),
        .bool(
            "bulk",
            \.sendsBulk,
            .live,
            """
            Whether updates of several entities that a node has held become one event `<name>:bulk` with a list. Clients \
            that hear only of the entities that they follow get these one by one.
            """
        ),
    ]

    private static func unknownFields<Owner>(
        _ property: any SettingProperty<Owner, ContentType.UnknownFields?>
    ) -> SettingDeclaration<Owner> {
        .choice(
            "unknownFields",
            property,
            orNone: "auto",
            .live,
            """
            What happens to fields that are not declared. auto: they are dropped, unless no field is declared at all.
            """
        )
    }

    private static func fields<Owner>(
        _ property: any SettingProperty<Owner, [String: Field]>,
        _ summary: String
    ) -> SettingDeclaration<Owner> {
        .dictionary("fields", property, named: .fieldName, Self.field, .live, summary, element: { $0.field })
    }

    private static let field = SettingEntry<FieldDescription>(
        shorthand: "type",
        [
            .value(
                "type",
                .choice(Field.typeNames),
                \.type,
                .live,
                "The field's type; a password is never sent.",
                literal: { _ in nil },
                value: { $0.text }
            ).required,
            .bool("private", \.isPrivate, .live, "Whether the field never leaves the gateway."),
            .optionalText(
                "target",
                \.target,
                .uid,
                .live,
                "The content type of a relation. Without it, each element names its own in `__type`."
            ),
            .optionalText(
                "component",
                \.component,
                .componentName,
                .live,
                "The component that a field of type `component` holds."
            ),
            .texts("components", \.components, .componentName, .live, "The components that a dynamic zone may hold."),
            .bool("repeatable", \.isRepeatable, .live, "Whether the value is a list."),
        ],
        make: { _ in FieldDescription() }
    )
}
