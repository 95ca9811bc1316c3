/// What the server tells a client when a session opens (Engine.IO protocol 4, "open" packet).
package struct EngineHandshake: Hashable, Sendable {
    package var id: SessionID
    /// Names of transports that the client may upgrade to.
    package var upgrades: [String]
    package var pingIntervalMilliseconds: Int
    package var pingTimeoutMilliseconds: Int
    /// The longest payload or message that the server accepts, in bytes.
    package var maximumPayloadBytes: Int

    package init(
        id: SessionID,
        upgrades: [String],
        pingIntervalMilliseconds: Int,
        pingTimeoutMilliseconds: Int,
        maximumPayloadBytes: Int
    ) {
        self.id = id
        self.upgrades = upgrades
        self.pingIntervalMilliseconds = pingIntervalMilliseconds
        self.pingTimeoutMilliseconds = pingTimeoutMilliseconds
        self.maximumPayloadBytes = maximumPayloadBytes
    }
}

extension ByteWriter {
    /// Writes an open packet with its type digit.
    ///
    /// The keys have the reference implementation's order.
    package mutating func writeOpenPacket(_ handshake: EngineHandshake) {
        self.writeStaticString(#"0{"sid":""#)
        self.writeString(handshake.id.secret)
        self.writeStaticString(#"","upgrades":["#)
        for (index, name) in handshake.upgrades.enumerated() {
            self.writeString(index == 0 ? "\"\(name)\"" : ",\"\(name)\"")
        }
        self.writeStaticString(#"],"pingInterval":"#)
        self.writeJSONInteger(handshake.pingIntervalMilliseconds)
        self.writeStaticString(#","pingTimeout":"#)
        self.writeJSONInteger(handshake.pingTimeoutMilliseconds)
        self.writeStaticString(#","maxPayload":"#)
        self.writeJSONInteger(handshake.maximumPayloadBytes)
        self.writeStaticString("}")
    }
}
