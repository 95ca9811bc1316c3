/// An extension that a client offers: a name and parameters (RFC 6455, section 9.1), all of them bytes.
struct ExtensionOffer: Equatable {
    struct Parameter: Equatable {
        var name: [UInt8]
        var value: [UInt8]?
    }

    var name: [UInt8]
    var parameters: [Parameter]

    /// The most offers and parameters.
    ///
    /// No honest offer has more.
    private static let maximumParts = 64

    /// Reads the value of `Sec-WebSocket-Extensions`, as strictly as the reference implementation.
    ///
    /// - Returns: The offers in order; `nil` if the text does not follow the grammar.
    static func parse(_ text: String) -> [ExtensionOffer]? {
        var parser = Parser(bytes: Array(text.utf8))
        var offers: [ExtensionOffer] = []
        var parts = 0
        repeat {
            guard let name = parser.token() else { return nil }
            var offer = ExtensionOffer(name: name, parameters: [])
            while parser.take(UInt8(ascii: ";")) {
                parts += 1
                guard parts <= Self.maximumParts, let parameter = parser.parameter() else { return nil }
                offer.parameters.append(parameter)
            }
            parts += 1
            guard parts <= Self.maximumParts else { return nil }
            offers.append(offer)
        } while parser.take(UInt8(ascii: ","))
        return parser.isAtEnd ? offers : nil
    }

    private struct Parser {
        let bytes: [UInt8]
        private var index = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { self.index == self.bytes.count }

        private var next: UInt8? { self.isAtEnd ? nil : self.bytes[self.index] }

        mutating func take(_ byte: UInt8) -> Bool {
            guard self.next == byte else { return false }
            self.index += 1
            return true
        }

        /// A token with spaces around it.
        mutating func token() -> [UInt8]? {
            self.skipSpaces()
            guard let token = self.bareToken() else { return nil }
            self.skipSpaces()
            return token
        }

        /// `name`, `name=value` or `name="value"`.
        mutating func parameter() -> Parameter? {
            self.skipSpaces()
            guard let name = self.bareToken() else { return nil }
            var value: [UInt8]?
            if self.take(UInt8(ascii: "=")) {
                value = self.take(UInt8(ascii: "\"")) ? self.restOfQuotedToken() : self.bareToken()
                guard value != nil else { return nil }
            }
            self.skipSpaces()
            return Parameter(name: name, value: value)
        }

        private mutating func skipSpaces() {
            while let byte = self.next, byte.isBlank { self.index += 1 }
        }

        private mutating func bareToken() -> [UInt8]? {
            let start = self.index
            while let byte = self.next, byte.isTokenCharacter { self.index += 1 }
            return start == self.index ? nil : Array(self.bytes[start..<self.index])
        }

        private mutating func restOfQuotedToken() -> [UInt8]? {
            var value: [UInt8] = []
            while let byte = self.next {
                self.index += 1
                switch byte {
                case UInt8(ascii: "\""):
                    return value.isEmpty ? nil : value
                case UInt8(ascii: "\\"):
                    guard let escaped = self.next, escaped.isTokenCharacter else { return nil }
                    self.index += 1
                    value.append(escaped)
                default:
                    guard byte.isTokenCharacter else { return nil }
                    value.append(byte)
                }
            }
            return nil
        }
    }
}

extension UInt8 {
    /// Whether the byte may stand in a token (RFC 9110, section 5.6.2).
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), 0x30...0x39: true
        case UInt8(ascii: "!"), 0x23...0x27, UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
