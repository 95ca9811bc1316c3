import NIOCore
import SocketIOWire
import Testing

@testable import Gateway

/// What rooms remember, and what ends when: scripts of events on a clock that the test moves.
@Suite struct StateTableTests {
    /// A table, and everything that it has told.
    private struct Script {
        var table = StateTable()
        /// Milliseconds.
        var now = 1_000
        var told: [RoomChanges] = []

        mutating func apply(
            _ key: UTF8Text,
            _ action: StateOperation.Action,
            holders: Int = 0,
            of node: UTF8Text = "a",
            in room: Room = "lobby",
            limits: StateLimits = StateLimits(keys: 10, bytes: 1_000)
        ) -> StateOutcome {
            let operation = StateOperation(
                room: room,
                key: key,
                action: action,
                by: "x",
                holders: holders,
                limits: limits
            )
            let (outcomes, told) = self.table.apply([operation], of: node, at: self.now * 1000)
            self.told += told
            return outcomes[0]
        }

        @discardableResult mutating func renew(
            _ node: UTF8Text,
            lease: Int = 100,
            isKnown: Bool = true,
            limit: Int = 100
        ) -> StateRenewal {
            let (renewal, told) = self.table.renew(
                node,
                lease: lease,
                isKnown: isKnown,
                at: self.now * 1000,
                limit: limit
            )
            self.told += told
            return renewal
        }

        func keys(_ room: Room = "lobby") -> [UTF8Text] { self.table.snapshot(of: room).entries.keys.sorted() }

        /// The keys that are gone, as all nodes were told.
        var gone: [UTF8Text] { self.told.flatMap(\.changes).filter { $0.entry == nil }.map(\.key) }
    }

    @Test func versionsCountChangesAndNothingElse() {
        var script = Script()
        let first = script.apply("k", .set(1, lifetime: nil))
        guard case .changed(let version) = first else {
            Issue.record("\(first)")
            return
        }
        #expect(script.apply("k", .set(1, lifetime: nil)) == .unchanged(version: version))
        #expect(script.apply("__proto__", .set(["__proto__": 1], lifetime: nil)) == .changed(version: version + 1))
        #expect(script.apply("nothing", .remove) == .unchanged(version: version + 1))
        #expect(script.apply("k", .remove) == .changed(version: version + 2))
        #expect(script.told.flatMap(\.changes).compactMap(\.version) == [version, version + 1, version + 2])
        #expect(script.keys() == ["__proto__"])
        // A room that remembers nothing takes no place, and its numbers never come again.
        #expect(script.apply("__proto__", .remove) == .changed(version: version + 3))
        #expect(script.table.roomCount == 0)
        script.now += 1
        guard case .changed(let next) = script.apply("k", .set(2, lifetime: nil)) else { return }
        #expect(next > version + 3)
    }

    @Test func limitsHold() {
        var script = Script()
        let limits = StateLimits(keys: 2, bytes: 12)
        for (key, value, expected) in [
            ("a", "1", nil), ("b", "2", nil), ("c", "3", .tooManyKeys), ("a", "123456789", .tooLarge),
            ("a", "12345", nil), ("b", "", nil),
        ] as [(UTF8Text, JSONValue, StateRefusal?)] {
            let outcome = script.apply(key, .set(value, lifetime: nil), limits: limits)
            if let expected {
                #expect(outcome == .refused(expected))
            } else if case .refused = outcome {
                Issue.record("\(key)")
            }
        }
        #expect(script.table.snapshot(of: "lobby").entries["a"]?.value == "12345")
        // What is gone leaves room for others.
        _ = script.apply("a", .remove, limits: limits)
        if case .refused = script.apply("c", .set("3", lifetime: nil), limits: limits) { Issue.record("no room") }
    }

    @Test func anEntryGoesWithItsLastHolderAndIsToldOnce() {
        var script = Script()
        for node in ["a", "b"] as [UTF8Text] { script.renew(node, isKnown: false) }
        if case .changed = script.apply("u", .acquire("here"), holders: 1, of: "a") {} else { Issue.record("a") }
        // A second tab, and one on another node: nobody is told that the user has come.
        for (node, count) in [("a", 2), ("b", 1)] as [(UTF8Text, Int)] {
            if case .unchanged = script.apply("u", .acquire("other"), holders: count, of: node) {
            } else {
                Issue.record("\(node)")
            }
        }
        let entry = script.table.snapshot(of: "lobby").entries["u"]
        #expect(entry?.value == "here" && entry?.connections == 3)
        _ = script.apply("u", .release, holders: 1, of: "a")
        _ = script.apply("u", .release, of: "a")
        #expect(script.keys() == ["u"] && script.gone.isEmpty)
        _ = script.apply("u", .release, of: "b")
        #expect(script.keys().isEmpty && script.gone == ["u"])
        // Sent again, because the answer was lost.
        if case .unchanged = script.apply("u", .release, of: "b") {} else { Issue.record("again") }
        #expect(script.gone == ["u"])
    }

