import Foundation
import Gateway
import NIOCore
import OrderedCollections
import SocketIOServer

extension GatewayConfiguration {
    /// The gateway's part of the configuration; what was reported as wrong counts as missing.
    init(_ settings: Setting) {
        self.init()
        self.contentTypes = settings["contentTypes"].members.map { ContentType(uid: $0.key, $0.value) }
        self.components = settings["components"].members.map { Component(uid: $0.key, $0.value) }
        let defaults = self.roles
        self.roles = settings["roles"].members.map { Role(type: $0.key, $0.value) }
        for role in defaults where !self.roles.contains(where: { $0.type == role.type }) { self.roles.append(role) }
        self.apiTokens = settings["apiTokens"].members.map { APIToken(name: $0.key, $0.value) }
        self.apiTokenSalt = settings["apiTokenSalt"].text ?? ""
        self.authentication = Authentication(settings["authentication"])
        self.security = Security(settings["security"])
        self.events = Events(settings["events"])
        self.rooms = Rooms(settings["rooms"])
        self.entitySubscriptions = EntitySubscriptions(settings["entitySubscriptions"])
        self.limits = Limits(settings["limits"])
        self.namespaces = settings["namespaces"].members.map { name, namespace in
            GatewayNamespace(
                name: name,
                requireAuth: namespace["requireAuth"].bool ?? false,
                roles: namespace["roles"].texts,
                tokens: namespace["tokens"].texts,
                inheritsChecks: namespace["inheritsChecks"].bool ?? true
            )
        }
        settings["clusterTimeout"].read(into: &self.clusterTimeout)
    }
}

extension Field {
    /// The fields of a content type or component.
    fileprivate static func fields(_ settings: Setting) -> [String: Field] {
        settings.members.reduce(into: [:]) { fields, entry in
            let (name, field) = entry
            let component = field["component"].text.map { [$0] }
            fields[name] = Field(
                type: field["type"].text ?? "",
                isPrivate: field["private"].bool ?? false,
                isRepeatable: field["repeatable"].bool ?? false,
                target: field["target"].text,
                components: component ?? field["components"].texts
            )
            // A field that was reported as wrong must not become an unknown one that may be kept.
            if fields[name] == nil { fields[name] = Field(.json, isPrivate: true) }
        }
    }
}

extension ContentType {
    fileprivate init(uid: String, _ settings: Setting) {
        self.init(
            uid: uid,
            singularName: settings["singularName"].text,
            pluralName: settings["pluralName"].text,
            displayName: settings["displayName"].text,
            kind: settings["kind"].text.flatMap { Kind(rawValue: $0) } ?? .collection,
            eventPrefix: settings["eventPrefix"].text,
            actions: Set(settings["actions"].texts),
            populate: Populate(settings["populate"]),
            fields: Field.fields(settings["fields"]),
            privateAttributes: Set(settings["privateAttributes"].texts),
            populateCreatorFields: settings["populateCreatorFields"].bool ?? false,
            draftAndPublish: settings["draftAndPublish"].bool ?? false,
            unknownFields: settings["unknownFields"].text.flatMap { UnknownFields(rawValue: $0) },
            ownerField: settings["ownerField"].text,
            idFields: settings["idFields"].texts,
            delivery: settings["delivery"].text.flatMap { Delivery(rawValue: $0) } ?? .roles
        )
    }
}

extension Component {
    fileprivate init(uid: String, _ settings: Setting) {
        self.init(
            uid: uid,
            fields: Field.fields(settings["fields"]),
            unknownFields: settings["unknownFields"].text.flatMap { ContentType.UnknownFields(rawValue: $0) }
        )
    }
}

extension Populate {
    /// `"*"`, `none`, a list of paths, or a map of relations to `true`, to one of these forms, or to
    /// `{fields, populate}`.
    fileprivate init?(_ setting: Setting) {
        switch setting.value {
        case .text("*"), .bool(true): self = .all
        case .text, .bool: self = .none
        case .list(let paths): self = .paths(paths.compactMap(\.text))
        case .members(let members):
            self = .tree(
                members.compactMapValues { member in
                    switch member.value {
                    case .bool(false), .text("none"): nil
                    case .bool(true): Node()
                    case .members(let inner) where inner["fields"] != nil || inner["populate"] != nil:
                        Node(
                            fields: inner["fields"].map { Set($0.texts) },
                            populate: inner["populate"].flatMap { Populate($0) }
                        )
                    default: Node(populate: Populate(member))
                    }
                }.reduce(into: [:]) { $0[$1.key] = $1.value }
            )
        case .integer, .unset: return nil
        }
    }
}

