import NIOCore
import SocketIOWire
import Testing

@testable import EngineIO

@Suite struct HeartbeatTests {
    @Test func silentClientIsGivenUp() {
        var heartbeat = Heartbeat()
        #expect(heartbeat.timerFired(.taking) == .sendPing)
        #expect(heartbeat.isAwaitingClient)
        #expect(heartbeat.timerFired(.none) == .giveUp)
    }

    @Test func pongStartsTheIntervalAgain() {
        var heartbeat = Heartbeat()
        #expect(heartbeat.timerFired(.taking) == .sendPing)
        heartbeat.clientAnswered()
        #expect(!heartbeat.isAwaitingClient)
        #expect(heartbeat.timerFired(.none) == .sendPing)
    }

    @Test func movingBytesPutTheEndOff() {
        var heartbeat = Heartbeat()
        #expect(heartbeat.timerFired(.taking) == .sendPing)
        #expect(heartbeat.timerFired(.taking) == .waitOn)
        #expect(heartbeat.timerFired(.taking) == .waitOn)
        #expect(heartbeat.timerFired(.none) == .giveUp)
    }

    @Test func sendingForEverIsNotEnough() {
        var heartbeat = Heartbeat()
        #expect(heartbeat.timerFired(.none) == .sendPing)
        for _ in 0..<10 { #expect(heartbeat.timerFired(.sending) == .waitOn) }
        #expect(heartbeat.timerFired(.sending) == .giveUp)
        // An answer makes it new.
        heartbeat.clientAnswered()
        #expect(heartbeat.timerFired(.none) == .sendPing)
        #expect(heartbeat.timerFired(.sending) == .waitOn)
        // Who takes what it is sent, or cannot be heard, has all the time.
        for _ in 0..<100 { #expect(heartbeat.timerFired(.taking) == .waitOn) }
        // Who cannot be heard must not think that nobody is there.
        for _ in 0..<100 { #expect(heartbeat.timerFired(.unheard) == .sendPing) }
        #expect(heartbeat.isAwaitingClient)
    }

    @Test func clientsOfProtocol3PingThemselves() {
        var heartbeat = Heartbeat(isClientDriven: true)
        #expect(heartbeat.isAwaitingClient)
        for _ in 0..<3 {
            #expect(heartbeat.timerFired(.sending) == .waitOn)
            #expect(heartbeat.timerFired(.unheard) == .waitOn)
            heartbeat.clientAnswered()
        }
        #expect(heartbeat.timerFired(.none) == .giveUp)
    }

    @Test func pongsThatNobodyAskedForChangeNothing() {
        var heartbeat = Heartbeat()
        for _ in 0..<1000 { heartbeat.clientAnswered() }
        #expect(heartbeat == Heartbeat())
    }
}

@Suite struct UpgradeStateTests {
    private func packet(_ text: String) -> EnginePacket? { EnginePacket(text: ByteBuffer(string: text)) }

    @Test func probeThenUpgrade() {
        var state = UpgradeState()
        #expect(state.received(self.packet("2probe")) == .answerProbe)
        #expect(state.received(self.packet("2probe")) == .answerProbe)
        #expect(state.received(self.packet("5")) == .switchTransport)
        #expect(state.received(self.packet("4x")) == .ignore)
        #expect(state.end() == false)
    }

    @Test func probesAreNumbered() {
        var state = UpgradeState()
        for _ in 0..<16 { #expect(state.received(self.packet("2probe")) == .answerProbe) }
        #expect(state.received(self.packet("2probe")) == .fail)
        #expect(state.received(self.packet("5")) == .ignore)
    }

    @Test func upgradeNeedsNoProbe() {
        var state = UpgradeState()
        #expect(state.received(self.packet("5")) == .switchTransport)
    }

    @Test(arguments: ["2", "2probf", "4hello", "abc", "", "0", "1", "3", "6", "bAQ=="])
    func anythingElseFails(text: String) {
        for isProbed in [false, true] {
            var state = UpgradeState()
            if isProbed { #expect(state.received(self.packet("2probe")) == .answerProbe) }
            #expect(state.received(self.packet(text)) == .fail)
            #expect(state.received(self.packet("5")) == .ignore)
        }
    }

    @Test func binaryFails() {
        var state = UpgradeState()
        #expect(state.received(nil) == .fail)
    }

    @Test func endsOnce() {
        var state = UpgradeState()
        #expect(state.end() == true)
        #expect(state.end() == false)
        #expect(state.received(self.packet("5")) == .ignore)
    }
}

@Suite struct PollingRequestsTests {
    private final class Request {}

    @Test func oneGetAtATime() {
        var requests = PollingRequests<Request>()
        let first = Request()
        #expect(requests.getArrived(first) == .hold)
        #expect(requests.getArrived(Request()) == .overlap)
        #expect(requests.takeGet() === first)
        #expect(requests.takeGet() == nil)
        #expect(requests.getArrived(Request()) == .hold)
    }

    @Test func onePostAtATime() {
        var requests = PollingRequests<Request>()
        let first = Request()
        #expect(requests.postArrived(first, isContentAllowed: true) == .read)
        #expect(requests.postArrived(Request(), isContentAllowed: true) == .overlap)
        #expect(requests.postEnded(Request()) == false)
        #expect(requests.postEnded(first) == true)
        #expect(requests.postEnded(first) == false)
        #expect(requests.postArrived(Request(), isContentAllowed: true) == .read)
    }

    @Test func getAndPostGoTogether() {
        var requests = PollingRequests<Request>()
        #expect(requests.getArrived(Request()) == .hold)
        #expect(requests.postArrived(Request(), isContentAllowed: true) == .read)
    }

    @Test func binaryBodiesAreRefused() {
        var requests = PollingRequests<Request>()
        #expect(requests.postArrived(Request(), isContentAllowed: false) == .invalidContent)
        #expect(requests.post == nil)
        #expect(requests.postArrived(Request(), isContentAllowed: true) == .read)
    }

    @Test func abortedRequestsAreRecognised() {
        var requests = PollingRequests<Request>()
        let get = Request()
        let post = Request()
        _ = requests.getArrived(get)
        _ = requests.postArrived(post, isContentAllowed: true)
        #expect(requests.aborted(Request()) == .none)
        #expect(requests.aborted(get) == .pollAborted)
        #expect(requests.aborted(get) == .none)
        #expect(requests.aborted(post) == .dataAborted)
        #expect(requests.takePost() == nil)
    }
}

@Suite struct RequestTargetTests {
    @Test(arguments: [
        ("/x", []),
        ("/x?", []),
        ("/x?a=1&b=2", ["a=1", "b=2"]),
        ("/x?a=1&a=2&b=3&a=4", ["a=4", "b=3"]),
        ("/x?a&b=&=c&&d=e=f", ["a=", "b=", "=c", "d=e=f"]),
        ("/x?a=%41%62+c%2B%zz%4", ["a=Ab c+%zz%4"]),
        ("/x?%C3%A9=%F0%9F%98%80#d=1", ["é=😀"]),
        ("/x?a=%FF", ["a=\u{FFFD}"]),
    ])
    func query(target: String, expected: [String]) {
        #expect(RequestTarget.query(of: target).map { "\($0.name)=\($0.value)" } == expected)
    }

    /// However many others there are, and without looking into them.
    @Test func aFormHasOneValueThatMatters() {
        func value(in form: String) -> String? {
            form.withBytes { RequestTarget.value(of: "d", in: $0) }.map { String(decoding: $0, as: UTF8.self) }
        }
        let others = (0..<10_000).map { "p\($0)=1" }.joined(separator: "&")
        #expect(value(in: others) == nil)
        #expect(value(in: "\(others)&d=4a%20b+c&\(others)") == "4a b c")
        #expect(value(in: "d=1&%64=2&e=d") == "2")
        #expect(value(in: "&&d&") == "")
        #expect(value(in: "d=a=b") == "a=b")
        #expect(value(in: "") == nil)
        #expect(value(in: "&") == nil)
        #expect(
            FormField.payload(of: ByteBuffer(string: #"\#(others)&d=4a\\nb\nc"#)) == ByteBuffer(string: "4a\\nb\nc")
        )
    }

    @Test func repeatedParametersCostLinearMemory() {
        let target = "/x?" + (0..<10_000).map { "p\($0)=1" }.joined(separator: "&")
        #expect(RequestTarget.query(of: target).count == 256)
    }
}
