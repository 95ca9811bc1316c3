import ArgumentParser

/// Reports every error of a configuration at once; starts nothing.
struct CheckConfig: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration: every error with its place, its value and what would be right."
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print every key with its value and where it came from; secrets stay hidden.")
    var effective = false

    @Flag(help: "Print a complete, commented configuration file with the defaults.")
    var template = false

    func run() async throws {
        if self.template {
            print(ConfigurationTemplate.text, terminator: "")
            return
        }
        let loaded = try self.options.loadOrExit()
        for warning in loaded.warnings { StandardError.write("warning: \(warning)") }
        if self.effective {
            for line in EffectiveConfiguration.lines(loaded.settings) { print(line) }
        } else {
            print("\(loaded.file ?? "The configuration (no file given)") is correct.")
        }
    }
}
