import SocketIOWire
import Testing

struct SessionIDTests {
    private struct Holder {
        var id: SessionID
    }

    /// Whatever puts an id into a text by accident.
    @Test func nothingShowsTheSecret() throws {
        let text = "O6xsits1Y62sFofuAAAA"
        let id = try #require(SessionID(text))
        #expect(id.secret == text)
        let number = try #require(ConnectionID(text))
        var dumped = ""
        dump(Holder(id: id), to: &dumped)
        let texts = [
            "\(id)", String(describing: id), String(reflecting: id), "\(Optional(id) as Any)", "\([id])", "\([id: 1])",
            "\(Holder(id: id))", String(reflecting: Holder(id: id)), dumped,
        ]
        for shown in texts {
            #expect(shown.contains("<session>"))
            // Nor the numbers that it is kept in.
            for secret in [text, "\(number.high)", "\(number.low)"] { #expect(!shown.contains(secret)) }
        }
    }
}
