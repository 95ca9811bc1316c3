import NIOCore
import RESP
import Testing

@testable import RedisAdapters

/// The account of own events between sending and reading, with every order of replies, entries and time.
struct StreamsOwnEventsTests {
    private final class Account {
        var own = OwnEvents()
        var actions: [OwnEvents.Action] = []

        func add(_ text: String, until seconds: Int64 = 1, otherwise fallback: OwnEvents.Fallback = .deliver) -> Int {
            self.own.add(data(text), until: time(seconds), otherwise: fallback)
        }

        func added(_ number: Int, at milliseconds: UInt64) -> Bool {
            self.own.added(number, at: id(milliseconds))
        }

        func read(_ milliseconds: UInt64, _ text: String) -> Bool {
            self.own.read(id(milliseconds), data(text), &self.actions)
        }

        func fail(_ number: Int, isCertain: Bool = true) {
            self.own.failed(number, isCertain: isCertain, &self.actions)
        }

        func tick(_ seconds: Int64) { self.own.tick(at: time(seconds), &self.actions) }
    }

    @Test func replyThenEntry() {
        let account = Account()
        let number = account.add("a")
        #expect(account.added(number, at: 5))
        #expect(account.read(5, "a"))
        #expect(account.actions == [.deliver(number, id(5))])
        #expect(account.own.isEmpty && account.own.nextDeadline == nil)
    }

    @Test func entryThenReply() {
        let account = Account()
        let number = account.add("a")
        #expect(account.read(5, "a"))
        #expect(account.actions == [.deliver(number, id(5))])
        #expect(!account.added(number, at: 5))
        #expect(account.own.isEmpty)
    }

    /// Equal bytes: each gets its own place, whatever is known when.
    @Test(arguments: [[], [0], [0, 1], [1]]) func equalEvents(_ replied: [Int]) {
        let account = Account()
        let numbers = [account.add("a"), account.add("a")]
        for index in replied { _ = account.added(numbers[index], at: 5 + UInt64(index)) }
        #expect(account.read(5, "a"))
        #expect(account.read(6, "a"))
        #expect(account.actions == [.deliver(numbers[0], id(5)), .deliver(numbers[1], id(6))])
    }

    @Test func lateEventIsKnownAgain() {
        let account = Account()
        let first = account.add("a", until: 1)
        let second = account.add("a", until: 3)
        account.tick(1)
        #expect(account.actions == [.deliver(first, nil)])
        // The first one's entry is not taken for the second one's.
        #expect(!account.read(5, "a"))
        #expect(account.read(6, "a"))
        #expect(account.actions == [.deliver(first, nil), .deliver(second, id(6))])
    }

    @Test func refusedEventIsDeliveredBehindThoseBeforeIt() {
        let account = Account()
        let (first, second, third) = (account.add("a"), account.add("b"), account.add("c"))
        account.fail(second)
        #expect(account.actions == [])
        #expect(account.read(5, "a"))
        #expect(account.actions == [.deliver(first, id(5))])
        account.tick(0)
        #expect(account.actions == [.deliver(first, id(5)), .deliver(second, nil)])
        account.fail(third)
        #expect(account.actions.last == .deliver(third, nil))
    }

    @Test func entriesThatVanishedAreDeliveredBeforeWhatFollows() {
        let account = Account()
        let (first, second) = (account.add("a"), account.add("b"))
        _ = account.added(first, at: 5)
        #expect(account.read(6, "b"))
        #expect(account.actions == [.deliver(first, nil), .deliver(second, id(6))])
    }

    @Test func strangersAreNoneOfThem() {
        let account = Account()
        let number = account.add("a")
        #expect(!account.read(4, "x"))
        _ = account.added(number, at: 5)
        #expect(!account.read(4, "a"))
        #expect(!account.read(6, "x"))
        #expect(account.actions == [])
    }

    @Test func unconfirmedEventIsDeliveredAtOnceAndKnownAgain() {
        let account = Account()
        let number = account.add("a")
        account.fail(number, isCertain: false)
        #expect(account.actions == [.deliver(number, nil)])
        #expect(!account.read(5, "a"))
        #expect(account.own.isEmpty)
    }

