import NIOCore
import OrderedCollections
import SocketIOTestSupport
import SocketIOWire
import Testing

/// A client that may come back.
struct Returner {
    let client: TestClient
    let sid: String
    let pid: String
    /// What the server told as the log's end.
    let told: String?

    struct NoAnswer: Error {}

    private init(_ client: TestClient, answer: String) throws {
        self.client = client
        let json = try JSONValue(parsing: ByteBuffer(string: String(answer.drop { $0 != "{" })))
        self.sid = try #require(json["sid"]?.stringValue)
        self.pid = try #require(json["pid"]?.stringValue)
        self.told = json["offset"]?.stringValue
    }

    /// Connects, and joins rooms by the event that ``TestCluster``'s servers answer.
    static func connect(_ cluster: TestCluster, _ node: Int, in rooms: String...) async throws -> Returner {
        let client = try await TestClient.connect(to: cluster.addresses[node])
        try await client.send("40")
        let visitor = try Returner(client, answer: try #require(await client.nextText()))
        if !rooms.isEmpty {
            try await client.send("420\(JSONValue.array(["join", .array(rooms.map { .string($0) })]))")
            #expect(await client.nextText()?.hasPrefix("430") == true)
        }
        return visitor
    }

    /// Reads events until that one has come.
    func read(until text: String) async throws {
        while try await self.event().text != text {}
    }

    func back(_ cluster: TestCluster, _ node: Int, offset: String?) async throws -> (missed: [String], Returner) {
        try await self.back(to: cluster.addresses[node], offset: offset)
    }

    /// Comes back over a new connection; without an offset of its own if that is `nil`.
    ///
    /// - Returns: The events that came before the answer, without their offsets, and the new self.
    func back(to address: SocketAddress, offset: String?) async throws -> (missed: [String], Returner) {
        let client = try await TestClient.connect(to: address)
        let offset = offset.map { ",\"offset\":\"\($0)\"" } ?? ""
        try await client.send("40{\"pid\":\"\(self.pid)\"\(offset)}")
        var missed: [String] = []
        while let text = await client.nextText() {
            if text.hasPrefix("40") { return (missed, try Returner(client, answer: text)) }
            missed.append(try Self.split(text).text)
        }
        throw NoAnswer()
    }

    /// The next event, and its offset.
    func event() async throws -> (text: String, offset: String?) {
        try Self.split(try #require(await self.client.nextText()))
    }

    private static func split(_ text: String) throws -> (text: String, offset: String?) {
        let list = text.drop { $0 != "[" }
        var elements = try #require(JSONValue(parsing: ByteBuffer(string: String(list))).arrayValue)
        guard let offset = elements.last?.stringValue, StreamOffset(offset) != nil else { return (text, nil) }
        elements.removeLast()
        return ("\(text[..<list.startIndex])\(JSONValue.array(elements))", offset)
    }
}
