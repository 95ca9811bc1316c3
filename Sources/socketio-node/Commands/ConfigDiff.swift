import ArgumentParser
import Foundation

/// Prints how two configuration files differ.
struct ConfigDiff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Print the settings that differ between two files; of secrets, only that they differ.",
        discussion: """
            Example: socketio-node config diff node.yaml node.new.yaml

            A key that a file lacks has its default. Neither the environment nor secrets' files are read: a secret in a file \
            counts as changed if the file's name differs. Behind each difference stands `live`, if the new value is in force \
            as soon as a node has read its settings again (SIGHUP, POST /io/reload), or `restart`, if the node has to start \
            anew.

            Exit status: 0 no difference, 1 there are some, 78 a file is wrong.
            """
    )

    @Argument(help: "The old file.")
    var old: String

    @Argument(help: "The new file.")
    var new: String

    func run() async throws {
        do {
            let differences = try SettingDifference.all(from: Self.read(self.old), to: Self.read(self.new))
            for difference in differences { print(difference) }
            if !differences.isEmpty { throw ExitCode(1) }
        } catch let error as ConfigurationError {
            StandardError.write("\(error)")
            throw ExitCode(78)
        }
    }

    /// Reads a file alone.
    ///
    /// - Throws: ``ConfigurationError`` if a key or a value is wrong in itself.
    private static func read(_ path: String) throws -> Setting {
        guard let yaml = try? String(contentsOfFile: path, encoding: .utf8) else {
            let message = "can't be read; expected the path of a readable YAML file in UTF-8"
            throw ConfigurationError(
                problems: [ConfigurationProblem(path: "", origin: .default, value: path, message: message)]
            )
        }
        return try Self.settings(yaml, file: path)
    }

    static func settings(_ yaml: String, file: String) throws -> Setting {
        var reader = ConfigurationReader(file: file, environment: [:], flags: [], readFile: nil)
        let settings = reader.read(yaml: yaml)
        guard reader.problems.isEmpty else { throw ConfigurationError(problems: reader.problems) }
        return settings
    }
}
