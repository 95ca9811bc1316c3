import SocketIOWire

/// Content types, components and their fields.
extension Validation {
    mutating func checkContentTypes(
        _ configuration: GatewayConfiguration,
        types: ConfigurationNames,
        components: ConfigurationNames
    ) {
        var seen = ConfigurationNames()
        var eventNames: [UTF8Text: String] = [:]
        for (index, type) in configuration.contentTypes.enumerated() {
            let path = "contentTypes[\(index)]"
            if type.uid != ContentType.wildcardUID && !ContentType.isValidUID(type.uid) {
                self.report(
                    "\(path).uid",
                    type.uid,
                    "must look like 'api::article.article' or 'plugin::users.user' (small letters, digits, dashes), or be '*'"
                )
            }
            if !seen.insert(type.uid) {
                self.report("\(path).uid", type.uid, "is there already; each content type may appear once")
            }
            if type.uid != ContentType.wildcardUID {
                let prefix = type.eventPrefix ?? type.singularName
                if !Self.isEventName(prefix) {
                    self.report(
                        "\(path).\(type.eventPrefix == nil ? "singularName" : "eventPrefix")",
                        prefix,
                        "must be 1 to 64 letters, digits, '-', '_', '.' or ':'"
                    )
                }
                if let other = eventNames.updateValue(type.uid, forKey: UTF8Text(prefix)),
                    UTF8Text(other) != UTF8Text(type.uid)
                {
                    self.report(
                        "\(path).singularName",
                        prefix,
                        "is also the name of '\(other)', so that their events could not be told apart; set eventPrefix"
                    )
                }
            }
            for action in type.actions.sorted() where action != "*" && !Self.isEventName(action) {
                self.report("\(path).actions", action, "must be an event's name: letters, digits, '-', '_', '.' or ':'")
            }
            self.checkFields(type.fields, "\(path).fields", types: types, components: components)
            if type.idFields.isEmpty {
                self.report("\(path).idFields", "", "must name at least one field, such as 'documentId' or 'id'")
            }
            for (position, field) in type.idFields.enumerated() {
                self.checkIDField(field, "\(path).idFields[\(position)]", type)
            }
            if let owner = type.ownerField, owner.isEmpty {
                self.report(
                    "\(path).ownerField",
                    owner,
                    "must be the name of the field with the owner's id, or be left out"
                )
            }
            self.checkCoalescing(type, path)
            if let populate = type.populate, !type.fields.isEmpty {
                self.checkPopulate(populate, "\(path).populate", fields: type.fields, configuration)
            }
        }
    }

    mutating func checkCoalescing(_ type: ContentType, _ path: String) {
        if type.coalescing < .zero || type.coalescing > ContentType.maximumCoalescing {
            self.report("\(path).coalesce", "\(type.coalescing)", "must be 0 to 10 seconds")
        }
        if type.sendsBulk && type.coalescing == .zero {
            self.report(
                "\(path).bulk",
                "true",
                "needs a time in coalesce, for only updates that are held become a list"
            )
        }
    }

    /// Nobody could ever subscribe by a field that holds no ids.
    mutating func checkIDField(_ field: String, _ path: String, _ type: ContentType) {
        switch type.fields[field]?.kind {
        case nil:
            // Every entry may have these fields. Types that keep undeclared fields may have any field.
            if field != "id" && field != "documentId" && type.effectiveUnknownFields == .drop {
                self.report(path, field, "is no field of the content type; declare it in fields")
            }
        case .scalar(let scalar):
            switch scalar {
            case .string, .text, .email, .uid, .enumeration, .integer, .biginteger: break
            case .richtext, .blocks, .float, .decimal, .boolean, .date, .time, .datetime, .timestamp:
                self.report(path, field, "is of type \(scalar.rawValue), which is no id; name a text or a whole number")
            }
        case .json, .password, .relation, .morph, .media, .component, .dynamicZone:
            self.report(path, field, "holds no id; name a field of text or of whole numbers")
        }
    }

    mutating func checkComponents(
        _ configuration: GatewayConfiguration,
        types: ConfigurationNames,
        components: ConfigurationNames
    ) {
        var seen = ConfigurationNames()
        for (index, component) in configuration.components.enumerated() {
            let path = "components[\(index)]"
            if component.uid.isEmpty || component.uid.utf8.count > 128 {
                self.report("\(path).uid", component.uid, "must be a name such as 'shared.seo'")
            }
            if !seen.insert(component.uid) {
                self.report("\(path).uid", component.uid, "is there already; each component may appear once")
            }
            if types.contains(component.uid) {
                self.report("\(path).uid", component.uid, "is the uid of a content type as well")
            }
            self.checkFields(component.fields, "\(path).fields", types: types, components: components)
        }
    }

    mutating func checkFields(
        _ fields: [String: Field],
        _ path: String,
        types: ConfigurationNames,
        components: ConfigurationNames
    ) {
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
            switch field.kind {
            case .relation(let target):
                if !types.contains(target) && target != Schema.fileUID {
                    self.report(
                        "\(path).\(name).target",
                        target,
                        "is no content type of this configuration; add it to contentTypes"
                    )
                }
            case .component(let uid):
                if !components.contains(uid) {
                    self.report(
                        "\(path).\(name).component",
                        uid,
                        "is no component of this configuration; add it to components"
                    )
                }
            case .dynamicZone(let uids):
                if uids.isEmpty {
                    self.report("\(path).\(name).components", "", "must name at least one component")
                }
                for uid in uids where !components.contains(uid) {
                    self.report(
                        "\(path).\(name).components",
                        uid,
                        "is no component of this configuration; add it to components"
                    )
                }
            case .scalar, .json, .password, .morph, .media:
                break
            }
        }
    }

    mutating func checkPopulate(
        _ populate: Populate,
        _ path: String,
        fields: [String: Field],
        _ configuration: GatewayConfiguration
    ) {
        switch populate {
        case .all, .none:
            break
        case .paths(let paths):
            for text in paths {
                let first = text.split(separator: ".").first.map(String.init) ?? ""
                if first != "*" && fields[first] == nil {
                    self.report(path, text, "starts with a field that the content type doesn't have")
                }
            }
        case .tree(let nodes):
            for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
                guard let field = fields[name] else {
                    self.report("\(path).\(name)", name, "is no field of the content type")
                    continue
                }
                guard let below = node.populate, case .relation(let target) = field.kind,
                    let type = configuration.contentTypes.first(where: { $0.uid == target }), !type.fields.isEmpty
                else { continue }
                self.checkPopulate(below, "\(path).\(name).populate", fields: type.fields, configuration)
            }
        }
    }
}
