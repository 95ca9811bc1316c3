import ArgumentParser
import Foundation
import Logging

/// Runs a node until it is told to stop.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node until SIGTERM or SIGINT (the default); SIGHUP makes it read its settings again."
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
        // Writing to a pipe that nobody reads any more is an error, not the end.
        signal(SIGPIPE, SIG_IGN)
        // It asks for the settings to be read again, and until the node serves there is nothing to read again.
        signal(SIGHUP, SIG_IGN)
        let log = NodeLog(loaded.node.logging)
        LoggingSystem.bootstrap { log.handler(label: $0) }
        let logger = Logger(label: "socketio-node")
        for warning in loaded.warnings { logger.warning("\(warning)") }
        do {
            let options = self.options
            let process = NodeProcess(loaded, load: { try options.load(document: $0) }, log: log, logger: logger)
            try await process.run()
        } catch let error as NodeStartError {
            log.complain("\(error)")
            log.flush()
            throw ExitCode(error.exitStatus)
        } catch {
            log.complain("\(error)")
            log.flush()
            throw ExitCode.failure
        }
        log.flush()
    }
}
