import EngineIO
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOWire
import Testing

@testable import socketio_node

@Suite(.timeLimit(.minutes(1)))
struct ReadinessTests {
    private func reasons(_ readiness: Readiness, _ target: String = "/readyz") throws -> (Int, [String]) {
        let answer = try #require(readiness.answer(method: "GET", target: target))
        let body = try JSONValue(parsing: answer.body)
        return (answer.status, body["reasons"]?.arrayValue?.compactMap(\.stringValue) ?? [])
    }

    @Test func readyBetweenStartAndShutdown() throws {
        let readiness = Readiness()
        #expect(try self.reasons(readiness) == (503, ["starting"]))
        readiness.started()
        #expect(try self.reasons(readiness) == (200, []))
        readiness.shuttingDown()
        #expect(try self.reasons(readiness) == (503, ["shutting down"]))
        // Alive to the end: what is restarted while it drains drops its clients.
        #expect(try self.reasons(readiness, "/healthz") == (200, []))
    }

    @Test func shortOutagesOfRedisAreForgiven() throws {
        let now = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))
        let readiness = Readiness(grace: .seconds(5)) { now.withLockedValue { $0 } }
        readiness.started()
        readiness.cluster(isReachable: false)
        #expect(try self.reasons(readiness).0 == 200)
        now.withLockedValue { $0 = $0 + .seconds(4) }
        // Hearing of it again starts nothing anew.
        readiness.cluster(isReachable: false)
        #expect(try self.reasons(readiness).0 == 200)
        now.withLockedValue { $0 = $0 + .seconds(1) }
        #expect(try self.reasons(readiness) == (503, ["redis unreachable"]))
        #expect(try self.reasons(readiness, "/healthz").0 == 200)
        readiness.cluster(isReachable: true)
        #expect(try self.reasons(readiness).0 == 200)
    }

    /// What was noticed late counts from when it was so; and the words are those of now.
    @Test func outageCountsFromItsBeginningAndSaysWhy() throws {
        let now = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0) + .seconds(100))
        let readiness = Readiness(grace: .seconds(5)) { now.withLockedValue { $0 } }
        readiness.started()
        let since = now.withLockedValue { $0 } - .seconds(3)
        readiness.cluster(isReachable: false, reason: "connection refused", since: since)
        now.withLockedValue { $0 = since + .milliseconds(4999) }
        #expect(try self.reasons(readiness).0 == 200)
        now.withLockedValue { $0 = since + .seconds(5) }
        #expect(try self.reasons(readiness) == (503, ["redis unreachable: connection refused"]))
        readiness.cluster(isReachable: false, reason: "ERR max number of clients reached", since: since + .seconds(4))
        #expect(try self.reasons(readiness) == (503, ["redis unreachable: ERR max number of clients reached"]))
    }

    /// What each policy does just before its grace is over, and when it is; `/readyz` never says yes for longer than before.
    @Test(arguments: [
        (NodeConfiguration.WhenLost.serveLocal, 30, 8, 30, nil as Int?), (.serveLocal, 5, 8, 5, nil),
        (.notReady, 30, 8, 8, nil), (.notReady, 5, 8, 5, nil), (.notReady, 5, 0, 0, nil),
        (.stopAccepting, 30, 8, 8, 8), (.stopAccepting, 5, 8, 5, 8), (.stopAccepting, 30, 0, 0, 0),
    ])
    func whatHappensWhenRedisIsLost(
        whenLost: NodeConfiguration.WhenLost,
        readinessGrace: Int,
        whenLostGrace: Int,
        isNotReadyAfter: Int,
        refusesAfter: Int?
    ) throws {
        let now = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0) + .seconds(100))
        let readiness = Readiness(
            grace: .seconds(Int64(readinessGrace)),
            whenLost: whenLost,
            whenLostGrace: .seconds(Int64(whenLostGrace))
        ) { now.withLockedValue { $0 } }
        readiness.started()
        #expect(!readiness.refusesClients())
        let since = now.withLockedValue { $0 }
        readiness.cluster(isReachable: false)
        for second in [0, 4, 5, 7, 8, 29, 30, 3600] {
            now.withLockedValue { $0 = since + .seconds(Int64(second)) }
            #expect(try self.reasons(readiness).0 == (second >= isNotReadyAfter ? 503 : 200), "after \(second) s")
            #expect(readiness.refusesClients() == (refusesAfter.map { second >= $0 } ?? false), "after \(second) s")
            #expect(try self.reasons(readiness, "/healthz").0 == 200)
        }
        readiness.cluster(isReachable: true)
        #expect(try self.reasons(readiness).0 == 200 && !readiness.refusesClients())
        // The next outage has a grace of its own.
        readiness.cluster(isReachable: false)
        #expect(readiness.refusesClients() == (refusesAfter == 0))
    }

    /// However many clients come, an outage is logged once, and so is its end; an outage in which nobody came is not.
    @Test func refusalsAreLoggedOnce() {
        let lines = NIOLockedValueBox<[ByteBuffer]>([])
        let logger = Logger(label: "test") { label in
            LineLogHandler(.json, label: label, level: .info) { line in lines.withLockedValue { $0.append(line) } }
        }
        let now = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))
        let readiness = Readiness(whenLost: .stopAccepting, whenLostGrace: .seconds(2), logger: logger) {
            now.withLockedValue { $0 }
        }
        func count(_ text: String) -> Int {
            lines.withLockedValue { $0.filter { String(buffer: $0).contains(text) }.count }
        }
        for outage in 1...2 {
            readiness.cluster(isReachable: false, reason: "connection refused")
            #expect(!readiness.refusesClients())
            now.withLockedValue { $0 = $0 + .seconds(2) }
            for _ in 0..<3 { #expect(readiness.refusesClients()) }
            #expect(count("New clients are refused") == outage && count("connection refused") == outage)
            readiness.cluster(isReachable: true)
            readiness.cluster(isReachable: true)
            #expect(count("accepted again") == outage)
        }
        readiness.cluster(isReachable: false)
        readiness.cluster(isReachable: true)
        #expect(lines.withLockedValue { $0.count } == 4)
    }

    /// Whatever the grace is, a probe that is not answered is noticed within it.
    @Test(arguments: [400, 1000, 5000, 60_000])
    func probesFitIntoTheGrace(milliseconds: Int64) {
        let probe = NodeConfiguration.Adapter.probe(grace: .milliseconds(milliseconds))
        #expect(probe.interval + probe.timeout < .milliseconds(milliseconds))
        #expect(probe.interval >= .milliseconds(50))
    }

    @Test func otherRequestsAreNotItsOwn() throws {
        let readiness = Readiness()
        readiness.started()
        #expect(readiness.answer(method: "GET", target: "/") == nil)
        #expect(readiness.answer(method: "GET", target: "/readyz/x") == nil)
        #expect(readiness.answer(method: "POST", target: "/readyz")?.status == 405)
        #expect(try self.reasons(readiness, "/readyz?verbose=1").0 == 200)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct JSONLogTests {
    @Test func aMessageIsOneObjectOnOneLine() throws {
        let lines = NIOLockedValueBox<[ByteBuffer]>([])
        var logger = Logger(label: "test") { label in
            LineLogHandler(.json, label: label, level: .info) { line in lines.withLockedValue { $0.append(line) } }
        }
        logger[metadataKey: "sio.node.id"] = "n1"
        logger.debug("not written")
        logger.info("Two\nlines", metadata: ["list": ["a", "b"], "message": "not the message", "map": ["k": "\"v\""]])
        let written = lines.withLockedValue { $0 }
        #expect(written.count == 1)
        let text = String(buffer: written[0])
        #expect(text.hasSuffix("\n"))
        #expect(text.dropLast().contains("\n") == false)
        let value = try JSONValue(parsing: ByteBuffer(string: String(text.dropLast())))
        #expect(value["level"] == "info")
        #expect(value["message"] == "Two\nlines")
        #expect(value["sio.node.id"] == "n1")
        #expect(value["list"] == ["a", "b"])
        #expect(value["map"] == ["k": "\"v\""])
    }
}

