import Testing

@testable import socketio_node

/// The committed files are what the table of settings says.
@Suite(.timeLimit(.minutes(1)))
struct GeneratedFilesTests {
    @Test func commentedFile() throws {
        let file = try RepositoryFile.text("config/node.yaml")
        #expect(file == ConfigurationTemplate.text, "socketio-node check-config --template > config/node.yaml")
    }

    @Test func schema() throws {
        let file = try RepositoryFile.text("config/node.schema.json")
        #expect(file == ConfigurationSchema.text, "socketio-node config schema > config/node.schema.json")
    }

    @Test func referencePage() throws {
        let file = try RepositoryFile.text("docs/configuration.md")
        #expect(file == ConfigurationReference.text, "socketio-node config docs > docs/configuration.md")
    }

    /// Editors find the schema by it.
    @Test(arguments: ["config/node.yaml", "config/cluster.yaml"])
    func filesNameTheirSchema(path: String) throws {
        let file = try RepositoryFile.text(path)
        #expect(file.hasPrefix("# yaml-language-server: $schema=\(ConfigurationSchema.fileName)\n"))
    }

    /// The page has a row for each key that the environment can set.
    @Test func everySettingIsOnThePage() {
        let page = ConfigurationReference.text
        for (path, variable) in FrozenNames.names where !path.hasSuffix("File") || path.contains(".tls.") {
            #expect(page.contains("<br>`\(variable)` |"), "\(path)")
        }
    }
}
