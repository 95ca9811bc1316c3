import Testing

@testable import socketio_node

/// No secret appears anywhere but in the values that the node works with.
@Suite(.timeLimit(.minutes(1)))
struct SecretSettingsTests {
    private static let canary = "CANARY-7f3a-more-than-thirty-two-bytes"

    private static func yaml(_ path: some Collection<String>, _ value: String) -> String {
        path.reversed().reduce(value) { inner, name in
            name == "[]" ? "[\(inner)]" : "{\(SettingLiteral.yaml(name)): \(inner)}"
        }
    }

    private static func outputs(_ yaml: String?, environment: [String: String] = [:], flags: [String] = []) -> String {
        let loaded = load(
            yaml,
            environment: environment,
            flags: flags,
            files: ["file": Self.canary, "short": "CANARY"]
        )
        var lines = loaded.problems + loaded.warnings + EffectiveConfiguration.lines(loaded.settings)
        lines.append(EffectiveConfiguration.yaml(loaded.settings, withOrigin: false))
        lines.append(EffectiveConfiguration.yaml(loaded.settings, withOrigin: true))
        for (old, new) in [(loaded.settings, load().settings), (load().settings, loaded.settings)] {
            lines += SettingDifference.all(from: old, to: new).map { "\($0)" }
        }
        if let redis = loaded.node.redis { lines += [redis.summary, "\(redis.connection)"] }
        return lines.joined(separator: "\n")
    }

    @Test func placesAreKnown() {
        #expect(
            Secrets.places.map { $0.joined(separator: ".") } == [
                "adapter.redis.url", "gateway.authentication.jwt.secret", "gateway.authentication.jwt.keys.[].secret",
                "gateway.authentication.jwt.keys.[].publicKey", "gateway.authentication.jwt.keys.[].keySet",
                "gateway.authentication.lookup.token", "gateway.apiTokenSalt", "gateway.webhooks.editor.secret",
                "gateway.webhooks.editor.previousSecret",
            ]
        )
    }

    @Test(arguments: Secrets.places)
    func nothingShowsIt(place: [String]) {
        let kept = "redis://user:\(Self.canary)@h"
        // Right; wrong in itself; of another shape.
        for value in [kept, Self.canary, "CANARY", "[\(Self.canary)]", "{a: \(Self.canary)}", "[{a: CANARY}]"] {
            let output = Self.outputs(Self.yaml(place, value))
            #expect(!output.contains("CANARY"), "\(output)")
            #expect(output.contains("(hidden)") || output.contains(": is a "), "\(output)")
        }
        // In the place of each group around it.
        for count in 1..<place.count {
            let output = Self.outputs(Self.yaml(place.prefix(count), Self.canary))
            #expect(!output.contains("CANARY"), "\(output)")
        }
        // With the file's key beside it.
        let name = place[place.count - 1]
        for members in ["\(name): \(Self.canary), \(name)File: short", "\(name)File: file", "\(name)File: short"] {
            #expect(!Self.outputs(Self.yaml(place.dropLast(), "{\(members)}")).contains("CANARY"))
        }
    }

    @Test(arguments: Secrets.places.filter { !$0.contains("[]") })
    func norFromTheEnvironmentOrFlags(place: [String]) {
        let path = place.joined(separator: ".")
        let variable = SettingNames.environmentName(of: path)
        for value in [Self.canary, "CANARY", "redis://u:\(Self.canary)@:x", "{\(Self.canary): [", "&\(Self.canary)"] {
            for output in [
                Self.outputs(nil, environment: [variable: value]), Self.outputs(nil, flags: ["\(path)=\(value)"]),
                Self.outputs(nil, flags: ["\(path):\(value)"]), Self.outputs(nil, flags: ["\(path) \(value)"]),
            ] {
                #expect(!output.contains("CANARY"), "\(output)")
            }
        }
        let group = place.dropLast().joined(separator: ".")
        #expect(!Self.outputs(nil, flags: ["\(group)=\(Self.canary)"]).contains("CANARY"))
    }

    /// A list of keys is given as a whole.
    @Test(arguments: [
        "CANARY", "[CANARY]", "[{secret: CANARY}]", "{secret: CANARY}", "[{secret: [CANARY", "CANARY, CANARY",
    ])
    func norOfAList(value: String) {
        let variable = SettingNames.environmentName(of: "gateway.authentication.jwt.keys")
        #expect(!Self.outputs(nil, environment: [variable: value]).contains("CANARY"))
        #expect(!Self.outputs(nil, flags: ["gateway.authentication.jwt.keys=\(value)"]).contains("CANARY"))
    }

    /// Where the hash belongs, somebody may have put the token.
    @Test func norATokenInThePlaceOfItsHash() {
        for value in ["{a: {hash: CANARY}}", "{a: CANARY}", "CANARY", "[CANARY]", "{a: {hash: [CANARY]}}"] {
            #expect(!Self.outputs("gateway: {apiTokens: \(value)}").contains("CANARY"), "\(value)")
        }
    }
}

private enum Secrets {
    /// A place of a secret: the keys that lead to it, where `[]` stands for the only element of a list.
    static let places: [[String]] = {
        var places: [[String]] = []
        func collect(_ fields: [SettingField], _ path: [String]) {
            for field in fields {
                switch field.kind {
                case .secret: places.append(path + [field.name])
                case .record(let members): collect(members, path + [field.name])
                case .list(.record(let members)): collect(members, path + [field.name, "[]"])
                case .map(let rule, .record(let members)): collect(members, path + [field.name, rule.example])
                default: break
                }
            }
        }
        collect(SettingTable.root, [])
        return places
    }()
}