    @Test func aValueForEverybodyIsNobodysAndStays() {
        var script = Script()
        script.renew("a", isKnown: false)
        _ = script.apply("k", .set(1, lifetime: nil), holders: 1, of: "a")
        _ = script.apply("k", .set(2, lifetime: nil), of: "b")
        _ = script.apply("k", .release, of: "a")
        script.now += 1_000
        script.renew("b", isKnown: false)
        #expect(script.keys() == ["k"] && script.gone.isEmpty)
    }

    @Test func aDeadNodeIsClearedAwayOnceAtMostOneLeaseLater() {
        var script = Script()
        for node in ["a", "b", "c"] as [UTF8Text] { script.renew(node, isKnown: false) }
        for index in 0..<30 {
            let key = UTF8Text("u\(index)")
            _ = script.apply(key, .acquire(1), holders: 1, of: "a", in: Room("r\(index % 5)"))
            if index % 3 == 0 { _ = script.apply(key, .acquire(1), holders: 1, of: "b", in: Room("r\(index % 5)")) }
        }
        script.now += 99
        #expect(script.renew("b").nextEnd == 1)
        script.renew("c")
        #expect(script.gone.isEmpty)
        script.now += 1
        // Both others come at that moment; it is done in pieces.
        var turns = 0
        while script.renew(turns % 2 == 0 ? "b" : "c", limit: 4).hasMore { turns += 1 }
        #expect(turns > 1)
        let expected = (0..<30).filter { $0 % 3 != 0 }.map { UTF8Text("u\($0)") }.sorted()
        #expect(script.gone.sorted() == expected)
        let removals = script.told.flatMap(\.changes).filter { $0.entry == nil }
        #expect(removals.count == 20 && !removals.contains { !$0.isSwept })
        var left = 0
        for index in 0..<5 { left += script.keys(Room("r\(index)")).count }
        #expect(left == 10)
        script.now += 50
        script.renew("b")
        #expect(script.gone.count == 20)
    }

    @Test func aNodeThatWasTakenForDeadBeginsAnewUnderAnotherName() {
        var script = Script()
        script.renew("a", isKnown: false)
        _ = script.apply("u", .acquire(1), holders: 1, of: "a")
        script.now += 100
        script.renew("b", isKnown: false)
        #expect(script.gone == ["u"])
        #expect(script.apply("v", .acquire(1), holders: 1, of: "a") == .leaseLost)
        #expect(script.renew("a").isLost)
        #expect(!script.renew("a2", isKnown: false).isLost)
        if case .changed = script.apply("u", .acquire(1), holders: 1, of: "a2") {} else { Issue.record("a2") }
        // What holds nothing needs no lease.
        if case .changed = script.apply("w", .set(1, lifetime: nil), of: "a") {} else { Issue.record("w") }
    }

    @Test func aNodeThatEndsIsClearedAwayAtOnce() {
        var script = Script()
        script.renew("a", isKnown: false)
        _ = script.apply("u", .acquire(1), holders: 1, of: "a")
        #expect(!script.renew("a", lease: 0).hasMore)
        #expect(script.gone == ["u"])
    }

    @Test func valuesEndByThemselvesUnlessTheyAreGivenAgain() {
        var script = Script()
        _ = script.apply("k", .set(1, lifetime: 50))
        _ = script.apply("l", .set(1, lifetime: 50))
        script.now += 40
        _ = script.apply("k", .set(1, lifetime: 50))
        #expect(script.renew("a", isKnown: false).nextEnd == 10)
        script.now += 10
        script.renew("a")
        #expect(script.gone == ["l"])
        script.now += 40
        #expect(script.renew("a").nextEnd == 100)
        #expect(script.gone == ["l", "k"])
    }
}

@Suite struct RoomMirrorTests {
    private static func change(_ key: UTF8Text, _ value: JSONValue?, _ version: Int?) -> StateChange {
        let entry = value.map { StateEntry(value: $0, by: .null, holders: ["n": 2]) }
        return StateChange(key: key, entry: entry, version: version, by: .null)
    }

