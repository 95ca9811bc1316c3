package import NIOCore

/// Something that a ``TimingWheel`` wakes.
///
/// It has at most one deadline at a time.
package protocol TimerTarget: AnyObject {
    /// State of the wheel. Store `TimerLinks()` and do not change it.
    var timerLinks: TimerLinks { get set }

    /// The deadline has passed. The target is no longer in the wheel.
    func timerFired(at now: NIODeadline)
}

/// A target's place in its wheel.
package struct TimerLinks {
    fileprivate var next: (any TimerTarget)?
    fileprivate unowned(unsafe) var previous: (any TimerTarget)?
    /// When it is to be woken, or was woken last.
    fileprivate var tick: UInt64 = 0
    fileprivate var slot: Int32 = -1

    /// Whether the target is in a wheel.
    package var isScheduled: Bool { self.slot >= 0 }

    package init() {}
}

/// The timers of one event loop.
///
/// Any number of deadlines share one scheduled callback.
///
/// It meets deadlines up to one resolution late, and never early. To schedule, move or cancel one is O(1) and allocates
/// nothing, because the targets themselves are the entries. The wheel keeps its targets alive.
///
/// It is `@unchecked Sendable` because its event loop gets it as a callback handler. Everything else uses it only on
/// that loop, and that is asserted.
package final class TimingWheel: @unchecked Sendable {
    private static let slotCount = 4096
    private static let mask = UInt64(slotCount - 1)

    private let eventLoop: any EventLoop
    private let tickLength: UInt64
    private var slots: [(any TimerTarget)?]
    private var occupied: [UInt64]
    /// The slot that is being emptied.
    private var firing: (any TimerTarget)?
    /// The last tick whose slot has been emptied.
    private var current: UInt64 = 0
    private var count = 0
    private var callback: NIOScheduledCallback?
    private var callbackTick = UInt64.max
    private var isFiring = false
    /// How far this clock is ahead of the loop's clock.
    private var lead = TimeAmount.zero

    package init(eventLoop: any EventLoop, resolution: TimeAmount = .milliseconds(10)) {
        self.eventLoop = eventLoop
        self.tickLength = UInt64(max(1, resolution.nanoseconds))
        self.slots = Array(repeating: nil, count: Self.slotCount)
        self.occupied = Array(repeating: 0, count: Self.slotCount / 64)
    }

    deinit {
        // Targets are unlinked one by one, because a long chain that frees itself recursively would exhaust the stack.
        for index in self.slots.indices {
            var target = self.slots[index]
            self.slots[index] = nil
            while let entry = target {
                target = entry.timerLinks.next
                entry.timerLinks = TimerLinks()
            }
        }
    }

    /// The loop's time for timers.
    package var now: NIODeadline { self.eventLoop.now + self.lead }

    /// Moves the time forward, for tests over real connections.
    ///
    /// It wakes at once everything that becomes due.
    package func advance(by amount: TimeAmount) {
        self.lag(behind: amount)
        self.cancelCallback()
        self.fire()
    }

    /// Moves the time forward as if the loop had not come to its timers meanwhile, for tests.
    package func lag(behind amount: TimeAmount) {
        self.eventLoop.assertInEventLoop()
        self.lead = self.lead + amount
    }

    /// Wakes a target at a deadline.
    ///
    /// This replaces its earlier deadline.
    package func schedule(_ target: any TimerTarget, at deadline: NIODeadline) {
        self.eventLoop.assertInEventLoop()
        if target.timerLinks.isScheduled { self.unlink(target) }
        if self.count == 0, !self.isFiring {
            self.current = self.now.uptimeNanoseconds / self.tickLength
        }
        let nanoseconds = deadline.uptimeNanoseconds
        let tick = nanoseconds / self.tickLength + (nanoseconds % self.tickLength == 0 ? 0 : 1)
        self.link(target, tick: max(tick, self.current + 1))
        if !self.isFiring { self.scheduleCallback() }
    }

    /// How late a deadline may be met.
    package var resolution: TimeAmount { .nanoseconds(Int64(clamping: self.tickLength)) }

    /// Wakes a target after an amount of time.
    ///
    /// This replaces its earlier deadline.
    package func schedule(_ target: any TimerTarget, in amount: TimeAmount) {
        self.schedule(target, at: self.now + amount)
    }

    /// Forgets a target's deadline, if it has one.
    package func cancel(_ target: any TimerTarget) {
        self.eventLoop.assertInEventLoop()
        guard target.timerLinks.isScheduled else { return }
        self.unlink(target)
        if self.count == 0, !self.isFiring { self.cancelCallback() }
    }

    /// Wakes a target if its deadline has passed and the loop has not come to it yet.
    package func wakeIfOverdue(_ target: any TimerTarget) {
        self.eventLoop.assertInEventLoop()
        let tick = target.timerLinks.tick
        guard target.timerLinks.isScheduled, !self.isFiring else { return }
        let now = self.now
        guard tick <= now.uptimeNanoseconds / self.tickLength else { return }
        self.cancel(target)
        target.timerLinks.tick = tick
        target.timerFired(at: now)
    }

    /// How much later than it should a target is woken that is being woken.
    package func lateness(of target: any TimerTarget, at now: NIODeadline) -> TimeAmount {
        now - .uptimeNanoseconds(target.timerLinks.tick * self.tickLength)
    }

    private func link(_ target: any TimerTarget, tick: UInt64) {
        let slot = Int(tick & Self.mask)
        let next = self.slots[slot]
        var links = TimerLinks()
        links.next = next
        links.tick = tick
        links.slot = Int32(slot)
        target.timerLinks = links
        next?.timerLinks.previous = target
        self.slots[slot] = target
        self.occupied[slot >> 6] |= 1 << UInt64(slot & 63)
        self.count += 1
    }

    private func unlink(_ target: any TimerTarget) {
        let links = target.timerLinks
        target.timerLinks = TimerLinks()
        links.next?.timerLinks.previous = links.previous
        if let previous = links.previous {
            previous.timerLinks.next = links.next
        } else if let firing = self.firing, firing === target {
            self.firing = links.next
        } else {
            let slot = Int(links.slot)
            self.slots[slot] = links.next
            if links.next == nil { self.occupied[slot >> 6] &= ~(1 << UInt64(slot & 63)) }
        }
        self.count -= 1
    }

    /// The next tick whose slot holds something.
    private func nextOccupiedTick() -> UInt64? {
        guard self.count > 0 else { return nil }
        let start = Int((self.current + 1) & Self.mask)
        let words = self.occupied.count
        var word = start >> 6
        var bits = self.occupied[word] & (UInt64.max << UInt64(start & 63))
        for _ in 0...words {
            if bits != 0 {
                let slot = UInt64(word << 6 + bits.trailingZeroBitCount)
                return self.current + 1 + ((slot &- UInt64(start)) & Self.mask)
            }
            word = word + 1 == words ? 0 : word + 1
            bits = self.occupied[word]
        }
        return nil
    }

    private func scheduleCallback() {
        guard let tick = self.nextOccupiedTick() else {
            self.cancelCallback()
            return
        }
        guard self.callback == nil || tick < self.callbackTick else { return }
        self.cancelCallback()
        // A loop that shuts down accepts no more callbacks. Then nothing needs timers any more.
        self.callback = try? self.eventLoop.scheduleCallback(
            at: .uptimeNanoseconds(tick * self.tickLength) - self.lead,
            handler: self
        )
        self.callbackTick = tick
    }

    private func cancelCallback() {
        self.callback?.cancel()
        self.callback = nil
        self.callbackTick = .max
    }
}

extension TimingWheel: NIOScheduledCallbackHandler {
    package func handleScheduledCallback(eventLoop: some EventLoop) {
        self.callback = nil
        self.callbackTick = .max
        self.fire()
    }

    private func fire() {
        self.isFiring = true
        let now = self.now
        let nowTick = now.uptimeNanoseconds / self.tickLength
        while let tick = self.nextOccupiedTick(), tick <= nowTick {
            self.current = tick
            self.empty(slot: Int(tick & Self.mask), now: now, nowTick: nowTick)
        }
        self.current = max(self.current, nowTick)
        self.isFiring = false
        self.scheduleCallback()
    }

    private func empty(slot: Int, now: NIODeadline, nowTick: UInt64) {
        self.firing = self.slots[slot]
        self.slots[slot] = nil
        self.occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
        while let target = self.firing {
            let tick = target.timerLinks.tick
            self.unlink(target)
            if tick <= nowTick {
                target.timerLinks.tick = tick
                target.timerFired(at: now)
            } else {
                // This is for a later round of the wheel.
                self.link(target, tick: tick)
            }
        }
    }
}
