import NIOCore
import Testing

@testable import SocketIOWire

struct ByteWriterTests {
    /// What is written is the same wherever it lies, and however often more memory is needed.
    @Test(arguments: [0, 1, 3, 64, 1000])
    func growsOutOfLentMemory(lent: Int) {
        withUnsafeTemporaryAllocation(byteCount: lent, alignment: 1) { scratch in
            var lent = ByteWriter(lent: scratch)
            var owned = ByteWriter()
            var expected = ByteBuffer()
            for number in 0..<200 {
                let text = String(repeating: "é", count: number % 7)
                lent.writeString(text)
                owned.writeString(text)
                expected.writeString(text)
                lent.writeInteger(UInt8(number))
                owned.writeInteger(UInt8(number))
                expected.writeInteger(UInt8(number))
                lent.writeRepeatingByte(7, count: number % 3)
                owned.writeRepeatingByte(7, count: number % 3)
                expected.writeRepeatingByte(7, count: number % 3)
            }
            #expect(lent.makeBuffer() == expected)
            #expect(owned.makeBuffer() == expected)
            #expect(owned.makeBuffer(from: 5) == expected.getSlice(at: 5, length: expected.readableBytes - 5))
            #expect(owned.makeBuffer(from: 1_000_000) == ByteBuffer())
        }
    }

    @Test func insertsAndForgets() {
        var writer = ByteWriter()
        writer.writeStaticString("adef")
        writer.insertRoom(of: 2, at: 1)
        writer.withUnsafeMutableBytes(from: 1) { bytes in
            bytes[0] = UInt8(ascii: "b")
            bytes[1] = UInt8(ascii: "c")
        }
        #expect(writer.makeBuffer() == ByteBuffer(string: "abcdef"))
        writer.truncate(to: 10)
        #expect(writer.count == 6)
        writer.truncate(to: 2)
        #expect(writer.makeBuffer() == ByteBuffer(string: "ab"))
        writer.removeAll()
        #expect(writer.makeBuffer() == ByteBuffer())
    }

    /// Long texts and attachments need more before them than was left free; the frames before them stay what they are.
    @Test(
        arguments: [0, 1, 100, 118, 119, 120, 121, 122, 123, 124, 125, 126, 1000, 65_520, 65_536, 70_000],
        [0, 1, 11]
    )
    func packetsAreTheSameBehindOthers(length: Int, attachments: Int) throws {
        let bytes = (0..<attachments).map { ByteBuffer(bytes: [UInt8](repeating: UInt8($0), count: $0 * 100)) }
        let text = String(repeating: "x", count: length)
        let alone = PacketEncoder.acknowledgement(id: 12, namespace: "/n") { writer in
            writer.write(text)
            for bytes in bytes { writer.write(bytes) }
        }
        var frames: ByteWriter? = ByteWriter()
        frames?.writeStaticString("before")
        for _ in 0..<2 {
            PacketEncoder.appendAcknowledgement(id: 12, namespace: "/n", to: &frames) { writer in
                writer.write(text)
                for bytes in bytes { writer.write(bytes) }
            }
        }
        var expected = ByteBuffer(string: "before")
        expected.writeImmutableBuffer(alone.frames)
        expected.writeImmutableBuffer(alone.frames)
        #expect(frames?.makeBuffer() == expected)
        #expect(alone.attachments == bytes)
        var input = alone.frames
        var payload = ByteBuffer()
        var rules = WebSocketRules()
        rules.framesAreMasked = false
        var decoder = WebSocketDecoder()
        #expect(try decoder.next(from: &input, payload: &payload, rules: rules) == .text)
        #expect(payload == alone.text)
        for bytes in bytes {
            #expect(try decoder.next(from: &input, payload: &payload, rules: rules) == .binary)
            #expect(payload == bytes)
        }
        #expect(input.readableBytes == 0)
    }
}
