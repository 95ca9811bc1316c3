import NIOCore
import Testing

@testable import RESP

@Suite(.timeLimit(.minutes(1)))
struct SubscriptionTableTests {
    private func describe(_ event: SubscriptionTable<String>.Event) -> String {
        switch event {
        case .none: "none"
        case .message(let handlers, let message):
            "\(handlers) \(String(buffer: message.channel)) \(String(buffer: message.payload))"
        case .unusable: "unusable"
        case .confirmed(let id): "confirmed \(id)"
        case .refused(let id, let error): "refused \(id) \(error.serverCode ?? "")"
        case .violation: "violation"
        default: "\(event)"
        }
    }

    @Test func confirmationsAndMessages() {
        var table = SubscriptionTable<String>()
        let commands = table.add(1, patterns: ["p*"], channels: ["a", "b"], handler: "one", isConnected: true)
        #expect(commands == [["PSUBSCRIBE", "p*"], ["SUBSCRIBE", "a", "b"]])
        #expect(!table.isRestored)
        #expect(self.describe(table.received(push("psubscribe", "p*", count: 1))) == "none")
        // A message may come before the confirmation of its neighbour.
        #expect(self.describe(table.received(push("pmessage", "p*", "px", "hi"))) == #"["one"] px hi"#)
        #expect(self.describe(table.received(push("subscribe", "a", count: 2))) == "none")
        #expect(self.describe(table.received(push("subscribe", "b", count: 3))) == "confirmed 1")
        #expect(table.isRestored)
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["one"] a x"#)
        #expect(self.describe(table.received(push("message", "unknown", "x"))) == "none")
        #expect(self.describe(table.received(push("invalidate", "x"))) == "none")
    }

    @Test func sharedNamesAreUnsubscribedByTheLast() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: [], channels: ["a", "b"], handler: "one", isConnected: true)
        _ = table.add(2, patterns: [], channels: ["a"], handler: "two", isConnected: true)
        for _ in 0..<3 { _ = table.received(push("subscribe", "a", count: 1)) }
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["one", "two"] a x"#)
        #expect(table.remove(1, isConnected: true) == [["UNSUBSCRIBE", "b"]])
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["two"] a x"#)
        #expect(table.remove(2, isConnected: true) == [["UNSUBSCRIBE", "a"]])
        #expect(self.describe(table.received(push("unsubscribe", "b", count: 1))) == "none")
        #expect(self.describe(table.received(push("unsubscribe", "a", count: 0))) == "none")
        #expect(table.isEmpty)
    }

    @Test func sharedNamesStayUntilTheLastLeavesInAnyOrder() {
        var table = SubscriptionTable<String>()
        _ = table.add(7, patterns: ["p*"], channels: ["a", "a"], handler: "one", isConnected: false)
        _ = table.add(3, patterns: ["p*"], channels: ["a"], handler: "two", isConnected: false)
        // Not in the order of the ids.
        #expect(table.restore().map(\.count) == [2, 3, 2, 2])
        #expect(table.remove(3, isConnected: true) == [])
        #expect(self.describe(table.received(push("message", "a", "x"))) == #"["one", "one"] a x"#)
        #expect(table.remove(7, isConnected: true) == [["PUNSUBSCRIBE", "p*"], ["UNSUBSCRIBE", "a", "a"]])
        #expect(table.remove(7, isConnected: true) == [])
        #expect(self.describe(table.received(push("message", "a", "x"))) == "none")
        #expect(table.isRestored)
        #expect(table.isEmpty)
    }

    /// Who leaves unconfirmed is not waited for.
    @Test func thoseWhoLeaveAreNotRestored() {
        var table = SubscriptionTable<String>()
        for id in 1...2 { _ = table.add(id, patterns: [], channels: ["\(id)"], handler: "", isConnected: true) }
        #expect(self.describe(table.received(push("subscribe", "1", count: 1))) == "confirmed 1")
        #expect(!table.isRestored)
        _ = table.remove(2, isConnected: true)
        #expect(table.isRestored)
        _ = table.restore()
        #expect(!table.isRestored)
        #expect(table.disconnected() == [1])
    }

    /// Work that grows with the square of the number would end this test by its time limit; how much it is exactly,
    /// `linear.resp-subscriptions` counts.
    @Test func manyNamesCostAsMuchEachAsFew() {
        var table = SubscriptionTable<Int>()
        for id in 0..<100_000 { _ = table.add(id, patterns: [], channels: ["\(id)"], handler: id, isConnected: true) }
        for id in 0..<100_000 { _ = table.remove(id, isConnected: false) }
        #expect(table.isEmpty)
    }

    @Test func refusal() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: ["x*"], channels: ["a"], handler: "one", isConnected: true)
        _ = table.add(2, patterns: [], channels: ["b"], handler: "two", isConnected: true)
        #expect(self.describe(table.received(.error(RESPError(reply: "NOPERM x")))) == "refused 1 NOPERM")
        #expect(self.describe(table.received(push("subscribe", "a", count: 1))) == "none")
        #expect(self.describe(table.received(push("subscribe", "b", count: 2))) == "confirmed 2")
    }

    @Test func restoresInOrder() {
        var table = SubscriptionTable<String>()
        #expect(table.add(1, patterns: ["p"], channels: ["a"], handler: "one", isConnected: false) == [])
        _ = table.add(2, patterns: [], channels: ["b"], handler: "two", isConnected: false)
        #expect(table.restore() == [["PSUBSCRIBE", "p"], ["SUBSCRIBE", "a"], ["SUBSCRIBE", "b"]])
        _ = table.received(push("psubscribe", "p", count: 1))
        _ = table.received(push("subscribe", "a", count: 2))
        #expect(table.disconnected() == [2])
        #expect(table.restore().count == 3)
        #expect(!table.isRestored)
        for (kind, name) in [("psubscribe", "p"), ("subscribe", "a"), ("subscribe", "b")] {
            _ = table.received(push(kind, name, count: 1))
        }
        #expect(table.isRestored)
    }

    @Test func pingBetweenConfirmations() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: [], channels: ["a"], handler: "one", isConnected: true)
        table.sentPing()
        #expect(self.describe(table.received(push("subscribe", "a", count: 1))) == "confirmed 1")
        #expect(self.describe(table.received(.simpleString("PONG"))) == "none")
        #expect(self.describe(table.received(.simpleString("PONG"))) == "violation")
    }

    @Test func resp2WritesArrays() {
        var table = SubscriptionTable<String>()
        table.protocolVersion = 2
        _ = table.add(1, patterns: [], channels: ["a"], handler: "one", isConnected: true)
        #expect(self.describe(table.received(.array([bulk("subscribe"), bulk("a"), .integer(1)]))) == "confirmed 1")
        #expect(self.describe(table.received(.array([bulk("message"), bulk("a"), bulk("x")]))) == #"["one"] a x"#)
        table.sentPing()
        #expect(self.describe(table.received(.array([bulk("pong"), bulk("")]))) == "none")
    }

    @Test func unusableMessages() {
        var table = SubscriptionTable<String>()
        _ = table.add(1, patterns: [], channels: ["a"], handler: "one", isConnected: true)
        #expect(self.describe(table.received(.push([]))) == "unusable")
        #expect(self.describe(table.received(.push([bulk("message"), bulk("a")]))) == "unusable")
        #expect(self.describe(table.received(.push([bulk("message"), bulk("a"), .integer(1)]))) == "unusable")
        let tooLong = RESPValue.error(RESPError(code: .tooLong, message: ""))
        #expect(self.describe(table.received(.push([bulk("message"), bulk("a"), tooLong]))) == "unusable")
    }
}
