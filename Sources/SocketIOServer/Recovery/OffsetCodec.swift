/// How the offsets of a log look to clients.
enum OffsetForm: Sendable {
    /// The log is this process's own.
    case own(OffsetCodec)
    /// The whole cluster has one, whose offsets are the same on every node.
    case cluster

    func text(of number: Int) -> String {
        switch self {
        case .own(let codec): codec.text(of: number)
        case .cluster: EventOffset(position: number).text
        }
    }

    /// The event's number, if the text is an offset of this log.
    func number(of text: String) -> Int? {
        switch self {
        case .own(let codec): codec.number(of: text)
        case .cluster: EventOffset(text)?.position
        }
    }
}

/// Writes and reads offsets: a random text that this log has to itself, then the event's number.
struct OffsetCodec: Sendable {
    private let prefix: String

    init() {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var bits = UInt64.random(in: .min ... .max)
        self.prefix = String(
            decoding: (0..<8).map { _ in
                defer { bits >>= 6 }
                return digits[Int(bits & 63)]
            },
            as: UTF8.self
        )
    }

    /// Such as `Q7yYFQLk.1a`.
    func text(of number: Int) -> String { "\(self.prefix).\(String(number, radix: 36))" }

    /// The number, if the text is an offset of this log.
    func number(of text: String) -> Int? {
        let length = self.prefix.utf8.count + 1
        let bytes = text.utf8
        guard bytes.count > length, bytes.count <= length + 13,
            let number = Int(String(decoding: bytes.dropFirst(length), as: UTF8.self), radix: 36), number >= 0,
            // One number has one text, byte for byte.
            bytes.elementsEqual(self.text(of: number).utf8)
        else { return nil }
        return number
    }
}
