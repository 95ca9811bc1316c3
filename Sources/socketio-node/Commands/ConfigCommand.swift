import ArgumentParser
import Gateway
import Logging
import RESP
import RedisAdapters
import RedisGateway

/// Prints what the table of settings says, and what a configuration makes of it.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show and compare configurations; print the reference of all settings.",
        discussion: """
            docs and schema tell what can be set, show tells what is set and by whom, diff tells what changes between two \
            files. Secrets are never printed. `socketio-node check-config` reports errors.
            """,
        subcommands: [ConfigDocs.self, ConfigSchema.self, ConfigShow.self, ConfigDiff.self]
    )
}

/// Prints the reference page.
struct ConfigDocs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docs",
        abstract: "Print the reference of all settings, as Markdown.",
        discussion: "It is the page docs/configuration.md."
    )

    func run() async throws {
        print(ConfigurationReference.text, terminator: "")
    }
}

/// Prints the JSON Schema.
struct ConfigSchema: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of configuration files, for editors.",
        discussion: """
            Example: socketio-node config schema > node.schema.json

            Editors that understand YAML complete and check a file that begins with the line

                # yaml-language-server: $schema=node.schema.json
            """
    )

    func run() async throws {
        print(ConfigurationSchema.text, terminator: "")
    }
}

/// Prints every value that is in force.
struct ConfigShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print the effective configuration as YAML; secrets stay hidden.",
        discussion: """
            Example: socketio-node config show --config node.yaml --origin

            The values are those of the file, the environment and the options, where a later one wins, and the defaults of \
            everything else. With --document those of the settings document, too, which is stronger than the file and weaker than \
            the environment; it is read from the Redis of the configuration. A configuration with errors is not shown; the errors are, with exit status 78.
            """
    )

    @Flag(
        help: "Say behind each value where it is from: the file with its line, the environment, an option, the default."
    )
    var origin = false

    @Flag(help: "Read the settings document of the cluster as well, from its Redis.")
    var document = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        var loaded = try self.options.loadOrExit()
        if self.document { loaded = try await self.withDocument(loaded) }
        for warning in loaded.warnings { StandardError.write("warning: \(warning)") }
        print(EffectiveConfiguration.yaml(loaded.settings, withOrigin: self.origin), terminator: "")
    }

    /// The configuration with the document that is there now, right or wrong.
    private func withDocument(_ loaded: LoadedConfiguration) async throws -> LoadedConfiguration {
        guard let redis = loaded.node.redis else {
            StandardError.write("There is no settings document without Redis (adapter.type).")
            throw ExitCode(78)
        }
        let client = RESPClient(
            configuration: redis.connection,
            logger: Logger(label: "redis", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let stored: StoredSettings?
        do {
            try await client.connect()
            stored = try await RedisSharing(client: client, prefix: redis.classic.key).sharing.settings.read(
                unless: nil
            )
            await client.close()
        } catch {
            await client.close()
            StandardError.write("The settings document could not be read: \(error)")
            throw ExitCode(1)
        }
        if let problem = stored?.problem {
            StandardError.write("There is no settings document: \(problem)")
            throw ExitCode(78)
        }
        do {
            return try self.options.load(document: stored?.document)
        } catch let error as ConfigurationError {
            StandardError.write("\(error)")
            throw ExitCode(78)
        }
    }
}
