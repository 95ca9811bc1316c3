import NIOCore
import Testing

@testable import RESP

@Suite(.timeLimit(.minutes(1)))
struct RESPHandshakeTests {
    private func handshake(
        user: String? = nil,
        password: String? = nil,
        database: Int = 0,
        name: String? = nil,
        resp3: Bool = true
    ) -> RESPHandshake {
        var configuration = RESPConfiguration(database: database)
        configuration.username = user
        configuration.password = password
        configuration.clientName = name
        configuration.prefersRESP3 = resp3
        return RESPHandshake(configuration: configuration, selectsDatabase: true)
    }

    @Test func resp3() {
        var handshake = self.handshake(user: "u", password: "p", database: 2, name: "n")
        #expect(handshake.start() == .send(["HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"]))
        #expect(handshake.received(hello()) == .send(["SELECT", "2"]))
        #expect(handshake.received(.simpleString("OK")) == .done)
        #expect(handshake.protocolVersion == 3)
    }

    @Test(arguments: ["ERR unknown command `HELLO`", "NOPROTO unsupported protocol version", "NOPERM no permission"])
    func fallsBackToRESP2(_ reply: String) {
        var handshake = self.handshake(user: "u", password: "p", database: 2, name: "n")
        _ = handshake.start()
        #expect(handshake.received(.error(RESPError(reply: reply))) == .send(["AUTH", "u", "p"]))
        #expect(handshake.received(.simpleString("OK")) == .send(["CLIENT", "SETNAME", "n"]))
        #expect(handshake.received(.error(RESPError(reply: "NOPERM"))) == .send(["ROLE"]))
        #expect(handshake.received(.error(RESPError(reply: "NOPERM"))) == .send(["INFO", "cluster"]))
        #expect(handshake.received(.error(RESPError(reply: "NOPERM"))) == .send(["SELECT", "2"]))
        #expect(handshake.received(.simpleString("OK")) == .done)
        #expect(handshake.protocolVersion == 2)
    }

    @Test func passwordOfTheDefaultUser() {
        var handshake = self.handshake(password: "p")
        #expect(handshake.start() == .send(["HELLO", "3", "AUTH", "default", "p"]))
        #expect(handshake.received(.error(RESPError(reply: "ERR unknown command"))) == .send(["AUTH", "p"]))
        #expect(handshake.received(.simpleString("OK")) == .send(["ROLE"]))
        #expect(handshake.received(.array([bulk("master"), .integer(0), .array([])])) == .send(["INFO", "cluster"]))
        #expect(handshake.received(bulk("# Cluster\r\ncluster_enabled:0\r\n")) == .done)
    }

    /// Also who has no password to show asks something: or what Redis says to everybody would be heard too late.
    @Test func somethingIsAlwaysAsked() {
        var handshake = self.handshake(resp3: false)
        #expect(handshake.start() == .send(["ROLE"]))
        #expect(
            handshake.received(.error(RESPError(reply: "NOAUTH Authentication required.")))
                == .fail(
                    RESPError(code: .authentication, message: "NOAUTH Authentication required.", serverCode: "NOAUTH")
                )
        )
    }

    /// A HELLO that does not tell the role is no reason to believe anything.
    @Test func roleThatHELLODoesNotTellIsAsked() {
        var handshake = self.handshake()
        _ = handshake.start()
        #expect(handshake.received(.map([])) == .send(["ROLE"]))
        let replica = RESPValue.array([bulk("slave"), bulk("10.0.0.7"), .integer(6379), bulk("connected"), .integer(1)])
        guard case .fail(let error) = handshake.received(replica) else {
            Issue.record("a replica was taken for a primary")
            return
        }
        #expect(error.code == .unsuitable)
        #expect(error.message.contains("replica of 10.0.0.7:6379"))
    }

    @Test(arguments: [
        (hello(role: "replica"), "a replica"), (hello(role: "slave"), "a replica"),
        (hello(mode: "cluster"), "one node of a Redis Cluster"),
        (hello(mode: "sentinel", role: "master"), "a Sentinel"),
    ])
    func unsuitable(_ reply: RESPValue, _ words: String) {
        var handshake = self.handshake(user: "u", password: "p")
        _ = handshake.start()
        guard case .fail(let error) = handshake.received(reply) else {
            Issue.record("\(words) was accepted")
            return
        }
        #expect(error.code == .unsuitable)
        #expect(error.message.contains(words))
    }

    @Test func clusterNodeOfAnOldProtocol() {
        var handshake = self.handshake(resp3: false)
        _ = handshake.start()
        _ = handshake.received(.array([bulk("master"), .integer(0), .array([])]))
        guard case .fail(let error) = handshake.received(bulk("# Cluster\r\ncluster_enabled:1\r\n")) else {
            Issue.record("a node of a cluster was accepted")
            return
        }
        #expect(error.code == .unsuitable)
    }

    /// Words that come instead of an answer, whatever was asked.
    @Test(arguments: [
        "ERR max number of clients reached", "ERR max number of clients + cluster connections reached",
        "DENIED Redis is running in protected mode because protected mode is enabled.",
        "LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script.",
        "MASTERDOWN Link with MASTER is down",
    ])
    func wordsInsteadOfAnAnswer(_ words: String) {
        for answers in 0..<3 {
            var handshake = self.handshake(resp3: false)
            _ = handshake.start()
            for _ in 0..<min(answers, 1) { _ = handshake.received(.array([bulk("master")])) }
            guard case .fail(let error) = handshake.received(.error(RESPError(reply: words))) else {
                Issue.record("\(words) was taken for an answer")
                return
            }
            #expect(error.code == .connect)
            #expect(error.message == words)
        }
    }

    @Test func refused() {
        for (reply, code) in [("WRONGPASS invalid", "WRONGPASS"), ("NOAUTH HELLO must be", "NOAUTH")] {
            var handshake = self.handshake(password: "p")
            _ = handshake.start()
            #expect(
                handshake.received(.error(RESPError(reply: reply)))
                    == .fail(RESPError(code: .authentication, message: reply, serverCode: code))
            )
        }
        var old = self.handshake(password: "p", resp3: false)
        _ = old.start()
        #expect(
            old.received(.error(RESPError(reply: "ERR invalid password")))
                == .fail(RESPError(code: .authentication, message: "ERR invalid password", serverCode: "ERR"))
        )
        var wrongDatabase = self.handshake(database: 99)
        _ = wrongDatabase.start()
        _ = wrongDatabase.received(hello())
        #expect(
            wrongDatabase.received(.error(RESPError(reply: "ERR DB index is out of range")))
                == .fail(
                    RESPError(
                        code: .connect,
                        message: "selecting database 99: ERR DB index is out of range",
                        serverCode: "ERR"
                    )
                )
        )
    }
}
