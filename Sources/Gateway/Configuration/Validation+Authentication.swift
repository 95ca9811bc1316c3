import JWTKit
import NIOCore
import SocketIOWire

/// How clients prove who they are.
extension Validation {
    mutating func checkAuthentication(_ configuration: GatewayConfiguration) {
        let authentication = configuration.authentication
        if authentication.timeout <= .zero {
            self.report(
                "authentication.timeout",
                "\(authentication.timeout.nanoseconds / 1_000_000) ms",
                "must be more than 0"
            )
        }
        if authentication.maximumFailures < 1 {
            self.report("authentication.maximumFailures", "\(authentication.maximumFailures)", "must be at least 1")
        }
        if authentication.failureWindow <= .zero {
            self.report(
                "authentication.failureWindow",
                "\(authentication.failureWindow.nanoseconds / 1_000_000) ms",
                "must be more than 0"
            )
        }
        self.checkTokenLife(authentication)
        guard let jwt = authentication.jwt else { return }
        let path = "authentication.jwt"
        if jwt.keys.isEmpty {
            self.report("\(path).keys", "", "must hold a secret, a public key or a key set")
        }
        for algorithm in (jwt.algorithms ?? []).sorted() where !JWTConfiguration.knownAlgorithms.contains(algorithm) {
            self.report(
                "\(path).algorithms",
                algorithm,
                "is no algorithm that can be allowed; these are: \(JWTConfiguration.knownAlgorithms.joined(separator: ", "))"
            )
        }
        if jwt.algorithms?.isEmpty == true {
            self.report("\(path).algorithms", "", "must name at least one algorithm, or be left out")
        }
        if !(0...3600).contains(jwt.leeway) {
            self.report("\(path).leeway", "\(jwt.leeway)", "must be 0 to 3600 seconds")
        }
        if jwt.maximumTokenBytes < 256 || jwt.maximumTokenBytes > 1_000_000 {
            self.report("\(path).maximumTokenBytes", "\(jwt.maximumTokenBytes)", "must be 256 to 1000000")
        }
        for (name, claim) in [
            ("id", jwt.claims.id), ("role", jwt.claims.role), ("username", jwt.claims.username),
            ("email", jwt.claims.email), ("tenant", jwt.claims.tenant),
        ] where claim.isEmpty {
            self.report("\(path).claims.\(name)", "", "must be the name of a claim")
        }
        for (index, key) in jwt.keys.enumerated() {
            self.checkKey(key, "\(path).keys[\(index)]", algorithms: jwt.algorithms)
        }
    }

    mutating func checkKey(_ key: JWTConfiguration.Key, _ path: String, algorithms: Set<String>?) {
        switch key.material {
        case .secret(let secret):
            let length = secret.utf8.count
            if length < 32 {
                self.report(
                    "\(path).secret",
                    "(\(length) bytes)",
                    "must be at least 32 bytes, as long as the digest of HS256"
                )
            }
            if let algorithms {
                for (algorithm, needed) in [("HS384", 48), ("HS512", 64)] where algorithms.contains(algorithm) {
                    if length < needed {
                        self.report(
                            "\(path).secret",
                            "(\(length) bytes)",
                            "must be at least \(needed) bytes, as long as the digest of \(algorithm)"
                        )
                    }
                }
                if algorithms.isDisjoint(with: ["HS256", "HS384", "HS512"]) {
                    self.report("\(path).secret", "(hidden)", "is of no use: no HS algorithm is allowed")
                }
            }
        case .publicKey(let pem):
            if PublicKeyMaterial(pem: pem) == nil {
                self.report(
                    "\(path).publicKey",
                    "(\(pem.utf8.count) bytes)",
                    "must be a PEM public key: RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519"
                )
            }
        case .keySetURL(let url):
            self.checkURL(url, "\(path).keySetUrl")
        case .keySet(let json):
            if KeySetDocument(json: json) == nil {
                self.report(
                    "\(path).keySet",
                    "(\(json.utf8.count) bytes)",
                    "must be a JSON Web Key Set: {\"keys\": [...]}"
                )
            }
        }
    }
}
