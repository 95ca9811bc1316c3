public import NIOCore
import SocketIOWire

extension GatewayConfiguration {
    /// What becomes of a client whose credentials have ended while it is connected.
    public enum ExpiryPolicy: String, Sendable, Hashable, CaseIterable {
        /// It is told why, and disconnected.
        case disconnect
        /// It stays as one without credentials, if such clients may connect.
        case demote
    }

    /// How revoked tokens are kept away.
    public struct Revocation: Sendable, Hashable {
        /// The longest life of a JSON Web Token.
        ///
        /// A revocation is kept for as long as one of the tokens that it means can be alive. A token that lives longer, or
        /// has no `exp`, is accepted again after that.
        public var longestLife: TimeAmount = .hours(24 * 30)
        /// After how long without a word from the store of revocations the node counts as out of touch; `nil` for never.
        public var staleAfter: TimeAmount?
        /// Whether a node that is out of touch lets nobody in who comes with a token.
        public var failClosed = true

        /// The defaults.
        public init() {}
    }

    /// A directory of users that is asked about everybody who logs in with a JSON Web Token.
    ///
    /// It gets `{userId}`, and answers `{blocked?, role?, username?, email?}`, or 404 for a user that it does not know.
    public struct UserLookup: Sendable, Hashable {
        /// What to do with those who log in while the directory does not answer.
        public enum Unreachable: String, Sendable, Hashable, CaseIterable {
            /// They are not let in.
            case refuse
            /// What their token says is believed.
            case accept
        }

        /// Where it is.
        public var url: String
        /// What the gateway shows as its `Authorization: Bearer …`; `nil` for nothing.
        public var token: String?
        /// How long it may take to answer.
        public var timeout: TimeAmount = .seconds(2)
        /// For how long its answer about a user is good.
        public var cacheFor: TimeAmount = .seconds(60)
        /// What to do with those who log in while it does not answer.
        public var whenUnreachable = Unreachable.refuse

        /// The defaults.
        public init(url: String) { self.url = url }

        /// Whether both have the same bytes.
        public static func == (left: UserLookup, right: UserLookup) -> Bool {
            UTF8Text(left.url) == UTF8Text(right.url)
                && left.token.map { UTF8Text($0) } == right.token.map { UTF8Text($0) } && left.timeout == right.timeout
                && left.cacheFor == right.cacheFor && left.whenUnreachable == right.whenUnreachable
        }

        /// Hashes the URL.
        public func hash(into hasher: inout Hasher) { hasher.combine(UTF8Text(self.url)) }
    }
}

extension Validation {
    mutating func checkTokenLife(_ authentication: GatewayConfiguration.Authentication) {
        let revocation = authentication.revocation
        if !(.minutes(1) ... .hours(24 * 3650)).contains(revocation.longestLife) {
            self.report(
                "authentication.revocation.longestLife",
                "\(revocation.longestLife.nanoseconds / 1_000_000_000) s",
                "must be a minute to ten years"
            )
        }
        if let staleAfter = revocation.staleAfter, !(.seconds(1) ... .hours(24)).contains(staleAfter) {
            self.report(
                "authentication.revocation.staleAfter",
                "\(staleAfter.nanoseconds / 1_000_000) ms",
                "must be 1 second to 24 hours, or be left out"
            )
        }
        guard let lookup = authentication.lookup else { return }
        self.checkURL(lookup.url, "authentication.lookup.url")
        if !(.milliseconds(10) ... .minutes(1)).contains(lookup.timeout) {
            self.report(
                "authentication.lookup.timeout",
                "\(lookup.timeout.nanoseconds / 1_000_000) ms",
                "must be 10 milliseconds to a minute"
            )
        }
        if !(.zero ... .hours(24)).contains(lookup.cacheFor) {
            self.report(
                "authentication.lookup.cacheFor",
                "\(lookup.cacheFor.nanoseconds / 1_000_000) ms",
                "must be 0 to 24 hours"
            )
        }
    }

    /// Who can read or change what is on the way decides who may come in, so it has to be encrypted beyond this machine.
    mutating func checkURL(_ text: String, _ path: String) {
        guard let url = OutgoingURL(text) else {
            self.report(path, "(hidden)", "must be a URL such as https://users.example.com/lookup, without a user")
            return
        }
        let isLocal = ["localhost", "127.0.0.1", "::1"].contains(UTF8Text(url.host))
        if !url.isSecure, !isLocal {
            self.report(path, url.origin, "must begin with https://, except on this machine")
        }
    }
}