    /// What can't come any more is not looked for: an outage must not keep the bytes of all that was sent in it.
    @Test(arguments: [true, false]) func whatIsDroppedTakesNoMemory(_ wasQueued: Bool) {
        let account = Account()
        // Nobody knows whether this one comes, so it keeps its place before all others.
        account.fail(account.add("first"), isCertain: false)
        for _ in 0..<100 {
            let number = account.add(String(repeating: "x", count: 1_000))
            if wasQueued { account.own.delayed(number, &account.actions) }
            account.fail(number)
        }
        #expect(account.actions.count == 101)
        #expect(account.own.bytes == 5)
    }

    /// So may what may still come: the oldest are forgotten, and are late if they come.
    @Test func settledEventsAreBoundedInBytes() {
        let account = Account()
        let length = 1_048_576
        let data = String(repeating: "x", count: length)
        for _ in 0..<(OwnEvents.mostBytes / length + 5) {
            account.own.delayed(account.add(data), &account.actions)
            #expect(account.own.bytes <= OwnEvents.mostBytes)
        }
        #expect(account.actions.count == OwnEvents.mostBytes / length + 5)
    }

    @Test func fallbacks() {
        let account = Account()
        let ifLate = account.add("a", otherwise: .deliverIfLate)
        let last = account.add("b", until: 5, otherwise: .deliverAtLast)
        account.fail(ifLate, isCertain: false)
        #expect(account.actions == [])
        // Nobody waits for somebody more patient.
        let patient = account.add("c", until: 1)
        account.tick(1)
        #expect(account.actions == [.deliver(ifLate, nil), .deliver(patient, nil)])
        account.tick(5)
        #expect(account.actions.last == .deliver(last, nil))
        let refused = [account.add("d", otherwise: .deliverIfLate), account.add("e", otherwise: .deliverAtLast)]
        for number in refused { account.fail(number) }
        #expect(account.actions.suffix(2) == [.discard(refused[0]), .discard(refused[1])])
    }

    /// A Redis that is away for hours costs no more than a bound.
    @Test func isBounded() {
        let account = Account()
        for _ in 0..<(2 * OwnEvents.mostSettled) {
            let number = account.add("a")
            account.own.delayed(number, &account.actions)
        }
        #expect(account.actions.count == 2 * OwnEvents.mostSettled)
        #expect(account.own.count <= OwnEvents.mostSettled)
    }

    /// Whatever happens in whatever order: each event is dealt with exactly once, and in order.
    @Test func everyEventIsDealtWithOnce() {
        for seed in 0..<500 {
            var generator = Generator(seed: UInt64(seed))
            let account = Account()
            var sent: [(number: Int, text: String)] = []
            var stream: [(offset: UInt64, text: String)] = []
            var offset: UInt64 = 0
            for step in 0..<40 {
                switch generator.next() % 6 {
                case 0, 1:
                    let text = ["a", "b"][Int(generator.next() % 2)]
                    let number = account.add(text, until: Int64(step) + 3)
                    sent.append((number, text))
                    switch generator.next() % 4 {
                    case 0: account.fail(number)
                    case 1:
                        account.fail(number, isCertain: false)
                        offset += 1
                        stream.append((offset, text))
                    default:
                        offset += 1
                        stream.append((offset, text))
                        if generator.next() % 2 == 0 { _ = account.added(number, at: offset) }
                    }
                case 2, 3:
                    guard !stream.isEmpty else { continue }
                    let entry = stream.removeFirst()
                    _ = account.read(entry.offset, entry.text)
                default: account.tick(Int64(step))
                }
            }
            for entry in stream { _ = account.read(entry.offset, entry.text) }
            account.tick(1_000)
            var delivered: [Int] = []
            var offsets: [RESPStreamID] = []
            for action in account.actions {
                guard case .deliver(let number, let place) = action else { continue }
                delivered.append(number)
                if let place { offsets.append(place) }
            }
            #expect(delivered == sent.map(\.number), "seed \(seed)")
            #expect(offsets == offsets.sorted(), "seed \(seed)")
        }
    }
}

private func data(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }
private func id(_ milliseconds: UInt64) -> RESPStreamID { RESPStreamID(milliseconds: milliseconds, sequence: 0) }
private func time(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64(seconds) * 1_000_000_000) }

/// The same numbers for the same seed.
private struct Generator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        self.state ^= self.state << 13
        self.state ^= self.state >> 7
        self.state ^= self.state << 17
        return self.state >> 8
    }
}
