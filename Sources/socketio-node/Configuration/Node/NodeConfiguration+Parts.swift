import Console
import EngineIO
import Gateway
import Logging
import NIOCore
import SocketIOServer

extension NodeConfiguration {
    /// The public port.
    struct Listen: Sendable {
        var host = "127.0.0.1"
        var port = 3000
        /// 0: one for each processor core.
        var threads = 0
        /// Addresses and networks of load balancers that send the PROXY header.
        var proxyProtocol: [String] = []
    }

    /// Which web pages may connect.
    struct CORS: Sendable {
        var origins: [String] = []
        var methods = ["GET", "POST"]
        /// Empty: those that the browser asks for.
        var allowedHeaders: [String] = []
        var credentials = false
        var maxAge = TimeAmount.zero

        /// The headers for pages of other origins; `nil` if none are allowed, for then no header is to be sent.
        var headers: CORSConfiguration? {
            guard !self.origins.isEmpty else { return nil }
            var cors = CORSConfiguration(origin: self.origins.contains("*") ? .any : .list(self.origins))
            cors.credentials = self.credentials
            cors.methods = self.methods.joined(separator: ",")
            cors.allowedHeaders = self.allowedHeaders.isEmpty ? nil : self.allowedHeaders.joined(separator: ",")
            cors.maxAge = self.maxAge == .zero ? nil : Int(self.maxAge.nanoseconds / 1_000_000_000)
            return cors
        }
    }

    /// Whether clients that were away for a moment go on where they were.
    struct Recovery: Sendable {
        var isEnabled = false
        var events = ConnectionStateRecovery(skipMiddlewares: false)
    }

    /// How JSON Web Tokens are verified.
    struct JWT: Sendable {
        /// One of the four.
        struct Key: Sendable {
            var id: String?
            var secret: String?
            var publicKey: String?
            var keySet: String?
            var keySetURL: String?
        }

        var secret: String?
        var keys: [Key] = []
        var configuration = JWTConfiguration(keys: [])

        /// `nil` if no key is given.
        var verification: JWTConfiguration? {
            typealias JWTKey = JWTConfiguration.Key
            var keys = self.secret.map { [JWTKey(.secret($0))] } ?? []
            for key in self.keys {
                if let secret = key.secret { keys.append(JWTKey(.secret(secret), id: key.id)) }
                if let pem = key.publicKey { keys.append(JWTKey(.publicKey(pem: pem), id: key.id)) }
                if let url = key.keySetURL { keys.append(JWTKey(.keySetURL(url), id: key.id)) }
                if let json = key.keySet { keys.append(JWTKey(.keySet(json: json), id: key.id)) }
            }
            guard !keys.isEmpty else { return nil }
            var configuration = self.configuration
            configuration.keys = keys
            return configuration
        }
    }

    /// The publish API.
    struct Publish: Sendable {
        var isEnabled = true
        var host = "127.0.0.1"
        var port = 3001
        var api = PublishAPI.Configuration()
        /// How long the cluster remembers the id of a request.
        var eventIDLifetime = TimeAmount.minutes(10)
        /// The key of the stream from which the nodes publish; `nil` if there is none.
        var stream: String?
    }

    /// The internal listener.
    struct Console: Sendable {
        var isEnabled = true
        var host = "127.0.0.1"
        var port = 3002
    }

    /// The log.
    struct Logging: Sendable {
        enum Format: String, Sendable, CaseIterable { case text, json }
        var level = Logger.Level.info
        var format = Format.text
    }

    /// How the node leaves.
    struct Shutdown: Sendable {
        var delay = TimeAmount.zero
        var deadline = TimeAmount.seconds(20)
    }
}
