import Crypto
import NIOCore
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Signs requests as Standard Webhooks does: HMAC-SHA256 over id, timestamp and body.
struct WebhookSigner: Sendable {
    private let keys: [SymmetricKey]

    /// A signer with one signature for each secret; `nil` if one of them is none.
    init?(secrets: [String]) {
        let keys = secrets.compactMap { Self.key($0) }
        guard !keys.isEmpty, keys.count == secrets.count else { return nil }
        self.keys = keys.map { SymmetricKey(data: $0) }
    }

    /// The bytes of a secret: `whsec_` and 24 to 64 bytes in Base64.
    static func key(_ secret: String) -> Data? {
        let prefix = "whsec_".utf8
        guard secret.utf8.count <= 128, secret.utf8.starts(with: prefix),
            let key = Data(base64Encoded: String(Substring(secret.utf8.dropFirst(prefix.count)))),
            (24...64).contains(key.count)
        else { return nil }
        return key
    }

    /// The value of `webhook-signature`: `v1,<Base64>` for each key.
    func signature(id: String, timestamp: Int, body: ByteBuffer) -> String {
        let head = Data("\(id).\(timestamp).".utf8)
        return self.keys.map { key in
            var code = HMAC<SHA256>(key: key)
            code.update(data: head)
            body.withUnsafeReadableBytes { code.update(data: $0) }
            return "v1,\(Data(code.finalize()).base64EncodedString())"
        }.joined(separator: " ")
    }
}