@Suite(.timeLimit(.minutes(1)))
struct BannerTests {
    @Test func namesTheURLsThatWork() {
        let banner = Banner(host: "0.0.0.0", port: 3000, path: "/socket.io", adapter: "memory", token: "key")
        let text = banner.text(publishHost: "::1", publishPort: 3001)
        #expect(text.contains("http://127.0.0.1:3000/readyz"))
        #expect(text.contains("SOCKETIO_URL=http://[::1]:3001 SOCKETIO_TOKEN=key"))
    }

    @Test func saysNothingOfATokenThatWasConfigured() {
        let banner = Banner(host: "127.0.0.1", port: 1, path: "/", adapter: "memory", token: nil)
        #expect(!banner.text(publishHost: "127.0.0.1", publishPort: 2).contains("TOKEN"))
        #expect(!banner.text(publishHost: nil, publishPort: nil).contains("publish"))
    }
}

@Suite(.timeLimit(.minutes(1)))
struct NearestNameTests {
    @Test(arguments: [
        ("prot", "port"), ("hots", "host"), ("Port", "port"), ("heartbeet", "heartbeat"), ("x", nil), ("zzzz", nil),
    ])
    func nearest(name: String, expected: String?) {
        #expect(SettingNames.nearest(to: name, among: ["port", "host", "heartbeat"]) == expected)
    }
}
