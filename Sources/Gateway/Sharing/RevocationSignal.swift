public import NIOCore
import SocketIOWire

/// What a node hears when a revocation was added: `<version> <issued before> <ends> <name>`.
///
/// The times are Unix times in seconds, and `inf` is no end.
public struct RevocationSignal: Sendable, Hashable {
    /// The version of the store after the addition.
    public var version: Int
    /// What was added.
    public var revocation: Revocation

    /// Makes a signal.
    public init(version: Int, _ revocation: Revocation) {
        self.version = version
        self.revocation = revocation
    }

    /// Reads a signal; `nil` for other bytes.
    public init?(_ bytes: ByteBuffer) {
        guard bytes.readableBytes <= 512 else { return nil }
        let parts = bytes.readableBytesView.split(
            separator: UInt8(ascii: " "),
            maxSplits: 3,
            omittingEmptySubsequences: false
        )
        guard parts.count == 4, let version = Int(String(decoding: parts[0], as: UTF8.self)),
            let revocation = Revocation(
                name: parts[3],
                issuedBefore: parts[1],
                endsAt: parts[2]
            )
        else { return nil }
        self.init(version: version, revocation)
    }

    /// The bytes.
    public var bytes: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeString("\(self.version) \(self.revocation.issuedBefore) \(self.revocation.endsText) ")
        bytes.writeBytes(Array(self.revocation.name.utf8))
        return bytes
    }
}

extension Revocation {
    /// Reads a revocation from its three parts as they travel; `nil` for other bytes.
    package init?(
        name: some Collection<UInt8>,
        issuedBefore: some Collection<UInt8>,
        endsAt: some Collection<UInt8>
    ) {
        let ends = String(decoding: endsAt, as: UTF8.self)
        let isEndless = endsAt.elementsEqual("inf".utf8)
        guard let text = String(validating: name, as: UTF8.self),
            let before = Double(String(decoding: issuedBefore, as: UTF8.self)), isEndless || Double(ends) != nil
        else { return nil }
        self.init(name: UTF8Text(text), issuedBefore: before, endsAt: isEndless ? nil : Double(ends))
    }

    /// The end as it travels.
    package var endsText: String { self.endsAt.map { "\($0)" } ?? "inf" }
}
