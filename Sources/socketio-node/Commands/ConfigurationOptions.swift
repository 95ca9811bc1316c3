import ArgumentParser
import Foundation
import Gateway

/// The options of every command that reads the node's configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("config")],
        help: "The configuration file; SOCKETIO_CONFIG if not given; defaults without either."
    )
    var file: String?

    @Option(name: .long, help: ArgumentHelp("Sets a key: --set listen.port=3000. Repeatable.", valueName: "key=value"))
    var set: [String] = []

    @Option(name: .long, help: "The address to listen on; short for --set listen.host=…")
    var host: String?

    @Option(name: [.short, .long], help: "The port to listen on; short for --set listen.port=…")
    var port: String?

    @Option(name: .long, help: ArgumentHelp("Join the cluster on this Redis.", valueName: "url"))
    var redis: String?

    /// Reads the file, the settings document, the environment and these options.
    ///
    /// - Throws: ``ConfigurationError`` with every problem.
    func load(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        document: SettingsDocument? = nil
    ) throws -> LoadedConfiguration {
        var flags: [String] = []
        if let host = self.host { flags.append("listen.host=\(host)") }
        if let port = self.port { flags.append("listen.port=\(port)") }
        if let redis = self.redis { flags += ["adapter.type=redis", "adapter.redis.url=\(redis)"] }
        flags += self.set
        let path = self.file ?? environment["SOCKETIO_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        var yaml: String?
        if let path {
            do {
                yaml = try String(contentsOfFile: path, encoding: .utf8)
            } catch {
                let origin: SettingOrigin =
                    self.file == nil ? .environment(name: "SOCKETIO_CONFIG") : .flag("--config")
                throw ConfigurationError(
                    problems: [
                        ConfigurationProblem(
                            path: "",
                            origin: origin,
                            value: path,
                            message: "can't be read; expected the path of a readable YAML file in UTF-8"
                        )
                    ]
                )
            }
        }
        return try LoadedConfiguration(
            file: path,
            yaml: yaml,
            environment: environment,
            flags: flags,
            document: document
        )
    }

    /// As ``load(environment:)``, for commands that end with the list of problems on standard error.
    func loadOrExit() throws -> LoadedConfiguration {
        do {
            return try self.load()
        } catch let error as ConfigurationError {
            StandardError.write("\(error)")
            throw ExitCode(78)
        }
    }
}

/// A configuration without problems, and what it was made from.
struct LoadedConfiguration {
    /// The file's path, or `nil` if there was none.
    var file: String?
    var settings: Setting
    var node: NodeConfiguration
    var warnings: [String]

    init(
        file: String?,
        yaml: String?,
        environment: [String: String],
        flags: [String],
        document: SettingsDocument? = nil
    ) throws {
        var reader = ConfigurationReader(file: file, environment: environment, flags: flags)
        self.file = file
        self.settings = reader.read(yaml: yaml, document: document)
        var problems = reader.problems
        if let document {
            // What is stronger hides a value of the document on this node, and perhaps on no other. A wrong one or a secret
            // does not belong there all the same.
            var alone = ConfigurationReader(file: file, environment: [:], flags: [])
            _ = alone.read(yaml: yaml, document: document)
            let known = Set(problems)
            problems += alone.problems.filter { problem in
                guard case .document = problem.origin else { return false }
                return !known.contains(problem)
            }
        }
        if environment["SWIFT_DETERMINISTIC_HASHING"] != nil {
            problems.append(
                ConfigurationProblem(
                    path: "",
                    origin: .environment(name: "SWIFT_DETERMINISTIC_HASHING"),
                    message: "lets clients choose names that collide in every dictionary; unset it"
                )
            )
        }
        self.node = NodeConfiguration(self.settings, problems: &problems)
        self.warnings = reader.warnings
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    }
}

/// Messages for the person at the terminal that are neither the command's result nor its log.
enum StandardError {
    static func write(_ text: String) {
        // Not `write(_:)`, which ends the process if nobody can be told.
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }
}
