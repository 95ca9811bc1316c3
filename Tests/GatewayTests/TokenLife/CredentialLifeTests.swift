import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct CredentialLifeTests {
    private func life(from start: Double, to end: Double, at now: Double, tellsOfPast: Bool = true) -> CredentialLife {
        CredentialLife(startsAt: start, endsAt: end, now: now, tellsOfPast: tellsOfPast)
    }

    @Test func aLongLifeHasTwoWarningsAndAnEnd() {
        var life = self.life(from: 1000, to: 2000, at: 1000)
        #expect(life.next == 1800)
        #expect(life.wake(at: 1799) == .wait(until: 1800))
        #expect(life.wake(at: 1800) == .warn(next: 1970))
        #expect(life.wake(at: 1900) == .wait(until: 1970))
        #expect(life.wake(at: 1970.5) == .warn(next: 2000))
        #expect(life.wake(at: 1999) == .wait(until: 2000))
        #expect(life.wake(at: 2000) == .end)
        #expect(life.wake(at: 3000) == .end)
    }

    @Test func warningsThatComeTogetherAreOne() {
        var life = self.life(from: 1000, to: 2000, at: 1000)
        #expect(life.wake(at: 1980) == .warn(next: 2000))
        // Of 150 seconds the last fifth is the last 30.
        var even = self.life(from: 1000, to: 1150, at: 1000)
        #expect(even.wake(at: 1120) == .warn(next: 1150))
        #expect(even.wake(at: 1121) == .wait(until: 1150))
    }

    @Test func aShortLifeHasNoWarningBeforeItsBeginning() {
        var life = self.life(from: 1000, to: 1020, at: 1000)
        #expect(life.next == 1016)
        #expect(life.wake(at: 1016) == .warn(next: 1020))
    }

    @Test func whoComesLateIsToldAtOnceUnlessHeWasJustTold() {
        var late = self.life(from: 0, to: 1000, at: 900)
        #expect(late.next <= 900)
        #expect(late.wake(at: 900) == .warn(next: 970))
        var again = self.life(from: 0, to: 1000, at: 900, tellsOfPast: false)
        #expect(again.wake(at: 900) == .wait(until: 970))
        var over = self.life(from: 0, to: 1000, at: 1000)
        #expect(over.wake(at: 1000) == .end)
    }

    /// A token of an issuer whose clock is ahead has not been alive for a negative time.
    @Test func aBeginningInTheFutureIsNow() {
        #expect(self.life(from: 5000, to: 2000, at: 1000).next == 1800)
    }
}
