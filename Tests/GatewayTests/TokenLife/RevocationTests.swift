import NIOCore
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct RevocationListTests {
    private func record(
        _ kind: PrincipalRecord.Kind = .user,
        user: EntityID = 7,
        issuedAt: Double? = nil,
        jti: UTF8Text? = nil,
        token: UTF8Text? = nil
    ) -> PrincipalRecord {
        var record = PrincipalRecord(kind: kind)
        if kind == .user || kind == .operator { record.userID = user }
        record.issuedAt = issuedAt
        record.jsonWebTokenID = jti
        record.tokenID = token
        return record
    }

    private func list(_ revocations: Revocation..., now: Double = 0) -> RevocationList {
        var list = RevocationList()
        for revocation in revocations { _ = list.add(revocation, now: now) }
        return list
    }

    @Test func oneToken() {
        let list = self.list(Revocation(.token(id: "a"), endsAt: 100))
        #expect(list.revokes(self.record(jti: "a")))
        #expect(!list.revokes(self.record(jti: "b")))
        #expect(!list.revokes(self.record()))
        // Other kinds of things of the same name.
        #expect(!list.revokes(self.record(.token, token: "a")))
        #expect(!list.revokes(self.record(user: "a")))
    }

    @Test func allTokensOfAUserThatWereIssuedBefore() {
        let list = self.list(Revocation(.user(id: "7"), issuedBefore: 50, endsAt: 100))
        for kind in [PrincipalRecord.Kind.user, .operator] {
            #expect(list.revokes(self.record(kind, issuedAt: 49)))
            #expect(!list.revokes(self.record(kind, issuedAt: 50)))
            // It may have been issued at any time.
            #expect(list.revokes(self.record(kind)))
            #expect(list.revokes(self.record(kind, user: "7")))
            #expect(!list.revokes(self.record(kind, user: 8)))
        }
        #expect(!list.revokes(self.record(.visitor)))
        #expect(!list.revokes(self.record(.token, token: "7")))
    }

    @Test func everybody() {
        let list = self.list(Revocation(.everybody, issuedBefore: 50, endsAt: 100))
        #expect(list.revokes(self.record(issuedAt: 49)))
        #expect(list.revokes(self.record()))
        #expect(!list.revokes(self.record(issuedAt: 51)))
        #expect(!list.revokes(self.record(.token, token: "t")))
        #expect(!list.revokes(self.record(.unauthorized)))
    }

    @Test func apiTokens() {
        let list = self.list(Revocation(.apiToken(id: "t"), endsAt: nil))
        #expect(list.revokes(self.record(.token, token: "t")))
        #expect(!list.revokes(self.record(.token, token: "u")))
        #expect(!list.revokes(self.record(jti: "t")))
    }

    @Test func theStrongerOfTwoCountsAndOnlyNewOnesAreNews() {
        var list = self.list(Revocation(.user(id: "7"), issuedBefore: 50, endsAt: 100))
        let isNews1 = list.add(Revocation(.user(id: "7"), issuedBefore: 40, endsAt: 200), now: 0)
        #expect(!isNews1)
        #expect(list.all == [Revocation(.user(id: "7"), issuedBefore: 50, endsAt: 200)])
        let isNews2 = list.add(Revocation(.user(id: "7"), issuedBefore: 60, endsAt: nil), now: 0)
        #expect(isNews2)
        #expect(list.all == [Revocation(.user(id: "7"), issuedBefore: 60, endsAt: nil)])
        let isNews3 = list.add(Revocation(.user(id: "7"), issuedBefore: 60, endsAt: 10), now: 0)
        #expect(!isNews3)
        #expect(list.all == [Revocation(.user(id: "7"), issuedBefore: 60, endsAt: nil)])
    }

    @Test func whatHasEndedIsForgotten() {
        var list = self.list(Revocation(.token(id: "a"), endsAt: 100), Revocation(.token(id: "b"), endsAt: 200))
        let isNews4 = list.add(Revocation(.token(id: "c"), endsAt: 100), now: 100)
        #expect(!isNews4)
        list.prune(now: 100)
        #expect(list.all == [Revocation(.token(id: "b"), endsAt: 200)])
    }

    @Test func aFullListMakesRoomOnlyByForgettingWhatHasEnded() {
        var list = RevocationList()
        for number in 0..<RevocationList.capacity {
            _ = list.add(Revocation(.token(id: UTF8Text("\(number)")), endsAt: number < 10 ? 5 : nil), now: 0)
        }
        let isNews5 = list.add(Revocation(.token(id: "new"), endsAt: nil), now: 4)
        #expect(!isNews5)
        #expect(list.count == RevocationList.capacity)
        let isNews6 = list.add(Revocation(.token(id: "new"), endsAt: nil), now: 5)
        #expect(isNews6)
        #expect(list.count == RevocationList.capacity - 9)
    }
}

@Suite(.timeLimit(.minutes(1))) struct RevocationSignalTests {
    @Test(arguments: [
        Revocation(.token(id: "a b\n\u{0}é"), endsAt: 1_800_000_000.125),
        Revocation(.user(id: "7"), issuedBefore: 0.5, endsAt: nil),
        Revocation(.everybody, issuedBefore: 1_700_000_000, endsAt: 1), Revocation(.apiToken(id: "x:y"), endsAt: nil),
    ]) func isReadAsItWasWritten(_ revocation: Revocation) {
        let signal = RevocationSignal(version: 9, revocation)
        #expect(RevocationSignal(signal.bytes) == signal)
    }

    @Test(arguments: [
        "", " ", "1 2 3", "x 1 inf j:a", "1 x inf j:a", "1 1 x j:a", "1 1 inf ", "1 1 inf j:", "1 1 inf q:a",
        "1 1 inf **", "1 nan inf *", "1 inf inf *", "1 1 nan *", "1 1 infinity j:a",
        "1 1 inf j:" + String(repeating: "a", count: 257), "1 1 inf j:" + String(repeating: "a", count: 100_000),
    ]) func otherBytesAreNone(_ text: String) {
        #expect(RevocationSignal(ByteBuffer(string: text)) == nil)
    }

    @Test func whatIsNoTextIsNone() {
        #expect(RevocationSignal(ByteBuffer(bytes: Array("1 1 inf j:".utf8) + [0xFF, 0xFE])) == nil)
    }

    @Test func shortenedAndSpoiledBytesTrapNothing() {
        let bytes = Array(RevocationSignal(version: 9, Revocation(.user(id: "7"), endsAt: 5)).bytes.readableBytesView)
        for count in 0..<bytes.count { _ = RevocationSignal(ByteBuffer(bytes: bytes.prefix(count))) }
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            var spoiled = bytes
            spoiled[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            _ = RevocationSignal(ByteBuffer(bytes: spoiled))
        }
    }
}

extension RevocationList {
    /// Whether a token is revoked before anything is over.
    fileprivate func revokes(_ record: PrincipalRecord) -> Bool { self.revokes(record, now: -.infinity) }
}
