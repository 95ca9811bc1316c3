import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import RESP

@Suite(.timeLimit(.minutes(1)))
struct CommandQueueTests {
    private func queue(count: Int = 3, bytes: Int = 1000) -> CommandQueue {
        var limits = RESPConfiguration.Queue()
        limits.maximumCount = count
        limits.maximumBytes = bytes
        return CommandQueue(limits: limits)
    }

    @Test func oneDrainForManyCommands() throws {
        var queue = self.queue()
        _ = queue.setGate(.open, at: at(0))
        let first = try queue.publish(channel: "c", message: ByteBuffer(string: "1"), now: at(0))
        #expect(first.isSent && first.schedule)
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "2"), now: at(0)).schedule == false)
        #expect(try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in } == false)
        let batch = queue.take()
        #expect(batch.entries.count == 3)
        #expect(batch.publishes == 2)
        #expect(String(buffer: batch.bytes).hasSuffix("*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"))
        #expect(queue.take().isEmpty)
        #expect(throws: RESPError.self) { try queue.publish(channel: "c", message: ByteBuffer(), now: at(0)) }
        queue.finished(count: 3, bytes: batch.bytes.readableBytes)
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "3"), now: at(0)).schedule == true)
    }

    @Test func publishesAreKeptAndCommandsRefusedWhileDown() throws {
        var queue = self.queue()
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "1"), now: at(0)).isSent == false)
        let error = try #require(throws: RESPError.self) {
            try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in }
        }
        #expect(error.code == .disconnected)
        _ = queue.setGate(.restoring, at: at(0))
        #expect(try queue.publish(channel: "c", message: ByteBuffer(string: "2"), now: at(0)).isSent == false)
        #expect(try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in } == true)
        let change = queue.setGate(.open, at: at(0))
        #expect(change.shouldDrain == false, "a drain is scheduled already")
        let text = String(buffer: queue.take().bytes)
        let places = try ["$1\r\n1\r\n", "$1\r\n2\r\n", "GET"].map { try #require(text.firstRange(of: $0)?.lowerBound) }
        #expect(places == places.sorted())
    }

    @Test func unsentPublishesAreKeptWhenTheConnectionIsLost() throws {
        var queue = self.queue()
        _ = queue.setGate(.open, at: at(0))
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "1"), now: at(0))
        _ = try queue.send(RESPCommand("GET", "x"), timeout: .seconds(1)) { _ in }
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "2"), now: at(0))
        let change = queue.setGate(.down, at: at(0))
        #expect(change.refused.count == 1)
        #expect(queue.heldCount == 2)
        _ = queue.setGate(.open, at: at(0))
        #expect(queue.take().publishes == 2)
    }

    @Test func bounds() throws {
        var queue = self.queue(count: 100, bytes: 200)
        while (try? queue.publish(channel: "c", message: ByteBuffer(string: "0123456789"), now: at(0))) != nil {}
        #expect(queue.heldCount == 5)
        let error = try #require(throws: RESPError.self) {
            try queue.publish(channel: "c", message: ByteBuffer(string: "0123456789"), now: at(0))
        }
        #expect(error.code == .queueFull)
        let change = queue.setGate(.closed, at: at(0))
        #expect(change.droppedPublishes == 5)
        #expect { try queue.publish(channel: "c", message: ByteBuffer(), now: at(0)) } throws: {
            ($0 as? RESPError)?.code == .closed
        }
    }

    /// What Redis has not executed is older than all that is kept, in the order in which it was sent.
    @Test func whatComesBackIsTheOldest() throws {
        var queue = self.queue(count: 100)
        _ = queue.setGate(.open, at: at(0))
        for text in ["1", "2", "3"] {
            _ = try queue.publish(channel: "c", message: ByteBuffer(string: text), now: at(0))
        }
        let sent = queue.take()
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "4"), now: at(0))
        _ = queue.setGate(.restoring, at: at(1))
        _ = try queue.publish(channel: "c", message: ByteBuffer(string: "5"), now: at(1))
        var bytes = sent.bytes
        for (entry, length) in sent.entries {
            var batch = CommandQueue.Batch()
            batch.append(entry, bytes.readSlice(length: length) ?? ByteBuffer())
            queue.putBack(batch, at: at(2))
        }
        #expect(queue.heldCount == 5)
        let change = queue.setGate(.open, at: at(3))
        #expect(change.releasedPublishes == 5)
        var parser = RESPParser()
        parser.append(queue.take().bytes)
        var texts: [String] = []
        while let command = try parser.next() { texts.append(command.arrayValue?.last?.stringValue ?? "") }
        #expect(texts == ["1", "2", "3", "4", "5"])
    }

    @Test func oldPublishesAreDropped() throws {
        var limits = RESPConfiguration.Queue()
        limits.maximumAge = .seconds(10)
        limits.maximumCount = 4
        var queue = CommandQueue(limits: limits)
        for (text, time) in [("1", 0), ("2", 50), ("3", 1000), ("4", 20_000)] as [(String, Int64)] {
            _ = try queue.publish(channel: "c", message: ByteBuffer(string: text), now: at(time))
        }
        #expect(queue.expiresAt == at(10_000))
        #expect(queue.expire(at: at(9999)).droppedPublishes == 0)
        #expect(queue.expire(at: at(10_050)).droppedPublishes == 2)
        #expect(queue.expiresAt == at(11_000))
        #expect(queue.expire(at: at(11_000)).droppedPublishes == 1)
        // They take no room any more.
        for _ in 0..<3 { _ = try queue.publish(channel: "c", message: ByteBuffer(string: "5"), now: at(20_000)) }
        #expect(throws: RESPError.self) {
            try queue.publish(channel: "c", message: ByteBuffer(string: "6"), now: at(20_000))
        }
        _ = queue.setGate(.open, at: at(20_000))
        let batch = queue.take()
        #expect(batch.publishes == 4)
        #expect(String(buffer: batch.bytes).hasPrefix("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\n4\r\n"))
        #expect(queue.expiresAt == .distantFuture)
    }

    @Test func awaitedPublishesAreTakenTogetherOrNotAtAll() throws {
        var queue = self.queue(count: 3)
        let outcome = NIOLockedValueBox<RESPPublishOutcome?>(nil)
        let messages = ["1", "2"].map { (channel: "c", message: ByteBuffer(string: $0)) }
        func ticket(keeps: Bool) -> PublishTicket {
            PublishTicket(count: 2, keeps: keeps) { result in outcome.withLockedValue { $0 = result } }
        }
        // Away: kept, or refused.
        let refused = #expect(throws: RESPError.self) {
            try queue.publish(messages, ticket: ticket(keeps: false), timeout: .seconds(1), now: at(0))
        }
        #expect(refused?.code == .disconnected)
        #expect(queue.heldCount == 0)
        #expect(
            try queue.publish(messages, ticket: ticket(keeps: true), timeout: .seconds(1), now: at(0)).isSent == false
        )
        #expect(queue.heldCount == 2)
        // Not half of it.
        let full = #expect(throws: RESPError.self) {
            try queue.publish(messages, ticket: ticket(keeps: true), timeout: .seconds(1), now: at(0))
        }
        #expect(full?.code == .queueFull)
        #expect(queue.heldCount == 2)
        _ = queue.setGate(.open, at: at(0))
        queue.finished(count: 2, bytes: queue.take().bytes.readableBytes)
        // Handed over and not written when the connection is lost.
        let keeping = ticket(keeps: true)
        _ = try queue.publish(messages, ticket: keeping, timeout: .seconds(1), now: at(0))
        let change = queue.setGate(.down, at: at(0))
        #expect(change.kept.count == 2)
        #expect(change.kept.allSatisfy { $0 === keeping })
        #expect(queue.heldCount == 2)
    }

    @Test func worstOfAllOutcomesCounts() {
        let error = RESPError(code: .disconnected, message: "")
        for (outcomes, worst) in [
            ([.published, .published], .published), ([.queued, .published], .queued),
            ([.queued, .refused(error)], .refused(error)),
            ([.unconfirmed(error), .refused(error)], .unconfirmed(error)),
        ] as [([RESPPublishOutcome], RESPPublishOutcome)] {
            let results = NIOLockedValueBox<[RESPPublishOutcome]>([])
            let ticket = PublishTicket(count: 2, keeps: true) { result in results.withLockedValue { $0.append(result) }
            }
            ticket.settle(outcomes[0])
            #expect(results.withLockedValue { $0 } == [])
            ticket.settle(outcomes[1])
            ticket.settle(.published)
            #expect(results.withLockedValue { $0 } == [worst])
        }
    }
}
