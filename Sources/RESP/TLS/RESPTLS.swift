/// How the connections to Redis are encrypted, and who Redis has to prove to be.
///
/// Files are PEM, and read again at each connection: a certificate that was replaced is used from the next one on.
public struct RESPTLS: Sendable, Hashable {
    /// The certificates of those whose word on Redis counts; `nil` trusts whom the system trusts.
    public var caFile: String?
    /// This client's certificate, followed by those of its issuers, if Redis wants one (`tls-auth-clients yes`).
    public var certificateFile: String?
    /// The private key of ``certificateFile``.
    public var keyFile: String?
    /// The name in Redis's certificate, and the one that is asked for; `nil` is the host.
    public var serverName: String?
    /// Whether to talk to anybody who answers, whatever certificate they show: everything sent, the password included,
    /// may then be read and changed by whoever sits in between.
    ///
    /// Logged as a warning whenever a client starts.
    public var insecurelySkipsVerification = false

    /// TLS that verifies Redis by what the system trusts, and shows no certificate.
    public init() {}
}
