import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import Testing

@testable import EngineIO

@Suite(.timeLimit(.minutes(1))) struct TimingWheelTests {
    private final class Target: TimerTarget {
        var timerLinks = TimerLinks()
        var fired: [NIODeadline] = []
        var onFire: (() -> Void)?

        func timerFired(at now: NIODeadline) {
            self.fired.append(now)
            self.onFire?()
        }
    }

    private let loop = EmbeddedEventLoop()
    private let wheel: TimingWheel

    init() { self.wheel = TimingWheel(eventLoop: self.loop) }

    @Test func deadlinesAreMetLateByOneTickAtMost() {
        for delay in [0, 1, 9, 10, 11, 25, 999, 40_950, 40_960, 40_970, 100_000, 1_000_003] as [Int64] {
            let target = Target()
            let start = self.loop.now
            self.wheel.schedule(target, in: .milliseconds(delay))
            self.loop.advanceTime(by: .milliseconds(delay) - .nanoseconds(1))
            #expect(target.fired.isEmpty, "\(delay)")
            self.loop.advanceTime(by: .milliseconds(20) + .nanoseconds(1))
            #expect(target.fired.count == 1, "\(delay)")
            #expect((target.fired.first ?? start) - start <= .milliseconds(delay + 20))
            #expect(!target.timerLinks.isScheduled)
        }
    }

    @Test func aCancelledTargetStaysSilent() {
        let targets = (0..<5).map { _ in Target() }
        for target in targets { self.wheel.schedule(target, in: .milliseconds(50)) }
        for index in [0, 4, 2] { self.wheel.cancel(targets[index]) }
        self.wheel.cancel(targets[2])
        self.loop.advanceTime(by: .seconds(1))
        #expect(targets.map(\.fired.count) == [0, 1, 0, 1, 0])
    }

    @Test func aMovedTargetFiresOnceAtItsLastDeadline() {
        let target = Target()
        self.wheel.schedule(target, in: .seconds(10))
        self.wheel.schedule(target, in: .seconds(20))
        self.wheel.schedule(target, in: .seconds(5))
        self.loop.advanceTime(by: .seconds(4))
        #expect(target.fired.isEmpty)
        self.loop.advanceTime(by: .seconds(2))
        #expect(target.fired.count == 1)
        self.loop.advanceTime(by: .seconds(60))
        #expect(target.fired.count == 1)
    }

    @Test func targetsMayChangeTheWheelWhileItFires() {
        let first = Target()
        let second = Target()
        let third = Target()
        self.wheel.schedule(first, in: .milliseconds(100))
        self.wheel.schedule(second, in: .milliseconds(100))
        self.wheel.schedule(third, in: .milliseconds(100))
        // Whichever comes first cancels the others, and comes back.
        for (target, others) in [(first, [second, third]), (second, [first, third]), (third, [first, second])] {
            target.onFire = { [wheel = self.wheel] in
                for other in others { wheel.cancel(other) }
                if target.fired.count < 3 { wheel.schedule(target, in: .milliseconds(10)) }
            }
        }
        self.loop.advanceTime(by: .seconds(1))
        #expect([first, second, third].map(\.fired.count).sorted() == [0, 0, 3])
    }

    @Test func aTargetThatComesBackAtOnceDoesNotStopTheLoop() {
        let target = Target()
        target.onFire = { [wheel = self.wheel] in wheel.schedule(target, in: .nanoseconds(0)) }
        self.wheel.schedule(target, in: .nanoseconds(0))
        self.loop.advanceTime(by: .milliseconds(100))
        #expect((5...11).contains(target.fired.count))
        self.wheel.cancel(target)
    }

    @Test func manyTargetsFireInOrder() {
        var generator = SeededGenerator(seed: 12)
        let targets = (0..<2000).map { _ in (Target(), Int64.random(in: 0...90_000, using: &generator)) }
        for (target, delay) in targets { self.wheel.schedule(target, in: .milliseconds(delay)) }
        self.loop.advanceTime(by: .milliseconds(45_000))
        for (target, delay) in targets { #expect(target.fired.count == 1 || delay > 44_970, "\(delay)") }
        self.loop.advanceTime(by: .milliseconds(60_000))
        for (target, delay) in targets {
            #expect(target.fired.count == 1)
            guard let fired = target.fired.first else { continue }
            let late = fired - .uptimeNanoseconds(0) - .milliseconds(delay)
            #expect(late >= .nanoseconds(0) && late <= .milliseconds(20))
        }
    }

    @Test func timeCanBeMadeToPass() {
        let targets = ([59, 61, 62] as [Int64]).map { minutes in
            let target = Target()
            self.wheel.schedule(target, in: .minutes(minutes))
            return target
        }
        self.wheel.advance(by: .minutes(60))
        #expect(targets.map(\.fired.count) == [1, 0, 0])
        // What is left, and what is new, comes when it should by either clock.
        let new = Target()
        self.wheel.schedule(new, in: .seconds(30))
        self.loop.advanceTime(by: .milliseconds(29_990))
        #expect(new.fired.isEmpty)
        self.loop.advanceTime(by: .milliseconds(30))
        #expect(new.fired.count == 1)
        self.loop.advanceTime(by: .seconds(29))
        #expect(targets.map(\.fired.count) == [1, 0, 0])
        self.loop.advanceTime(by: .seconds(1))
        #expect(targets.map(\.fired.count) == [1, 1, 0])
        self.wheel.advance(by: .minutes(1))
        #expect(targets.map(\.fired.count) == [1, 1, 1])
    }

    @Test func aLongChainIsFreedWithoutRecursion() {
        var wheel: TimingWheel? = TimingWheel(eventLoop: self.loop)
        for _ in 0..<200_000 { wheel?.schedule(Target(), in: .seconds(30)) }
        weak let weakWheel = wheel
        wheel = nil
        // The pending callback keeps the wheel; it goes with the loop's time.
        self.loop.advanceTime(by: .seconds(31))
        #expect(weakWheel == nil)
    }

    @Test func whoIsOverdueCanBeWokenBeforeTheLoopComesToIt() {
        let (early, late) = (Target(), Target())
        let due = self.loop.now + .milliseconds(50)
        // What the loop does right before it comes to its timers.
        self.loop.assumeIsolated().scheduleTask(deadline: due - .milliseconds(10)) { self.wheel.wakeIfOverdue(early) }
        self.loop.assumeIsolated().scheduleTask(deadline: due) {
            self.wheel.wakeIfOverdue(early)
            #expect(early.fired == [due])
            #expect(late.fired.isEmpty)
            #expect(!early.timerLinks.isScheduled)
        }
        self.wheel.schedule(early, at: due)
        self.wheel.schedule(late, at: due)
        self.loop.advanceTime(by: .milliseconds(40))
        #expect(early.fired.isEmpty)
        self.loop.advanceTime(by: .milliseconds(10))
        // Each of them once.
        #expect(early.fired == [due])
        #expect(late.fired == [due])
        self.wheel.wakeIfOverdue(early)
        #expect(early.fired.count == 1)
    }

    @Test func targetsKnowHowLateTheyAreWoken() {
        let target = Target()
        var lateness: [TimeAmount] = []
        target.onFire = { lateness.append(self.wheel.lateness(of: target, at: self.wheel.now)) }
        self.wheel.schedule(target, in: .milliseconds(100))
        self.loop.advanceTime(by: .milliseconds(100))
        self.wheel.schedule(target, in: .milliseconds(100))
        self.wheel.advance(by: .milliseconds(350))
        #expect(lateness == [.zero, .milliseconds(250)])
    }
}
