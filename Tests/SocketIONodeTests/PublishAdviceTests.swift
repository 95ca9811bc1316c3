import Testing

@testable import socketio_node

/// What a command that publishes says if the node does not know it.
@Suite struct PublishAdviceTests {
    @Test func aMissingTokenIsNamedAsMissing() {
        #expect(PublishOptions.advice(hadToken: false).contains("SOCKETIO_TOKEN"))
        #expect(PublishOptions.advice(hadToken: true).contains("token create"))
    }
}
