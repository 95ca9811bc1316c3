import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct WebhookTests {
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    /// The example of the Standard Webhooks specification.
    @Test func requestsAreSigned() throws {
        let body = ByteBuffer(string: #"{"test": 2432232314}"#)
        let signer = try #require(WebhookSigner(secrets: [Self.secret]))
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(signer.signature(id: id, timestamp: 1_614_265_330, body: body) == expected)
        // While a secret is replaced, receivers with either one are content.
        let other = "whsec_\(String(repeating: "B", count: 32))"
        let both = try #require(WebhookSigner(secrets: [other, Self.secret]))
        let signatures = both.signature(id: id, timestamp: 1_614_265_330, body: body).split(separator: " ")
        #expect(signatures.count == 2)
        #expect(signatures[1] == expected)
        #expect(signatures[0] != expected)
    }

    @Test(arguments: [
        "", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_\(String(repeating: "A", count: 92))", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ]) func whatIsNoSecretIsRefused(_ text: String) {
        #expect(WebhookSigner(secrets: [text]) == nil)
        #expect(WebhookSigner(secrets: [Self.secret, text]) == nil)
    }

    @Test(arguments: [
        (200, "answered"), (201, "answered"), (204, "answered"), (301, "broken"), (307, "broken"), (304, "broken"),
        (400, "rejected"), (401, "rejected"), (404, "rejected"), (410, "rejected"), (422, "rejected"),
        (408, "failed"), (425, "failed"), (429, "failed"), (500, "failed"), (502, "failed"), (503, "failed"),
        (504, "failed"), (501, "broken"), (505, "broken"), (100, "broken"), (0, "broken"), (-1, "broken"),
        (999, "broken"),
    ]) func statusesHaveMeanings(_ status: Int, _ word: String) {
        #expect(WebhookVerdict(OutgoingResponse(status: status)).word == word)
    }

    @Test func errorsHaveMeanings() {
        for (code, word) in [
            (.timedOut, "failed"), (.unreachable, "failed"), (.answerTooLong, "broken"),
            (.forbiddenAddress, "broken"), (.redirect, "broken"), (.closed, "broken"),
        ] as [(OutgoingError.Code, String)] {
            #expect(WebhookVerdict(OutgoingError(code, "…", mayHaveArrived: true)).word == word, "\(code)")
        }
        struct Other: Error {}
        #expect(WebhookVerdict(Other()).word == "failed")
    }

    @Test func retryAfterIsReadInSecondsOnly() throws {
        for (text, seconds) in [
            ("0", 0), ("120", 120), ("999999", 999_999), ("1000000", nil), ("", nil), ("-1", nil), ("1.5", nil),
            ("Wed, 21 Oct 2026 07:28:00 GMT", nil), ("٣", nil),
        ] as [(String, Int64?)] {
            let response = OutgoingResponse(status: 503, headers: [.init("Retry-After", text)])
            guard case .failed(_, let time) = WebhookVerdict(response) else {
                Issue.record("503 is a failure")
                continue
            }
            #expect(time == seconds.map { .seconds($0) }, "\(text)")
        }
    }

    /// Many webhooks answer `OK` as text; JSON counts only if it says that it is JSON.
    @Test func onlyJSONIsRead() {
        func value(_ type: String?, _ body: String) -> (word: String, value: JSONValue?) {
            let headers = type.map { [OutgoingRequest.Header("content-type", $0)] } ?? []
            let verdict = WebhookVerdict(
                OutgoingResponse(status: 200, headers: headers, body: ByteBuffer(string: body))
            )
            if case .answered(let value) = verdict { return (verdict.word, value) }
            return (verdict.word, nil)
        }
        #expect(value(nil, "OK") == ("answered", nil))
        #expect(value("text/plain", "{\"a\":1}") == ("answered", nil))
        #expect(value("application/jsonp", "1") == ("answered", nil))
        #expect(value("Application/JSON; charset=utf-8", "{\"a\":1}") == ("answered", ["a": 1]))
        #expect(value("application/problem+json", "7") == ("answered", 7))
        #expect(value("application/json", "") == ("answered", nil))
        for lie in ["OK", "{", "{\"a\":1}x", String(repeating: "[", count: 100_000), "\u{0}"] {
            #expect(value("application/json", lie) == ("broken", nil))
        }
    }

    // MARK: Answers

    @Test func anythingIsAnAcknowledgement() throws {
        for value in [
            nil, .null, 7, "text", [1, 2], [:], ["success": true, "id": 7], ["emit": 1, "other": 2],
        ] as [JSONValue?] {
            let reply = try EventReply(answer: value)
            #expect(reply.answer == value ?? ["success": true])
            #expect(reply.emissions.isEmpty && reply.join.isEmpty && reply.disconnection == nil)
        }
    }

    @Test func instructionsAreRead() throws {
        let reply = try EventReply(
            answer: [
                "ack": ["ok": 1],
                "emit": [
                    ["event": "to-client", "data": 1],
                    ["event": "to-rooms", "args": [1, 2], "rooms": ["a", "b"], "exceptClient": true],
                    ["event": "to-room", "room": "c"], ["event": "to-all", "everybody": true],
                    ["event": "to-nobody", "rooms": []],
                ],
                "join": "x", "leave": ["y", "z"], "data": ["plan": "pro"], "disconnect": ["reason": "Bye"],
            ]
        )
        #expect(reply.answer == ["ok": 1])
        #expect(
            reply.emissions == [
                .init("to-client", [1]), .init("to-rooms", [1, 2], to: .rooms(["a", "b"]), exceptClient: true),
                .init("to-room", [], to: .rooms(["c"])), .init("to-all", [], to: .everybody),
                .init("to-nobody", [], to: .rooms([])),
            ]
        )
        #expect(reply.join == ["x"])
        #expect(reply.leave == ["y", "z"])
        #expect(reply.data == ["plan": "pro"])
        #expect(reply.disconnection == "Bye")
        #expect(try EventReply(answer: ["emit": ["event": "one"]]).emissions == [.init("one", [])])
        #expect(try EventReply(answer: ["disconnect": true]).disconnection == "server disconnect")
        #expect(try EventReply(answer: ["disconnect": false]).disconnection == nil)
        let refusal = try EventReply(answer: ["refuse": ["message": "No", "data": ["code": 3]]])
        #expect(refusal.answer == ["success": false, "error": "No", "data": ["code": 3]])
        #expect(try EventReply(answer: ["refuse": "No"]).answer == ["success": false, "error": "No"])
    }

    @Test(
        arguments: [
            ["emit": 5], ["emit": [5]], ["emit": ["event": ""]], ["emit": ["event": 1]], ["emit": ["data": 1]],
            ["emit": ["event": "connect"]], ["emit": ["event": "x", "args": 1]],
            ["emit": ["event": "x", "args": [1], "data": 1]], ["emit": ["event": "x", "to": "everybody"]],
            ["emit": ["event": "x", "rooms": 5]], ["emit": ["event": "x", "rooms": [""]]],
            ["emit": .array(Array(repeating: ["event": "x"], count: 101))],
            ["join": 5], ["join": [5]], ["join": ""], ["join": "io-role-editor"], ["join": "user:1"],
            ["join": "api::article.article:1"], ["leave": ["io-role-public"]],
            ["join": .array(Array(repeating: "x", count: 101))], ["join": .string(String(repeating: "x", count: 513))],
            ["data": 5], ["data": ["role": "admin"]], ["data": ["kind": "operator"]], ["data": ["userId": 1]],
            ["data": ["exp": 1]], ["data": ["tokenId": "x"]], ["data": ["user": [:]]],
            ["disconnect": 5], ["disconnect": .string(String(repeating: "x", count: 1025))], ["refuse": 5],
            ["refuse": ["data": 1]],
            ["emit": [["event": "fine"], ["event": "connect"]], "ack": 1],
        ] as [JSONValue]
    ) func whatIsWrongInOnePlaceIsWrong(_ value: JSONValue) {
        #expect(throws: EventReply.Malformation.self) { try EventReply(answer: value) }
    }
}
