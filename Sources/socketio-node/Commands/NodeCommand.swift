import ArgumentParser

@main
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "socketio-node",
        abstract: "A Socket.IO server with roles, private fields and entity subscriptions; many of them are a cluster.",
        discussion: """
            Without a command it serves: on 127.0.0.1:3000, alone, with nothing to configure.

            Exit status: 0 success, 1 failure, 64 wrong usage, 69 a service it needs can't be reached, 78 the \
            configuration is wrong.
            """,
        version: NodeVersion.text,
        subcommands: [
            Serve.self, CheckConfig.self, ConfigCommand.self, Emit.self, Raw.self, Explain.self, TokenCommand.self,
            Health.self,
        ],
        defaultSubcommand: Serve.self
    )
}

enum NodeVersion {
    static let text = "0.1.0"
}
