package import NIOCore
import OrderedCollections

extension ByteWriter {
    /// Writes a value as `JSON.stringify` would; see ``NIOCore/ByteBuffer/writeJSON(_:)``.
    package mutating func writeJSON(_ value: JSONValue) {
        var attachments: [ByteBuffer]?
        self.writeJSON(value, attachments: &attachments)
    }

    /// Writes a value with placeholders (`{"_placeholder":true,"num":0}`) in place of bytes.
    ///
    /// The bytes are appended to the attachments, depth first. The numbers are their indices there.
    package mutating func writeJSON(_ value: JSONValue, attachments: inout [ByteBuffer]) {
        var list: [ByteBuffer]? = attachments
        attachments = []
        self.writeJSON(value, attachments: &list)
        attachments = list ?? []
    }

    private mutating func writeJSON(_ value: JSONValue, attachments: inout [ByteBuffer]?) {
        switch value {
        case .null: self.writeStaticString("null")
        case .bool(let value): self.writeJSONBool(value)
        case .int(let value): self.writeJSONInteger(value)
        case .double(let value): self.writeJSONNumber(value)
        case .string(let value): self.writeJSONString(value)
        case .binary(let bytes):
            if attachments == nil {
                self.writeJSONBytes(bytes)
            } else {
                self.writeJSONPlaceholder(number: attachments?.count ?? 0)
                attachments?.append(bytes)
            }
        case .array(let elements):
            var prefix = UInt8(ascii: "[")
            for element in elements {
                self.writeInteger(prefix)
                prefix = UInt8(ascii: ",")
                self.writeJSON(element, attachments: &attachments)
            }
            if elements.isEmpty { self.writeInteger(prefix) }
            self.writeInteger(UInt8(ascii: "]"))
        case .object(let members):
            var prefix = UInt8(ascii: "{")
            for (key, value) in members {
                self.writeInteger(prefix)
                prefix = UInt8(ascii: ",")
                self.writeJSONString(key.string)
                self.writeInteger(UInt8(ascii: ":"))
                self.writeJSON(value, attachments: &attachments)
            }
            if members.isEmpty { self.writeInteger(prefix) }
            self.writeInteger(UInt8(ascii: "}"))
        }
    }

    package mutating func writeJSONBool(_ value: Bool) {
        self.writeStaticString(value ? "true" : "false")
    }

    /// Writes the placeholder of an attachment.
    package mutating func writeJSONPlaceholder(number: Int) {
        self.writeStaticString("{\"_placeholder\":true,\"num\":")
        self.writeJSONInteger(number)
        self.writeInteger(UInt8(ascii: "}"))
    }

