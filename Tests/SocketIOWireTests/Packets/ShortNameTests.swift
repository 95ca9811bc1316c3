import NIOCore
import Testing

@testable import SocketIOWire

struct ShortNameTests {
    /// Two short names are equal if and only if the strings are.
    @Test func comparesAsStringsDo() {
        var names = [
            "", "a", "b", "\0", "a\0", "aa", "éé", "12345678", "123456789", "1234567890123456", "123456789012345",
        ]
        names += ["12345678\0", "2345678", "x2345678", "123456781", "1234567890123457", "0234567890123456"]
        for first in names {
            for second in names { #expect((ShortName(first) == ShortName(second)) == (first == second)) }
        }
        #expect(ShortName("12345678901234567") == nil)
    }

    /// What a packet says its event's name is.
    @Test func aPacketKnowsItsEventsShortName() throws {
        func name(_ text: String) throws -> ShortName? {
            try PacketDecoder().outline(of: ByteBuffer(string: text)).shortEventName
        }
        #expect(try name(#"2["echo",1]"#) == ShortName("echo"))
        #expect(try name(#"2/admin,12["echo"]"#) == ShortName("echo"))
        #expect(try name(#"2["1234567890123456"]"#) == ShortName("1234567890123456"))
        #expect(try name(#"2["12345678901234567"]"#) == nil)
        #expect(try name(#"2["\u0065cho"]"#) == nil)
        #expect(try name("2[5]") == nil)
        #expect(try name("2") == nil)
        #expect(try name("31[]") == nil)
    }
}
