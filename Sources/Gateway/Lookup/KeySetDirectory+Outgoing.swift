import Incidents
import Logging
import NIOCore
import SocketIOWire

extension KeySetDirectory {
    /// The longest key set that is read, in bytes.
    private static let maximumBytes = 262_144

    /// Key sets that are fetched by HTTP.
    convenience init(
        outgoing: (any OutgoingHTTP)?,
        now: @escaping @Sendable () -> Double,
        incidents: IncidentLog
    ) {
        self.init { text in
            RemoteKeySet(
                now: now,
                onFailure: { error in
                    incidents.record(
                        "A key set could not be fetched, and the keys that are known stay in use",
                        reason: OutgoingURL(text)?.origin ?? "unreadable URL",
                        pace: .failures,
                        details: ["error": "\(error)"]
                    )
                },
                fetch: { try await Self.fetch(text, by: outgoing) }
            )
        }
    }

    private static func fetch(_ text: String, by outgoing: (any OutgoingHTTP)?) async throws -> RemoteKeySet.Document {
        guard let outgoing, let url = OutgoingURL(text) else { throw KeySetProblem.noClient }
        let request = OutgoingRequest(
            .get,
            url,
            headers: [.init("Accept", "application/jwk-set+json, application/json")],
            maximumAnswerBytes: Self.maximumBytes
        )
        let response = try await outgoing.send(request)
        guard response.status == 200 else { throw KeySetProblem.status(response.status) }
        return RemoteKeySet.Document(
            json: String(buffer: response.body),
            maximumAge: response.header("cache-control").flatMap(Self.maximumAge)
        )
    }

    /// The `max-age` of a `Cache-Control`, in seconds.
    static func maximumAge(_ header: String) -> Double? {
        for part in header.utf8.split(separator: UInt8(ascii: ",")) {
            let text = part.drop { $0 == UInt8(ascii: " ") }
            let name = "max-age="
            guard text.count > name.utf8.count,
                zip(text, name.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 })
            else { continue }
            let digits = text.dropFirst(name.utf8.count).prefix { (0x30...0x39).contains($0) }
            return digits.isEmpty || digits.count > 12 ? nil : Double(String(decoding: digits, as: UTF8.self))
        }
        return nil
    }
}

extension GatewayConfiguration {
    /// Whether there is something that can send the requests for which this configuration asks.
    ///
    /// - Throws: ``GatewayError`` if not.
    func checkRequests(_ outgoing: (any OutgoingHTTP)?) throws(GatewayError) {
        guard outgoing == nil else { return }
        let advice = "needs something that sends requests; give the gateway a client, such as OutgoingHTTPClient"
        var problems: [ConfigurationProblem] = []
        for (index, key) in (self.authentication.jwt?.keys ?? []).enumerated() {
            guard case .keySetURL = key.material else { continue }
            problems.append(
                ConfigurationProblem(path: "authentication.jwt.keys[\(index)]", value: "(a URL)", advice: advice)
            )
        }
        if self.authentication.lookup != nil {
            problems.append(ConfigurationProblem(path: "authentication.lookup", value: "(a URL)", advice: advice))
        }
        guard problems.isEmpty else { throw GatewayError(problems) }
    }
}
