import Foundation
import Gateway
import NIOCore
import OrderedCollections

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
        self.namespaces = settings["namespaces"].members.map { name, namespace in
            GatewayNamespace(
                name: name,
                requireAuth: namespace["requireAuth"].bool ?? false,
                roles: namespace["roles"].texts,
                inheritsChecks: namespace["inheritsChecks"].bool ?? true
            )
        }
        self.clusterTimeout = settings["clusterTimeout"].time ?? self.clusterTimeout
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
        self.mode = settings["mode"].text.flatMap { Mode(rawValue: $0) } ?? self.mode
        self.timeout = settings["timeout"].time ?? self.timeout
        self.publicRole = settings["publicRole"].text ?? self.publicRole
        self.defaultRole = settings["defaultRole"].text ?? self.defaultRole
        self.maximumFailures = settings["maximumFailures"].integer ?? self.maximumFailures
        self.failureWindow = settings["failureWindow"].time ?? self.failureWindow
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
        self.requiresExpiration = settings["requiresExpiration"].bool ?? false
        let claims = settings["claims"]
        self.claims.id = claims["id"].text ?? self.claims.id
        self.claims.role = claims["role"].text ?? self.claims.role
        self.claims.username = claims["username"].text ?? self.claims.username
        self.claims.email = claims["email"].text ?? self.claims.email
    }
}

extension GatewayConfiguration.Security {
    fileprivate init(_ settings: Setting) {
        self.init()
        self.requireAuthentication = settings["requireAuthentication"].bool ?? self.requireAuthentication
        self.ipWhitelist = settings["ipWhitelist"].texts
        self.ipBlacklist = settings["ipBlacklist"].texts
        self.trustedProxies = settings["trustedProxies"].texts
        self.maximumConnections = settings["maximumConnections"].integer
    }
}

extension GatewayConfiguration.Events {
    fileprivate init(_ settings: Setting) {
        self.init()
        self.payloadFormat =
            settings["payloadFormat"].text.flatMap { PayloadFormat(rawValue: $0) } ?? self.payloadFormat
        self.receivePolicy =
            settings["receivePolicy"].text.flatMap { ReceivePolicy(rawValue: $0) } ?? self.receivePolicy
        self.actionAliases = settings["actionAliases"].bool ?? self.actionAliases
        self.customEventNames = settings["customEventNames"].bool ?? self.customEventNames
        self.onlyPublished = settings["onlyPublished"].bool ?? self.onlyPublished
        self.excludeFields = settings["excludeFields"].texts
        self.sensitiveFields = settings["sensitiveFields"].texts
        self.sensitivePatterns = settings["sensitivePatterns"].texts
        self.operatorsReceiveEvents = settings["operatorsReceiveEvents"].bool ?? self.operatorsReceiveEvents
        self.rememberedEventIDs = settings["rememberedEventIDs"].integer ?? self.rememberedEventIDs
    }
}

extension GatewayConfiguration.Rooms {
    fileprivate init(_ settings: Setting) {
        self.init()
        self.enablePrivateRooms = settings["enablePrivateRooms"].bool ?? self.enablePrivateRooms
        self.allowsColon = settings["allowsColon"].bool ?? self.allowsColon
        self.allowsDot = settings["allowsDot"].bool ?? self.allowsDot
        self.maximumNameLength = settings["maximumNameLength"].integer ?? self.maximumNameLength
        self.maximumRoomsPerSocket = settings["maximumRoomsPerSocket"].integer ?? self.maximumRoomsPerSocket
        self.defaultRooms = settings["defaultRooms"].texts
    }
}

extension GatewayConfiguration.EntitySubscriptions {
    fileprivate init(_ settings: Setting) {
        self.init()
        self.enabled = settings["enabled"].bool ?? self.enabled
        self.mode = settings["mode"].text.flatMap { SubscriptionMode(rawValue: $0) } ?? self.mode
        self.maximumSubscriptionsPerSocket =
            settings["maximumSubscriptionsPerSocket"].integer ?? self.maximumSubscriptionsPerSocket
        self.allowedContentTypes = settings["allowedContentTypes"].texts
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
