import NIOCore
import SocketIOWire
import Testing

/// What is written behind other bytes is the same as what is written on its own.
@Suite(.timeLimit(.minutes(1)))
struct FrameBuilderTests {
    private struct Failure: Error {}

    private static var before: ByteWriter {
        var writer = ByteWriter()
        writer.writeStaticString("before")
        return writer
    }

    private static func before(_ packet: EncodedPacket) -> ByteBuffer {
        var bytes = ByteBuffer(string: "before")
        bytes.writeImmutableBuffer(packet.frames)
        return bytes
    }

    /// Around the lengths at which a frame's header grows.
    @Test(arguments: [0, 1, 100, 113, 114, 115, 120, 126, 127, 1000, 65_520, 65_530, 65_535, 65_536, 70_000])
    func appendedFramesAreThePacketsOwn(length: Int) throws {
        let value = JSONValue.string(String(repeating: "x", count: length))
        for (namespace, id) in [("/", 7), ("/chat", 123_456), ("/" + String(repeating: "n", count: 200), 0)] {
            let whole = PacketEncoder.acknowledgement(id: id, arguments: [value], namespace: namespace)
            var frames: ByteWriter? = Self.before
            PacketEncoder.appendAcknowledgement(id: id, namespace: namespace, to: &frames) { $0.write(value) }
            #expect(frames?.makeBuffer() == Self.before(whole))
            frames?.removeAll()
            PacketEncoder.appendAcknowledgement(id: id, namespace: namespace, to: &frames) { $0.write(value) }
            #expect(frames?.makeBuffer() == whole.frames)
        }
    }

    /// However many bytes there are: a longer header may grow only into bytes that the builder has left out itself.
    @Test(arguments: 0...20)
    func whatIsWrittenAlreadyStays(count: Int) {
        for length in [1, 125, 126, 65_536] {
            let value = JSONValue.string(String(repeating: "x", count: length))
            var frames: ByteWriter? = ByteWriter()
            for _ in 0..<count { frames?.writeInteger(UInt8(ascii: "b")) }
            PacketEncoder.appendEvent("a", namespace: "/", id: nil, to: &frames) { $0.write(value) }
            var expected = ByteBuffer(repeating: UInt8(ascii: "b"), count: count)
            expected.writeImmutableBuffer(PacketEncoder.event("a", arguments: [value]).frames)
            #expect(frames?.makeBuffer() == expected)
        }
    }

    @Test(arguments: [0, 1, 9, 10, 11, 120])
    func attachmentsFollow(count: Int) throws {
        let arguments = (0..<count).map { JSONValue.binary(ByteBuffer(repeating: UInt8($0), count: $0 * 30)) }
        let whole = PacketEncoder.event("files", arguments: arguments, namespace: "/a", id: 3)
        #expect(whole.attachments == arguments.compactMap { if case .binary(let bytes) = $0 { bytes } else { nil } })
        #expect(String(buffer: whole.text).hasPrefix(count == 0 ? "42/a,3[" : "45\(count)-/a,3["))
        var frames: ByteWriter? = Self.before
        PacketEncoder.appendEvent("files", namespace: "/a", id: 3, to: &frames) { $0.write(contentsOf: arguments) }
        #expect(frames?.makeBuffer() == Self.before(whole))
    }

    @Test func whatCouldNotBeWrittenLeavesNothing() {
        var frames: ByteWriter? = Self.before
        #expect(throws: Failure.self) {
            try PacketEncoder.appendEvent("a", namespace: "/", id: nil, to: &frames) { writer in
                writer.write("half")
                throw Failure()
            }
        }
        #expect(frames?.makeBuffer() == ByteBuffer(string: "before"))
    }
}
