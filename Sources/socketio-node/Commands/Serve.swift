import ArgumentParser
import Foundation
import Logging

/// Runs a node until it is told to stop.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node until SIGTERM, SIGINT or SIGHUP (the default)."
    )

    @OptionGroup var options: ConfigurationOptions

    /// What is left over: as this is the default command, the name of one that does not exist.
    @Argument(help: .hidden) var rest: [String] = []

    func validate() throws {
        guard let name = self.rest.first else { return }
        let names = NodeCommand.configuration.subcommands.map { command in
            command.configuration.commandName ?? "\(command)".lowercased()
        }
        let hint = SettingNames.nearest(to: name, among: names).map { " Did you mean '\($0)'?" } ?? ""
        throw ValidationError(
            "There is no command '\(name)'.\(hint) The commands are \(names.joined(separator: ", "))."
        )
    }

    func run() async throws {
        let loaded = try self.options.loadOrExit()
        for warning in loaded.warnings { StandardError.write("warning: \(warning)") }
        let logging = loaded.node.logging
        LoggingSystem.bootstrap { label in
            switch logging.format {
            case .json:
                return JSONLogHandler(label: label, level: logging.level)
            case .text:
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = logging.level
                return handler
            }
        }
        do {
            try await NodeProcess(loaded, logger: Logger(label: "socketio-node")).run()
        } catch let error as NodeStartError {
            StandardError.write("\(error)")
            throw ExitCode(error.exitStatus)
        }
    }
}