extension Role {
    fileprivate init(type: String, _ settings: Setting) {
        self.init(
            type: type,
            name: settings["name"].text,
            id: settings["id"].text.map { text in Int(text).map { .int($0) } ?? .string(text) },
            scopes: settings["scopes"].texts.compactMap { Scope($0) },
            canConnect: settings["canConnect"].bool ?? true,
            autoJoin: settings["autoJoin"].texts,
            joinPolicy: settings["joinPolicy"].texts,
            fields: settings["fields"].members.reduce(into: [:]) { rules, entry in
                rules[entry.key] = FieldRule(
                    allow: entry.value["allow"].isSet ? Set(entry.value["allow"].texts) : nil,
                    deny: Set(entry.value["deny"].texts)
                )
            }
        )
    }
}

extension APIToken {
    fileprivate init(name: String, _ settings: Setting) {
        self.init(
            name: name,
            kind: settings["type"].text.flatMap { Kind(rawValue: $0) } ?? .custom,
            hash: settings["hash"].text ?? "",
            scopes: settings["scopes"].texts.compactMap { Scope($0) },
            expiresAt: settings["expiresAt"].text.flatMap(TextRule.parseDate)?.timeIntervalSince1970,
            // A token whose end can't be read must not become one without end.
            isRevoked: settings["revoked"].bool ?? true
        )
    }
}

extension GatewayConfiguration.Authentication {
    fileprivate init(_ settings: Setting) {
        self.init()
        settings["mode"].read(into: &self.mode)
        settings["timeout"].read(into: &self.timeout)
        settings["publicRole"].read(into: &self.publicRole)
        settings["defaultRole"].read(into: &self.defaultRole)
        settings["maximumFailures"].read(into: &self.maximumFailures)
        settings["failureWindow"].read(into: &self.failureWindow)
        self.jwt = JWTConfiguration(settings["jwt"])
    }
}

extension JWTConfiguration {
    /// - Returns: `nil` if no key is given.
    fileprivate init?(_ settings: Setting) {
        var keys = settings["secret"].text.map { [Key(.secret($0))] } ?? []
        for key in settings["keys"].list {
            let id = key["id"].text
            if let secret = key["secret"].text { keys.append(Key(.secret(secret), id: id)) }
            if let pem = key["publicKey"].text { keys.append(Key(.publicKey(pem: pem), id: id)) }
            if let json = key["keySet"].text { keys.append(Key(.keySet(json: json), id: id)) }
        }
        guard !keys.isEmpty else { return nil }
        self.init(keys: keys)
        self.algorithms = settings["algorithms"].isSet ? Set(settings["algorithms"].texts) : nil
        self.issuer = settings["issuer"].text
        self.audience = settings["audience"].text
        self.leeway = Double(settings["leeway"].integer ?? 0) / 1000
        settings["requiresExpiration"].read(into: &self.requiresExpiration)
        let claims = settings["claims"]
        claims["id"].read(into: &self.claims.id)
        claims["role"].read(into: &self.claims.role)
        claims["username"].read(into: &self.claims.username)
        claims["email"].read(into: &self.claims.email)
    }
}

extension GatewayConfiguration.Security {
    fileprivate init(_ settings: Setting) {
        self.init()
        settings["requireAuthentication"].read(into: &self.requireAuthentication)
        self.ipWhitelist = settings["ipWhitelist"].texts
        self.ipBlacklist = settings["ipBlacklist"].texts
        self.trustedProxies = settings["trustedProxies"].texts
        self.maximumConnections = settings["maximumConnections"].integer
    }
}

