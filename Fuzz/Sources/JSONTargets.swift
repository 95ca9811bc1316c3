import NIOCore
import SocketIOWire

/// JSON text: who checks it and who reads it agree, and what was read is written and read again as the same.
let jsonTarget = Target(name: "json") { input in
    var limits = JSONLimits()
    limits.maximumDepth = JSONLimits.greatestDepth
    let isValid = measured(input.readableBytes) {
        input.withUnsafeReadableBytes { bytes in (try? JSONScanner.validate(bytes, limits: limits)) != nil }
    }
    let value = measured(input.readableBytes, bytesForEach: Memory.values) { () -> JSONValue? in
        var reader = JSONReader(input, limits: limits)
        guard let value = try? reader.readValue(), (try? reader.expectEnd()) != nil else { return nil }
        return value
    }
    require(isValid == (value != nil), "the scanner and the parser disagree")
    guard let value else { return }
    let text = written(value)
    var again = JSONReader(text, limits: limits)
    guard let second = try? again.readValue(), (try? again.expectEnd()) != nil else {
        fatalError("what was written cannot be read: \(String(buffer: text))")
    }
    require(written(second) == text, "another value comes back: \(String(buffer: text))")
}

private func written(_ value: JSONValue) -> ByteBuffer {
    var text = ByteBuffer()
    text.writeJSON(value)
    return text
}

/// A type with all that decoding and encoding has ways of its own for.
private struct Sample: Codable, Equatable {
    enum Kind: String, Codable { case one, two }

    struct Inner: Codable, Equatable {
        var name: String
        var next: [Inner]?
    }

    var text: String
    var number: Int?
    var small: Int8?
    var unsigned: UInt64?
    var real: Double?
    var flag: Bool?
    var kind: Kind?
    var inner: Inner?
    var list: [Int]?
    var table: [String: Double]?
    var any: JSONValue?
    var bytes: ByteBuffer?
}

/// Arguments decoded from a packet's text as types, and as values first: the same comes of both.
let codableTarget = Target(name: "codable") { input in
    var packet = ByteBuffer(string: "2")
    packet.writeImmutableBuffer(input)
    var decoder = PacketDecoder()
    guard let packet = try? decoder.decode(text: packet), let (_, arguments) = packet.event(),
        let values = measured(input.readableBytes, bytesForEach: Memory.values, { try? arguments.values() })
    else { return }
    compare(Sample.self, arguments, values, input.readableBytes)
    compare([Sample].self, arguments, values, input.readableBytes)
    compare([String: JSONValue].self, arguments, values, input.readableBytes)
    compare([[Int]].self, arguments, values, input.readableBytes)
    compare(String.self, arguments, values, input.readableBytes)
    compare(Int.self, arguments, values, input.readableBytes)
    compare(Double?.self, arguments, values, input.readableBytes)
    compare(JSONValue.self, arguments, values, input.readableBytes)
}

private func compare<T: Codable & Equatable>(
    _ type: T.Type,
    _ arguments: Arguments,
    _ values: [JSONValue],
    _ length: Int
) {
    var direct = arguments.makeReader()
    var viaValues = Arguments(values).makeReader()
    for index in 0..<min(values.count, 4) {
        // Values first, of which the type is then made.
        let first = measured(length, bytesForEach: 2 * Memory.values) { Result { try direct.next(type) } }
        let second = Result { try viaValues.next(type) }
        switch (first, second) {
        case (.success(let first), .success(let second)):
            require(first == second, "argument \(index) becomes \(first), or by way of values \(second)")
            let (text, other) = (encoded(first), encodedByValue(first))
            require(text == other, "\(first) is written as \(text ?? "nothing"), by values as \(other ?? "nothing")")
        case (.failure, .failure):
            // A failed reader stays where it is in either way, or goes on: not compared further.
            return
        default:
            fatalError("argument \(index) as \(type): \(first), by way of values \(second)")
        }
    }
}

private func encoded(_ value: some Encodable) -> String? {
    (try? PacketEncoder.event("e") { try $0.write(value) }).map { String(buffer: $0.text) }
}

private func encodedByValue(_ value: some Encodable) -> String? {
    guard let value = try? JSONValue(encoding: value) else { return nil }
    return String(buffer: PacketEncoder.event("e", arguments: [value]).text)
}