    /// Writes bytes as Node's `Buffer` does in `toJSON`.
    private mutating func writeJSONBytes(_ bytes: ByteBuffer) {
        self.writeStaticString("{\"type\":\"Buffer\",\"data\":[")
        bytes.withUnsafeReadableBytes { bytes in
            // Each byte takes at most three digits and a comma.
            self.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count * 4) { output in
                var count = 0
                for (index, byte) in bytes.enumerated() {
                    if index > 0 {
                        output[count] = UInt8(ascii: ",")
                        count &+= 1
                    }
                    if byte >= 100 {
                        output[count] = UInt8(ascii: "0") &+ byte / 100
                        count &+= 1
                    }
                    if byte >= 10 {
                        output[count] = UInt8(ascii: "0") &+ byte / 10 % 10
                        count &+= 1
                    }
                    output[count] = UInt8(ascii: "0") &+ byte % 10
                    count &+= 1
                }
                return count
            }
        }
        self.writeStaticString("]}")
    }

    /// Writes a string in quotes, and escapes only what has to be escaped.
    package mutating func writeJSONString(_ string: String) {
        var string = string
        string.withUTF8 { self.writeJSONString(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// Writes a string, given as valid UTF-8, in quotes.
    package mutating func writeJSONString(utf8: UnsafeRawBufferPointer) {
        let firstEscape = utf8.endOfUnescaped(from: 0)
        guard firstEscape < utf8.count else {
            self.writeWithUnsafeMutableBytes(minimumWritableBytes: utf8.count + 2) { output in
                output[0] = UInt8(ascii: "\"")
                if utf8.count > 0 { UnsafeMutableRawBufferPointer(rebasing: output[1...]).copyMemory(from: utf8) }
                output[utf8.count + 1] = UInt8(ascii: "\"")
                return utf8.count + 2
            }
            return
        }
        self.reserveCapacity(minimumWritableBytes: utf8.count + 8)
        self.writeInteger(UInt8(ascii: "\""))
        var start = 0
        var escape = firstEscape
        while true {
            if start < escape { self.writeBytes(UnsafeRawBufferPointer(rebasing: utf8[start..<escape])) }
            guard escape < utf8.count else { break }
            self.writeJSONEscape(of: utf8[escape])
            start = escape + 1
            escape = utf8.endOfUnescaped(from: start)
        }
        self.writeInteger(UInt8(ascii: "\""))
    }

    /// Writes a string in quotes, given as UTF-8 that may be malformed.
    ///
    /// Malformed parts become U+FFFD.
    mutating func writeJSONString(repairingUTF8 bytes: UnsafeRawBufferPointer) {
        if bytes.isUTF8 {
            self.writeJSONString(utf8: bytes)
        } else {
            self.writeJSONString(String(decoding: bytes, as: UTF8.self))
        }
    }

    private mutating func writeJSONEscape(of byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): self.writeStaticString("\\\"")
        case UInt8(ascii: "\\"): self.writeStaticString("\\\\")
        case 0x08: self.writeStaticString("\\b")
        case 0x0C: self.writeStaticString("\\f")
        case 0x0A: self.writeStaticString("\\n")
        case 0x0D: self.writeStaticString("\\r")
        case 0x09: self.writeStaticString("\\t")
        default:
            self.writeStaticString(byte < 0x10 ? "\\u000" : "\\u001")
            let digit = byte & 0x0F
            self.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    /// Writes an integer in decimal digits.
    package mutating func writeJSONInteger(_ value: some FixedWidthInteger) {
        if value >= 0, value < 10 {
            self.writeInteger(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
            return
        }
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { output in
            var digits = 1
            var rest = UInt64(truncatingIfNeeded: value.magnitude)
            while rest >= 10 {
                rest /= 10
                digits &+= 1
            }
            let count = digits &+ (value < 0 ? 1 : 0)
            var index = count
            rest = UInt64(truncatingIfNeeded: value.magnitude)
            repeat {
                index &-= 1
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                output[index] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
            } while rest > 0
            if value < 0 { output[0] = UInt8(ascii: "-") }
            return count
        }
    }

    /// Writes a number as JavaScript does: with the fewest digits that no other double shares, with an exponent from
    /// 1e21 on and below 1e-6, −0 as `0`, and `null` for a number that is not finite.
    package mutating func writeJSONNumber(_ value: Double) {
        // Up to this limit integers are exact, and so are their digits.
        if value.magnitude < 9_007_199_254_740_992, value.rounded(.towardZero) == value {
            return self.writeJSONInteger(Int(value))
        }
        guard value.isFinite else {
            self.writeStaticString("null")
            return
        }
        var text = value.description
        text.withUTF8 { self.writeJavaScriptNumber(swiftDescription: $0) }
    }

    /// Writes the digits of descriptions such as `-1.25e-07` in JavaScript's form.
    private mutating func writeJavaScriptNumber(swiftDescription text: UnsafeBufferPointer<UInt8>) {
        // 24 characters hold every description: a sign, 17 digits, a point, and an exponent of 5 characters. Zeros are
        // added and removed below.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count) { digits in
            var count = 0
            // The value is 0.DIGITS times ten to the power of `point`.
            var point = 0
            var isFraction = false
            var index = text[0] == UInt8(ascii: "-") ? 1 : 0
            while index < text.count, text[index] != UInt8(ascii: "e") {
                let byte = text[index]
                index += 1
                if byte == UInt8(ascii: ".") {
                    isFraction = true
                    continue
                }
                if count == 0, byte == UInt8(ascii: "0") {
                    if isFraction { point -= 1 }
                    continue
                }
                if !isFraction { point += 1 }
                digits.initializeElement(at: count, to: byte)
                count += 1
            }
            if index < text.count {
                index += 1
                let isNegative = text[index] == UInt8(ascii: "-")
                var exponent = 0
                for byte in text[(index + 1)...] { exponent = exponent * 10 + Int(byte - UInt8(ascii: "0")) }
                point += isNegative ? -exponent : exponent
            }
            while count > 1, digits[count - 1] == UInt8(ascii: "0") { count -= 1 }
            if text[0] == UInt8(ascii: "-") { self.writeInteger(UInt8(ascii: "-")) }
            self.writeJavaScriptNumber(
                digits: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[..<count]),
                point: point
            )
        }
    }

    /// Writes `0.DIGITS` times ten to the power of `point` (ECMA-262, Number::toString).
    private mutating func writeJavaScriptNumber(digits: UnsafeRawBufferPointer, point: Int) {
        switch point {
        case digits.count...21:
            self.writeBytes(digits)
            self.writeRepeatingByte(UInt8(ascii: "0"), count: point - digits.count)
        case 1...21:
            self.writeBytes(UnsafeRawBufferPointer(rebasing: digits[..<point]))
            self.writeInteger(UInt8(ascii: "."))
            self.writeBytes(UnsafeRawBufferPointer(rebasing: digits[point...]))
        case -5...0:
            self.writeStaticString("0.")
            self.writeRepeatingByte(UInt8(ascii: "0"), count: -point)
            self.writeBytes(digits)
        default:
            self.writeInteger(digits[0])
            if digits.count > 1 {
                self.writeInteger(UInt8(ascii: "."))
                self.writeBytes(UnsafeRawBufferPointer(rebasing: digits[1...]))
            }
            self.writeInteger(UInt8(ascii: "e"))
            if point > 0 { self.writeInteger(UInt8(ascii: "+")) }
            self.writeJSONInteger(point - 1)
        }
    }
}