    private static func snapshot(_ values: [UTF8Text: JSONValue], _ version: Int) -> StateSnapshot {
        StateSnapshot(entries: values.mapValues { StateEntry(value: $0, by: .null) }, version: version)
    }

    @Test func whatComesDuringTheReadingIsToldOnceAndKept() {
        var mirror = RoomMirror()
        #expect(mirror.beginLoading() && !mirror.beginLoading())
        #expect(mirror.received([Self.change("a", 1, 5), Self.change("a", 2, 6)]).count == 2)
        #expect(mirror.loaded(Self.snapshot(["a": 1], 5)) == .none)
        #expect(mirror.record?.entries["a"]?.value == 2 && mirror.record?.version == 6)
        // A broker that says it twice, and one that says it late.
        #expect(mirror.received([Self.change("a", 2, 6), Self.change("a", 1, 5)]).isEmpty)
        #expect(mirror.received([Self.change("a", nil, 7)]).count == 1)
        #expect(mirror.record?.entries.isEmpty == true && mirror.isWhole)
    }

    @Test func aHoleMakesItReadAgain() {
        var mirror = RoomMirror()
        _ = mirror.beginLoading()
        _ = mirror.loaded(Self.snapshot(["a": 1], 5))
        #expect(mirror.received([Self.change("b", 1, 8)]).count == 1)
        #expect(!mirror.isWhole && mirror.beginLoading())
        guard case .snapshot(let changes) = mirror.loaded(Self.snapshot(["a": 1, "b": 1, "c": 1], 9)) else {
            Issue.record("nothing is different")
            return
        }
        // Members have been told of the change behind the hole, and not of what was in it.
        #expect(changes.map(\.key) == ["b", "c"])
        #expect(mirror.received([Self.change("c", 1, 9)]).isEmpty)
        #expect(mirror.received([Self.change("c", 2, 10)]).count == 1)
    }

    @Test func holdersChangeWithoutANumber() {
        var mirror = RoomMirror()
        _ = mirror.beginLoading()
        _ = mirror.loaded(Self.snapshot(["a": 1], 5))
        #expect(mirror.received([Self.change("a", 1, nil)]).isEmpty)
        #expect(mirror.record?.entries["a"]?.connections == 2 && mirror.isWhole)
    }

    @Test func whatOnlyThisNodeKnowsHasNoNumberAndIsReplaced() {
        var mirror = RoomMirror()
        _ = mirror.beginLoading()
        _ = mirror.loaded(Self.snapshot(["a": 1], 5))
        let operation = StateOperation(
            room: "r",
            key: "a",
            action: .set(2, lifetime: nil),
            by: .null,
            holders: 0,
            limits: StateLimits(keys: 9, bytes: 99)
        )
        let change = mirror.change(operation, of: "n", at: 0)
        #expect(change?.entry?.value == 2 && change?.version == nil)
        mirror.missed()
        _ = mirror.beginLoading()
        #expect(mirror.loaded(Self.snapshot(["a": 1], 5)) != .none)
        #expect(mirror.record?.entries["a"]?.value == 1)
    }
}

@Suite struct StateSignalTests {
    @Test func signalsAreReadAsTheyWereWritten() {
        let changes = RoomChanges(
            room: "é \n",
            changes: [
                StateChange(
                    key: "__proto__",
                    entry: StateEntry(value: [1, ["x": nil]], by: "u", holders: ["n1": 2, "n2": 1], expiresAt: 17),
                    version: 9_007_199_254_740_991,
                    by: "u"
                ),
                StateChange(key: "k", entry: nil, version: 3, by: ["userId": 1], isSwept: true),
                StateChange(key: "k", entry: StateEntry(value: .null, by: 1), version: nil, by: 1),
            ]
        )
        #expect(RoomChanges(signal: changes.signal) == changes)
    }

    @Test(arguments: [
        "", "7", "{}", #"{"room":"r"}"#, #"{"room":1,"changes":[]}"#, #"{"room":"r","changes":[1]}"#,
        #"{"room":"r","changes":[{"k":"k"}]}"#, #"{"room":"r","changes":[{"k":"k","value":1,"h":{"n":-1}}]}"#,
        #"{"room":"r","changes":[{"k":"k","value":1,"h":{"n":"1"}}]}"#,
    ]) func othersAreNotRead(_ text: String) {
        #expect(RoomChanges(signal: ByteBuffer(string: text)) == nil)
    }
}
