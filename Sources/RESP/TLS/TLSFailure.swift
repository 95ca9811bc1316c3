import NIOCore
import NIOSSL

extension RESPError {
    /// What an error of TLS means, and what to do about it.
    ///
    /// - Parameters:
    ///   - error: The error that the channel reported.
    ///   - certificate: The certificate that Redis has shown, if any.
    ///   - now: Seconds since 1970.
    /// - Returns: `nil` if it is no error of TLS.
    static func tls(_ error: any Error, certificate: NIOSSLCertificate?, now: Int) -> RESPError? {
        switch error {
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return Self.tls(
                "Redis's certificate is for another name. Use one of its names in the URL, "
                    + "or set the server name to one of them"
            )
        case let error as NIOSSLExtraError:
            return Self.tls("the name of the server can't be used with TLS: \(error.description)")
        case NIOSSLError.uncleanShutdown:
            return RESPError(code: .disconnected, message: "Redis closed the connection")
        case NIOSSLError.handshakeFailed(let error): return Self.tls(error, certificate, now)
        case let error as BoringSSLError: return Self.tls(error, certificate, now)
        case NIOSSLError.unableToValidateCertificate, NIOSSLError.noCertificateToValidate:
            return Self.tls("Redis shows no certificate that can be verified")
        case let error as NIOSSLError: return Self.tls("TLS failed: \(error)")
        default: return nil
        }
    }

    private static func tls(_ error: BoringSSLError, _ certificate: NIOSSLCertificate?, _ now: Int) -> RESPError {
        let text = "\(error)"
        func has(_ word: String) -> Bool { text.utf8.firstRange(of: word.utf8) != nil }
        if has("CERTIFICATE_VERIFY_FAILED") {
            if let certificate, certificate.notValidAfter < now {
                return Self.tls("Redis's certificate has expired. Renew it there")
            }
            if let certificate, certificate.notValidBefore > now {
                return Self.tls("Redis's certificate is not valid yet. Check the clocks of both machines")
            }
            return Self.tls(
                "Redis's certificate, or one above it, is signed by nobody who is trusted here, or has expired. "
                    + "Name the file of the CA that signed it"
            )
        }
        if has("WRONG_VERSION_NUMBER") || has("UNSUPPORTED_PROTOCOL") || has("HTTP_REQUEST") {
            return Self.tls("what answers does not speak TLS. Use its tls-port, or redis:// without TLS")
        }
        if has("EOF during handshake") {
            return Self.tls(
                "the connection was closed in the TLS handshake. Check that the port is Redis's tls-port"
            )
        }
        if has("CERTIFICATE_REQUIRED") || has("ALERT_HANDSHAKE_FAILURE") {
            return Self.tls("Redis wants a certificate of this client. Name the files of one and of its key")
        }
        if has("ALERT_") {
            return Self.tls("Redis refused this client's certificate or TLS version: \(text)")
        }
        return Self.tls("TLS failed: \(text)")
    }

    private static func tls(_ message: String) -> RESPError { RESPError(code: .tls, message: message) }
}
