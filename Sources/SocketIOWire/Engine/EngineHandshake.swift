package import NIOCore

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

extension ByteBuffer {
    /// Writes an open packet, type digit included, with its keys in the reference implementation's order.
    package mutating func writeOpenPacket(_ handshake: EngineHandshake) {
        self.writeStaticString(#"0{"sid":""#)
        self.writeString(handshake.id.description)
        self.writeStaticString(#"","upgrades":["#)
        for (index, name) in handshake.upgrades.enumerated() {
            self.writeString(index == 0 ? "\"\(name)\"" : ",\"\(name)\"")
        }
        self.writeStaticString(#"],"pingInterval":"#)
        self.writeDecimal(handshake.pingIntervalMilliseconds)
        self.writeStaticString(#","pingTimeout":"#)
        self.writeDecimal(handshake.pingTimeoutMilliseconds)
        self.writeStaticString(#","maxPayload":"#)
        self.writeDecimal(handshake.maximumPayloadBytes)
        self.writeStaticString("}")
    }

    /// Writes an integer in decimal digits, without a string.
    mutating func writeDecimal(_ value: Int) {
        if value < 0 { self.writeInteger(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var length = 1
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        rest = value.magnitude
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { bytes in
            for index in stride(from: length - 1, through: 0, by: -1) {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                bytes[index] = UInt8(ascii: "0") + UInt8(digit)
                rest = quotient
            }
            return length
        }
    }
}
