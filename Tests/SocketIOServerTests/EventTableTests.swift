import SocketIOWire
import Testing

@testable import SocketIOServer

struct EventTableTests {
    private func handler(_ answersOnce: Bool) -> EventHandler {
        EventHandler(body: .synchronous { _ in }, answersOnce: answersOnce)
    }

    /// Names are found where they are compared as well as where they are hashed.
    @Test(arguments: [0, 1, 11, 12, 13, 100])
    func everyNameFindsItsHandlersInOrder(count: Int) throws {
        let table = EventTable([:])
        for number in 0..<count {
            table.append(self.handler(true), for: "event-\(number)")
            #expect(table["event-\(count)"] == nil)
            #expect(table.entry(try #require(ShortName("event-\(number)")))?.onlyHandler?.answersOnce == true)
        }
        for number in 0..<count { table.append(self.handler(false), for: "event-\(number)") }
        for number in 0..<count {
            #expect(table["event-\(number)"]?.map(\.answersOnce) == [true, false])
            let short = try #require(ShortName("event-\(number)"))
            #expect(table.entry(short)?.name == "event-\(number)")
            #expect(table.entry(short)?.onlyHandler == nil)
        }
        #expect(table["event-\(count)"] == nil)
        #expect(table[""] == nil)
    }

    @Test func startsWithWhatIsThere() {
        let table = EventTable(["a": [self.handler(true), self.handler(false)], "b": []])
        #expect(table["a"]?.map(\.answersOnce) == [true, false])
        #expect(table["b"] == nil)
    }
}
