package import NIOCore
package import SocketIOWire

/// A Socket.IO client over a real WebSocket, as plain as possible: it sends what it is told and hands over every frame.
///
/// ``next()`` hands them over as they are; what reads packets out of them stands in `TestClient+Packets.swift`.
package final class TestClient {
    /// A frame of the server.
    package enum Frame: Equatable, Sendable {
        case text(String)
        case binary([UInt8])
        case close
        /// The TCP connection ended.
        case end
    }

    /// The server did not open a WebSocket.
    package struct HandshakeFailed: Error { package let response: String }

    /// The server refused a namespace, with the message of its CONNECT_ERROR.
    package struct Refused: Error, Equatable {
        package let message: String

        package init(message: String) { self.message = message }
    }

    /// Something else came than what was waited for.
    package struct Unexpected: Error { package let text: String }

    private let connection: RawConnection
    /// The engine's open packet.
    package private(set) var open = ""
    /// The socket's id in the namespace that was joined last.
    package private(set) var id = ""
    /// Every text frame that was read, but the engine's.
    package private(set) var transcript: [String] = []
    /// What packets need to remember.
    var lastAcknowledgementID = 0
    var pending: [Packet] = []

    private init(_ connection: RawConnection) { self.connection = connection }

    /// Opens a WebSocket and reads the open packet; further parameters of the query are `&name=value`.
    package static func connect(
        to address: SocketAddress,
        query: String = "",
        headers: [(String, String)] = []
    ) async throws -> TestClient {
        let client = try await self.upgrade(address, query: query, headers: headers)
        client.open = try await client.connection.frame().text
        return client
    }

    /// Opens a WebSocket for a session that is polling; nothing has been sent over it.
    package static func probe(of session: String, at address: SocketAddress) async throws -> TestClient {
        try await self.upgrade(address, query: "&sid=\(session)", headers: [])
    }

    private static func upgrade(
        _ address: SocketAddress,
        query: String,
        headers: [(String, String)]
    ) async throws -> TestClient {
        let connection = try await RawConnection(address)
        let extra = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        try await connection.send(
            "GET /socket.io/?EIO=4&transport=websocket\(query) HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
                + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(extra)\r\n"
        )
        let response = try await connection.response()
        guard response.status.contains(" 101 ") else {
            throw HandshakeFailed(response: response.head + response.text)
        }
        return TestClient(connection)
    }

    /// Opens a WebSocket and joins a namespace.
    ///
    /// - Throws: ``Refused`` with the message of the CONNECT_ERROR.
    package static func join(
        _ namespace: String = "/",
        at address: SocketAddress,
        auth: JSONValue? = nil,
        headers: [(String, String)] = []
    ) async throws -> TestClient {
        let client = try await TestClient.connect(to: address, headers: headers)
        try await client.join(namespace, auth: auth)
        return client
    }

    /// Joins a namespace of an open connection.
    ///
    /// - Returns: The socket's id.
    /// - Throws: ``Refused`` with the message of the CONNECT_ERROR.
    @discardableResult
    package func join(_ namespace: String = "/", auth: JSONValue? = nil) async throws -> String {
        try await self.send((namespace == "/" ? "40" : "40\(namespace),") + (auth?.description ?? ""))
        switch await self.firstPacket(where: \.answersConnect) {
        case .connected(let id): self.id = id
        case .refused(let error): throw Refused(message: error["message"]?.stringValue ?? "")
        case let other: throw Unexpected(text: "\(other)")
        }
        return self.id
    }

    package func send(_ text: String) async throws { try await self.connection.send(frame: text) }

    package func send(binary bytes: [UInt8]) async throws { try await self.connection.send(.binary, bytes) }

    /// Bytes as they are, not a frame.
    package func send(raw bytes: [UInt8]) async throws { try await self.connection.send(ByteBuffer(bytes: bytes)) }

    /// Waits until the server has handled what was sent so far and has nothing to say to it.
    package func settle() async throws {
        try await self.connection.send(.ping, [7])
        let frame = try await self.connection.frame()
        guard frame.opcode == .pong else { throw Unexpected(text: frame.text) }
    }

    /// The next frame; pings of Engine.IO are answered and passed over.
    package func next() async -> Frame {
        while let frame = try? await self.connection.frame() {
            switch frame.opcode {
            case .text where frame.text == "2":
                try? await self.send("3")
            case .text:
                self.transcript.append(frame.text)
                return .text(frame.text)
            case .binary:
                return .binary(frame.payload)
            case .close:
                // A close frame is answered by one; the server then ends the connection.
                try? await self.connection.send(.close, [])
                return .close
            case .ping, .pong, .continuation:
                continue
            }
        }
        return .end
    }

    /// The next frame's text, or `nil` if it is no text frame.
    package func nextText() async -> String? {
        if case .text(let text) = await self.next() { text } else { nil }
    }

    /// Closes the connection without saying so first.
    package func close() async { await self.connection.close() }

    /// Closes the connection with a reset.
    package func reset() async throws { try await self.connection.reset() }

    /// Makes the client read, or read no more.
    package func setReading(_ isReading: Bool) async throws { try await self.connection.setReading(isReading) }
}
