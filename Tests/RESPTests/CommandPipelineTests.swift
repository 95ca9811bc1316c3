import NIOCore
import Testing

@testable import RESP

@Suite(.timeLimit(.minutes(1)))
struct CommandPipelineTests {
    private func describe(_ event: CommandPipeline<Int>.Event) -> String {
        switch event {
        case .reply(let token, let value): "\(token): \(value.integerValue ?? -1)"
        case .published(let bytes, let token): "published \(bytes)\(token.map { " \($0)" } ?? "")"
        case .refused(let bytes, let error, let token):
            "refused \(String(buffer: bytes)) \(error.message)\(token.map { " \($0)" } ?? "")"
        case .executed(let bytes, let token, _): "executed \(bytes) \(token)"
        case .keptRefused(let bytes, let resends, let error, let token):
            "refused \(String(buffer: bytes)) \(error.message) \(token) \(resends)"
        case .answered(let value): "answered \(value.stringValue ?? "")"
        case .probed(let number, let value): "probed \(number) \(value.integerValue ?? -1)"
        case .counted(let number, let value): "counted \(number) \(value.integerValue ?? -1)"
        case .none: "none"
        case .violation: "violation"
        }
    }

    @Test func repliesInOrder() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100), bytes: 3)
        pipeline.sentPublish(bytes: 7)
        pipeline.sentQuestion()
        pipeline.sent(2, deadline: at(50), bytes: 3)
        pipeline.sentProbe(8)
        pipeline.sentCount(9)
        #expect(pipeline.wakeAt == at(50))
        #expect(self.describe(pipeline.received(.integer(10))) == "1: 10")
        #expect(self.describe(pipeline.received(.push([]))) == "none")
        #expect(self.describe(pipeline.received(.integer(3))) == "published 7")
        #expect(self.describe(pipeline.received(.simpleString("PONG"))) == "answered PONG")
        #expect(self.describe(pipeline.received(.integer(20))) == "2: 20")
        #expect(self.describe(pipeline.received(.integer(1))) == "probed 8 1")
        #expect(self.describe(pipeline.received(.integer(2))) == "counted 9 2")
        #expect(self.describe(pipeline.received(.integer(20))) == "violation")
    }

    @Test func expiredCommandKeepsItsPlace() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100), bytes: 1)
        pipeline.sent(2, deadline: at(300), bytes: 1)
        pipeline.sentPublish(3, deadline: at(100), bytes: 1)
        #expect(pipeline.expire(at: at(99)) == [])
        #expect(pipeline.expire(at: at(100)) == [1, 3])
        #expect(pipeline.wakeAt == at(300))
        #expect(self.describe(pipeline.received(.integer(1))) == "none")
        #expect(self.describe(pipeline.received(.integer(2))) == "2: 2")
        // Nobody waits any more, but the books want to know.
        #expect(self.describe(pipeline.received(.integer(3))) == "published 1")
    }

    @Test func whatIsLost() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100), bytes: 1)
        pipeline.sentPublish(bytes: 5)
        pipeline.sentPublish(2, deadline: at(100), bytes: 6)
        pipeline.sentQuestion()
        let lost = pipeline.disconnected()
        #expect(lost.tokens == [1, 2])
        #expect(lost.publishes == 2)
        #expect(lost.publishedBytes == 11)
        #expect(pipeline.count == 0)
        #expect(pipeline.wakeAt == .distantFuture)
    }

    /// The bytes of each publish are at hand when it comes back, whatever was answered before in which piece.
    @Test func refusedPublishesHaveTheirBytes() {
        var pipeline = CommandPipeline<Int>()
        pipeline.wrote(ByteBuffer(string: "getONEget"))
        pipeline.sent(1, deadline: at(100), bytes: 3)
        pipeline.sentPublish(bytes: 3)
        pipeline.sent(2, deadline: at(10), bytes: 3)
        pipeline.sentProbe(1)
        pipeline.wrote(ByteBuffer(string: "TWOthree"))
        pipeline.sentPublish(7, deadline: at(100), bytes: 3)
        pipeline.sentPublish(bytes: 5)
        _ = pipeline.expire(at: at(10))
        let busy = RESPValue.error(RESPError(reply: "BUSY no"))
        #expect(self.describe(pipeline.received(.integer(1))) == "1: 1")
        #expect(self.describe(pipeline.received(busy)) == "refused ONE BUSY no")
        #expect(self.describe(pipeline.received(.integer(1))) == "none")
        #expect(self.describe(pipeline.received(busy)) == "probed 1 -1")
        #expect(self.describe(pipeline.received(busy)) == "refused TWO BUSY no 7")
        #expect(self.describe(pipeline.received(busy)) == "refused three BUSY no")
    }

    /// What Redis says unasked is the reason.
    @Test func unaskedErrorIsTheReason() {
        var pipeline = CommandPipeline<Int>()
        guard case .violation(let error) = pipeline.received(.error(RESPError(reply: "ERR max number of clients")))
        else {
            Issue.record("no violation")
            return
        }
        #expect(error.message == "ERR max number of clients")
    }
}
