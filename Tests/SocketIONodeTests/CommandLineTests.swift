import ArgumentParser
import SocketIOWire
import Testing

@testable import socketio_node

@Suite struct CommandLineTests {
    @Test(arguments: [
        (
            ["pubish"],
            "There is no command 'pubish'. The commands are serve, check-config, config, emit, raw, explain, token, health."
        ),
        (["tokn"], "There is no command 'tokn'. Did you mean 'token'?"),
        (["serve", "now"], "There is no command 'now'."),
    ])
    func unknownCommandsAreNamed(arguments: [String], message: String) {
        let error = #expect(throws: (any Error).self) { try NodeCommand.parseAsRoot(arguments) }
        #expect(error.map { NodeCommand.message(for: $0) }?.hasPrefix(message) == true)
    }

    @Test func dataIsJSONOrText() throws {
        #expect(try PublishOptions.value("{\"a\": 1}") == ["a": 1])
        #expect(try PublishOptions.value("7") == 7)
        #expect(try PublishOptions.value("hello world") == "hello world")
        #expect(try PublishOptions.value("7 o'clock") == "7 o'clock")
    }

    @Test(arguments: ["{bad", " [1, 2", "\"open", "{'single': 'quotes'}"])
    func brokenJSONIsNotSentAsText(text: String) {
        #expect(throws: ValidationError.self) { try PublishOptions.value(text) }
    }
}
