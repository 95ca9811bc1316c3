import ArgumentParser

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
            everything else. A configuration with errors is not shown; the errors are, with exit status 78.
            """
    )

    @Flag(
        help: "Say behind each value where it is from: the file with its line, the environment, an option, the default."
    )
    var origin = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let loaded = try self.options.loadOrExit()
        for warning in loaded.warnings { StandardError.write("warning: \(warning)") }
        print(EffectiveConfiguration.yaml(loaded.settings, withOrigin: self.origin), terminator: "")
    }
}
