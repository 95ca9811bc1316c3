/// How the connections to Redis are encrypted, and how Redis has to prove who it is.
///
/// Files are PEM. They are read again for each connection, so a new certificate is used from the next connection on.
public struct RESPTLS: Sendable, Hashable {
    /// The certificates of the authorities that are trusted; `nil` trusts those that the system trusts.
    public var caFile: String?
    /// This client's certificate, followed by those of its issuers, if Redis wants one (`tls-auth-clients yes`).
    public var certificateFile: String?
    /// The private key of ``certificateFile``.
    public var keyFile: String?
    /// The name in Redis's certificate, and the one that is asked for; `nil` is the host.
    public var serverName: String?
    /// Whether Redis's certificate is not verified.
    ///
    /// Then an attacker between this client and Redis can read and change everything, the password included. The client
    /// logs a warning whenever it starts.
    public var insecurelySkipsVerification = false

    /// TLS that verifies Redis with the authorities that the system trusts, and shows no certificate.
    public init() {}
}
