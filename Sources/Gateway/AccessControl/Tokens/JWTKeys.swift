import JWTKit
import NIOCore
import OrderedCollections
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A public key of whichever kind a PEM text holds.
enum PublicKeyMaterial {
    case rsa(Insecure.RSA.PublicKey)
    case p256(ES256PublicKey)
    case p384(ES384PublicKey)
    case p521(ES512PublicKey)
    case ed25519(EdDSA.PublicKey)

    init?(pem: String) {
        if let key = try? ES256PublicKey(pem: pem) {
            self = .p256(key)
        } else if let key = try? ES384PublicKey(pem: pem) {
            self = .p384(key)
        } else if let key = try? ES512PublicKey(pem: pem) {
            self = .p521(key)
        } else if let key = try? EdDSA.PublicKey(pem: pem) {
            self = .ed25519(key)
        } else if let key = try? Insecure.RSA.PublicKey(pem: pem) {
            self = .rsa(key)
        } else {
            return nil
        }
    }
}

/// A JSON Web Key Set, split into one document for each key that verifies signatures.
struct KeySetDocument {
    struct Entry {
        /// The `kid` the key is stored under.
        var storedID: String
        /// The `kid` that it has itself.
        var id: String?
        /// The algorithms it may be used with.
        var algorithms: [String]
        /// A key set with this key alone.
        var json: String
    }

    var entries: [Entry] = []

    /// Keys for encryption and keys of unknown kinds are ignored, as RFC 7517 asks.
    init?(json: String) {
        guard let value = try? JSONValue(parsing: ByteBuffer(string: json)), let keys = value["keys"]?.arrayValue,
            !keys.isEmpty
        else { return nil }
        for (index, key) in keys.enumerated() {
            guard var object = key.objectValue, let type = object["kty"]?.stringValue else { return nil }
            if let use = object["use"]?.stringValue, UTF8Text(use) != "sig" { continue }
            let id = object["kid"]?.stringValue
            let storedID = id ?? "key-\(index)"
            object["kid"] = .string(storedID)
            let possible: [String]
            switch (UTF8Text(type), object["crv"]?.stringValue.map { UTF8Text($0) }) {
            case ("RSA", _): possible = ["RS256", "RS384", "RS512"]
            case ("EC", "P-256"): possible = ["ES256"]
            case ("EC", "P-384"): possible = ["ES384"]
            case ("EC", "P-521"): possible = ["ES512"]
            case ("OKP", "Ed25519"): possible = ["EdDSA"]
            default: continue
            }
            let algorithms =
                object["alg"]?.stringValue.map { name in possible.filter { UTF8Text($0) == UTF8Text(name) } }
                ?? possible
            var buffer = ByteBuffer()
            buffer.writeJSON(["keys": [.object(object)]])
            self.entries.append(
                Entry(storedID: storedID, id: id, algorithms: algorithms, json: String(buffer: buffer))
            )
        }
        guard !self.entries.isEmpty else { return nil }
    }
}
