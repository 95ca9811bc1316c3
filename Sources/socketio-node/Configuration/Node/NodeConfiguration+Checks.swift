import Gateway
import OrderedCollections
import SocketIOServer

extension NodeConfiguration {
    /// Reports what is wrong only because of another setting.
    func check(_ settings: Setting, problems: inout [ConfigurationProblem]) {
        if let publish = self.publish, publish.port != 0, publish.port == self.listen.port {
            problems.append(
                ConfigurationProblem(
                    settings["publish"]["port"],
                    value: "\(publish.port)",
                    "is also listen.port; expected another port, or 0 for a free one"
                )
            )
        }
        if self.publish?.stream != nil, self.redis == nil {
            problems.append(
                ConfigurationProblem(
                    settings["publish"]["stream"],
                    "needs Redis; expected adapter.type: redis, sharded or streams"
                )
            )
        }
        if let console = self.console, console.port != 0 {
            let others = [("listen.port", self.listen.port), ("publish.port", self.publish?.port)]
            if let (name, _) = others.first(where: { $0.1 == console.port }) {
                problems.append(
                    ConfigurationProblem(
                        settings["console"]["port"],
                        value: "\(console.port)",
                        "is also \(name); expected another port, or 0 for a free one"
                    )
                )
            }
        }
        if self.shutdown.delay >= self.shutdown.deadline {
            problems.append(
                ConfigurationProblem(
                    settings["shutdown"]["delay"],
                    "leaves no time before shutdown.deadline; expected a shorter delay"
                )
            )
        }
        if self.server.engine.transports.isEmpty {
            problems.append(
                ConfigurationProblem(settings["listen"]["transports"], "is empty; expected polling, websocket or both")
            )
        }
        let cors = settings["cors"]
        if cors["credentials"].bool == true, cors["origins"].texts.contains("*") {
            problems.append(
                ConfigurationProblem(
                    cors["origins"],
                    value: "*",
                    "would let every page in the world act with its visitors' cookies; expected the origins by name, "
                        + "or cors.credentials: false"
                )
            )
        }
        let jwt = settings["gateway"]["authentication"]["jwt"]
        let kinds = ["secret", "publicKey", "keySet", "keySetUrl"]
        for key in jwt["keys"].list where kinds.filter({ key[$0].isSet }).count > 1 {
            problems.append(
                ConfigurationProblem(
                    key,
                    "has several keys; expected one of secret, publicKey, keySet and keySetUrl an entry"
                )
            )
        }
        for key in jwt["keys"].list where !kinds.contains(where: { key[$0].isSet }) {
            problems.append(ConfigurationProblem(key, "has no key; expected secret, publicKey, keySet or keySetUrl"))
        }
        self.checkFields(settings["gateway"], problems: &problems)
        let locator = GatewayProblemLocator(settings: settings["gateway"])
        for problem in self.gateway.validate() {
            let located = locator.locate(problem)
            // A value that is wrong in itself was reported by the reader already.
            if problems.contains(where: { $0.path == located.path }) { continue }
            problems.append(located)
        }
    }

    /// What a field's type needs: a target, a component.
    private func checkFields(_ gateway: Setting, problems: inout [ConfigurationProblem]) {
        let owners = Array(gateway["contentTypes"].members.values) + Array(gateway["components"].members.values)
        for field in owners.flatMap({ $0["fields"].members.values }) {
            switch field["type"].text {
            case "component"? where !field["component"].isSet:
                problems.append(ConfigurationProblem(field, "has no component; expected component: <name>"))
            case "dynamiczone"? where field["components"].list.isEmpty:
                problems.append(ConfigurationProblem(field, "has no components; expected components: [<name>, …]"))
            case "relation"?, "component"?, "dynamiczone"?, nil:
                break
            case let type?:
                for name in ["target", "component"] where field[name].isSet {
                    problems.append(
                        ConfigurationProblem(field[name], "has no meaning for a field of type \(type); remove it")
                    )
                }
            }
        }
    }
}
