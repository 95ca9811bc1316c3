import NIOCore
import SocketIOWire
import Testing

@Suite struct JSONValueTests {
    @Test func membersCanBeSet() {
        var value: JSONValue = ["a": 1, "b": 2]
        value["b"] = "two"
        value["c"] = .null
        #expect(value == ["a": 1, "b": "two", "c": nil])
        value["a"] = nil
        #expect(value == ["b": "two", "c": nil])
        var nothing = JSONValue.null
        nothing["a"] = true
        #expect(nothing == ["a": true])
    }

    @Test func printsAsJSON() {
        let value: JSONValue = ["text": "\"", "list": [1, 2.5, nil], "bytes": .binary(ByteBuffer(bytes: [7]))]
        #expect("\(value)" == #"{"text":"\"","list":[1,2.5,null],"bytes":{"type":"Buffer","data":[7]}}"#)
    }

    @Test func socketIDsAreCodable() throws {
        let id = try #require(SocketID("vOQB9KajjtYfAmV7AAAA"))
        let value = try JSONValue(encoding: [id])
        #expect(value == ["vOQB9KajjtYfAmV7AAAA"])
        #expect(try value.decode([SocketID].self) == [id])
        #expect(throws: DecodingError.self) { try JSONValue.string("short").decode(SocketID.self) }
    }
}
