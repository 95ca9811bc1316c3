/// What the two ends of a WebSocket have agreed on about compression (RFC 7692, section 7.1).
///
/// Contexts end with each message in both directions, whatever the client offers, because the answer may always demand
/// that.
struct DeflateAgreement: Equatable {
    static let name = "permessage-deflate"

    /// The binary logarithm of the window that the server may use.
    var windowBits: Int
    /// Whether the client has asked for a limit of the window, so that the answer has to name one.
    var isWindowBounded: Bool

    /// The value of `Sec-WebSocket-Extensions` in the answer.
    var headerValue: String {
        let value = "\(Self.name); server_no_context_takeover; client_no_context_takeover"
        return self.isWindowBounded ? value + "; server_max_window_bits=\(self.windowBits)" : value
    }

    enum Outcome: Equatable {
        case agreed(DeflateAgreement)
        /// The WebSocket opens without compression, because the client offered none, or none that this server can do.
        case none
        /// The offer makes no sense. The server refuses the handshake, as the reference implementation does.
        case refused
    }

    /// Chooses among a client's offers.
    ///
    /// - Parameters:
    ///   - header: Its `Sec-WebSocket-Extensions`.
    ///   - configuration: What the server uses.
    /// - Returns: What to answer.
    static func negotiate(_ header: String?, _ configuration: PerMessageDeflate) -> Outcome {
        guard let header else { return .none }
        guard let offers = ExtensionOffer.parse(header) else { return .refused }
        var agreed: DeflateAgreement?
        // The offers behind the accepted one have to make sense, too.
        for offer in offers where offer.name.hasBytes(of: "permessage-deflate") {
            guard let wanted = Wanted(offer) else { return .refused }
            if agreed == nil { agreed = wanted.agreement(configuration) }
        }
        return agreed.map(Outcome.agreed) ?? .none
    }

    /// What a parameter asks for.
    private enum Name {
        case serverNoContextTakeover
        case clientNoContextTakeover
        case serverMaxWindowBits
        case clientMaxWindowBits

        init?(_ name: [UInt8]) {
            if name.hasBytes(of: "server_no_context_takeover") {
                self = .serverNoContextTakeover
            } else if name.hasBytes(of: "client_no_context_takeover") {
                self = .clientNoContextTakeover
            } else if name.hasBytes(of: "server_max_window_bits") {
                self = .serverMaxWindowBits
            } else if name.hasBytes(of: "client_max_window_bits") {
                self = .clientMaxWindowBits
            } else {
                return nil
            }
        }
    }

    /// One offer's parameters.
    private struct Wanted {
        var serverWindowBits: Int?

        /// Reads the parameters; `nil` if one is unknown or repeated, or has an impossible value.
        init?(_ offer: ExtensionOffer) {
            var seen: Set<Name> = []
            for parameter in offer.parameters {
                guard let name = Name(parameter.name), seen.insert(name).inserted else { return nil }
                switch name {
                case .serverNoContextTakeover, .clientNoContextTakeover:
                    guard parameter.value == nil else { return nil }
                case .serverMaxWindowBits:
                    guard let value = parameter.value, let bits = Self.windowBits(value) else { return nil }
                    self.serverWindowBits = bits
                case .clientMaxWindowBits:
                    // The window that a client uses does not matter to a receiver with the largest one.
                    if let value = parameter.value, Self.windowBits(value) == nil { return nil }
                }
            }
        }

        func agreement(_ configuration: PerMessageDeflate) -> DeflateAgreement? {
            guard let bound = self.serverWindowBits else {
                return DeflateAgreement(windowBits: configuration.windowBits, isWindowBounded: false)
            }
            // zlib makes no raw streams with a window of 256 bytes.
            guard bound >= 9 else { return nil }
            return DeflateAgreement(windowBits: min(bound, configuration.windowBits), isWindowBounded: true)
        }

        /// "A decimal integer value without leading zeroes between 8 to 15" (section 7.1.2.1).
        ///
        /// No other form counts.
        private static func windowBits(_ digits: [UInt8]) -> Int? {
            switch digits.count {
            case 1 where (0x38...0x39).contains(digits[0]): Int(digits[0] - 0x30)
            case 2 where digits[0] == 0x31 && (0x30...0x35).contains(digits[1]): 10 + Int(digits[1] - 0x30)
            default: nil
            }
        }
    }
}

extension [UInt8] {
    fileprivate func hasBytes(of text: StaticString) -> Bool { self.withUnsafeBufferPointer { $0.equals(text) } }
}