extension GatewayConfiguration.Events {
    fileprivate init(_ settings: Setting) {
        self.init()
        settings["payloadFormat"].read(into: &self.payloadFormat)
        settings["receivePolicy"].read(into: &self.receivePolicy)
        settings["actionAliases"].read(into: &self.actionAliases)
        settings["customEventNames"].read(into: &self.customEventNames)
        settings["onlyPublished"].read(into: &self.onlyPublished)
        self.excludeFields = settings["excludeFields"].texts
        self.sensitiveFields = settings["sensitiveFields"].texts
        self.sensitivePatterns = settings["sensitivePatterns"].texts
        settings["operatorsReceiveEvents"].read(into: &self.operatorsReceiveEvents)
        settings["rememberedEventIDs"].read(into: &self.rememberedEventIDs)
    }
}

extension GatewayConfiguration.Rooms {
    fileprivate init(_ settings: Setting) {
        self.init()
        settings["enablePrivateRooms"].read(into: &self.enablePrivateRooms)
        settings["messagePolicy"].read(into: &self.messagePolicy)
        settings["allowsColon"].read(into: &self.allowsColon)
        settings["allowsDot"].read(into: &self.allowsDot)
        settings["maximumNameLength"].read(into: &self.maximumNameLength)
        settings["maximumRoomsPerSocket"].read(into: &self.maximumRoomsPerSocket)
        self.defaultRooms = settings["defaultRooms"].texts
    }
}

extension GatewayConfiguration.EntitySubscriptions {
    fileprivate init(_ settings: Setting) {
        self.init()
        settings["enabled"].read(into: &self.enabled)
        settings["mode"].read(into: &self.mode)
        settings["maximumSubscriptionsPerSocket"].read(into: &self.maximumSubscriptionsPerSocket)
        self.allowedContentTypes = settings["allowedContentTypes"].texts
        settings["rememberedIDs"].read(into: &self.rememberedIDs)
    }
}

extension GatewayConfiguration.Limits {
    fileprivate init(_ settings: Setting) {
        self.init()
        if let questions = settings["questionsPerSecond"].integer { self.questions = RateLimit(perSecond: questions) }
        if let changes = settings["changesPerSecond"].integer {
            self.changes = RateLimit(perSecond: changes, burst: 4 * changes)
        }
    }
}

extension Setting {
    /// Takes the value over; what was reported as wrong changes nothing.
    fileprivate func read(into value: inout Bool) { if let bool = self.bool { value = bool } }
    fileprivate func read(into value: inout Int) { if let integer = self.integer { value = integer } }
    fileprivate func read(into value: inout String) { if let text = self.text { value = text } }
    fileprivate func read(into value: inout TimeAmount) { if let time = self.time { value = time } }
    fileprivate func read<Choice: RawRepresentable<String>>(into value: inout Choice) {
        if let choice = self.text.flatMap({ Choice(rawValue: $0) }) { value = choice }
    }
}

/// Finds the place in the configuration of a problem that the gateway names by its own, indexed paths.
struct GatewayProblemLocator {
    let settings: Setting

    /// `contentTypes[1].fields.author.target` is the second entry of the map `contentTypes`, and so on.
    func locate(_ problem: Gateway.ConfigurationProblem) -> ConfigurationProblem {
        var setting = self.settings
        for step in problem.path.split(separator: ".", omittingEmptySubsequences: false) {
            let bracket = step.firstIndex(of: "[")
            let name = String(bracket.map { step[..<$0] } ?? step)
            let index = bracket.flatMap { Int(step[step.index(after: $0)...].dropLast()) }
            let next = self.member(name, of: setting)
            guard next.isSet || index == nil else { break }
            if next.isSet {
                setting = next
            } else if case .members(let members) = setting.value, members[name] != nil {
                // What is missing has no place of its own.
                setting = Setting(path: next.path, origin: setting.origin, value: .unset)
            }
            guard let index else { continue }
            switch setting.value {
            case .list(let elements) where elements.indices.contains(index): setting = elements[index]
            case .members(let members) where members.values.indices.contains(index):
                setting = members.values[index]
            default: break
            }
        }
        let value = problem.value.hasPrefix("(") || problem.value.isEmpty ? nil : problem.value
        return ConfigurationProblem(path: setting.path, origin: setting.origin, value: value, message: problem.advice)
    }

    /// The member of that name; names of content types hold dots, so a step may be only the first part of one.
    private func member(_ name: String, of setting: Setting) -> Setting {
        if case .members(let members) = setting.value, members[name] == nil,
            let longer = members.first(where: { $0.key.hasPrefix(name + ".") })
        {
            return longer.value
        }
        return setting[name]
    }
}
