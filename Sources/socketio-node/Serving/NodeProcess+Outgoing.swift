import Gateway
import GatewayHTTPClient
import NIOCore
import NIOSSL

/// What the node sends to other servers.
extension NodeProcess {
    /// What sends the gateway's requests.
    ///
    /// - Throws: ``NodeStartError`` if the file with trusted certificates can't be read.
    func outgoing(_ group: any EventLoopGroup) throws -> OutgoingHTTPClient {
        let settings = self.configuration.outgoing
        var roots = NIOSSLTrustRoots.default
        if let path = settings.caFile {
            do {
                roots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
            } catch {
                throw NodeStartError(
                    description: """
                        Can't read certificates in PEM from \(path): \(error)
                          Change outgoing.tls.caFile to a file that this user can read, or leave it out.
                        """,
                    exitStatus: 78
                )
            }
        }
        return OutgoingHTTPClient(
            policy: AddressPolicy(allowing: settings.allow),
            trustRoots: roots,
            eventLoopGroup: group
        )
    }
}
