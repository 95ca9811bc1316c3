/// What a person reads after the start: where the node is and how to try it.
struct Banner: Sendable {
    var host: String
    var port: Int
    var path: String
    var adapter: String
    /// A token that was made for this run.
    var token: String?
    /// Whether any token could use the publish API.
    var canPublish = true

    func text(publishHost: String?, publishPort: Int?) -> String {
        let url = Self.url(self.host, self.port)
        var lines = [
            "socketio-node \(NodeVersion.text)",
            "  clients   \(url)   (path \(self.path), adapter \(self.adapter))",
            "  health    \(url)/healthz  \(url)/readyz",
        ]
        guard let publishHost, let publishPort else { return lines.joined(separator: "\n") + "\n" }
        let publishURL = Self.url(publishHost, publishPort)
        lines.append(
            self.canPublish
                ? "  publish   \(publishURL)/io   (HTTP, with an API token)"
                : "  publish   \(publishURL)/io   (refuses everybody until `socketio-node token create` has made a token)"
        )
        guard let token = self.token else { return lines.joined(separator: "\n") + "\n" }
        lines += [
            "",
            "Try it: connect any Socket.IO client of version 3 or 4, for example in JavaScript",
            "    io(\"\(url)\").onAny((event, data) => console.log(event, data))",
            "and publish to it from another terminal (the token is made for this run):",
            "    export SOCKETIO_URL=\(publishURL) SOCKETIO_TOKEN=\(token)",
            "    swift run -c release socketio-node raw hello '{\"text\": \"Hello\"}'",
            "or  curl -H \"Authorization: Bearer $SOCKETIO_TOKEN\" -d '{\"event\": \"hello\", \"data\": 1}' $SOCKETIO_URL/io/raw",
            "",
            "Next: config/node.yaml, the complete configuration; `socketio-node --help`.",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func url(_ host: String, _ port: Int) -> String {
        let reachable =
            switch host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "[::1]"
            default: host.contains(":") ? "[\(host)]" : host
            }
        return "http://\(reachable):\(port)"
    }
}
