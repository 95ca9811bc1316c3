import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The contexts for a client's encrypted connections, made anew when a file has changed.
///
/// Files are read on threads that may wait, never on an event loop.
final class TLSContexts: Sendable {
    /// The contents of the files from which a context was made.
    private struct Files: Equatable {
        var ca: [UInt8]?
        var certificate: [UInt8]?
        var key: [UInt8]?
    }

    private let last = NIOLockedValueBox<(tls: RESPTLS, files: Files, context: NIOSSLContext)?>(nil)

    /// The context for a new connection.
    func context(_ tls: RESPTLS, on eventLoop: any EventLoop) -> EventLoopFuture<NIOSSLContext> {
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try self.context(tls) }
    }

    /// Blocks.
    func context(_ tls: RESPTLS) throws(RESPError) -> NIOSSLContext {
        let files = Files(
            ca: try Self.read(tls.caFile, "CA certificates"),
            certificate: try Self.read(tls.certificateFile, "client certificate"),
            key: try Self.read(tls.keyFile, "client key")
        )
        if let last = self.last.withLockedValue({ $0 }), last.tls == tls, last.files == files { return last.context }
        let context = try Self.make(tls, files)
        self.last.withLockedValue { $0 = (tls, files, context) }
        return context
    }

    private static func make(_ tls: RESPTLS, _ files: Files) throws(RESPError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // A Redis that is gone does not close TLS properly.
        configuration.shutdownTimeout = .milliseconds(100)
        configuration.certificateVerification = tls.insecurelySkipsVerification ? .none : .fullVerification
        if let bytes = files.ca {
            configuration.trustRoots = .certificates(try Self.certificates(bytes, tls.caFile, "CA certificates"))
        }
        switch (files.certificate, files.key) {
        case (nil, nil): break
        case (let certificate?, let key?):
            let chain = try Self.certificates(certificate, tls.certificateFile, "client certificate")
            configuration.certificateChain = chain.map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            } catch {
                throw Self.error("the client key \(tls.keyFile ?? "") is no private key in PEM without a passphrase")
            }
        case (_?, nil):
            throw Self.error("the client certificate \(tls.certificateFile ?? "") has no key; name its file")
        case (nil, _?):
            throw Self.error("the client key \(tls.keyFile ?? "") has no certificate; name its file")
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            // All of it could be read, so the certificate and the key don't fit.
            throw Self.error(
                "the client certificate \(tls.certificateFile ?? "") and the key \(tls.keyFile ?? "") "
                    + "don't belong together"
            )
        }
    }

    private static func certificates(
        _ bytes: [UInt8],
        _ path: String?,
        _ what: String
    ) throws(RESPError) -> [NIOSSLCertificate] {
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw Self.error("the file of the \(what) \(path ?? "") holds no certificate in PEM")
        }
        return certificates
    }

    /// Reads a file of any kind, up to a megabyte.
    private static func read(_ path: String?, _ what: String) throws(RESPError) -> [UInt8]? {
        guard let path else { return nil }
        // With O_NONBLOCK, a pipe that nobody writes to does not block this.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.unreadable(path, what, errno) }
        defer { close(descriptor) }
        let limit = 1_048_576
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let result = bytes.withUnsafeMutableBytes { buffer in
                Self.read(descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
            }
            if result == 0 { break }
            guard result > 0 else {
                if errno == EINTR { continue }
                throw Self.unreadable(path, what, errno)
            }
            count += result
        }
        guard count < limit else { throw Self.error("the file of the \(what) \(path) is longer than 1 MiB") }
        return Array(bytes.prefix(count))
    }

    private static func read(_ descriptor: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Darwin)
        Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
        Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
        Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    private static func unreadable(_ path: String, _ what: String, _ number: CInt) -> RESPError {
        Self.error("can't read the file of the \(what) \(path): \(String(cString: strerror(number)))")
    }

    private static func error(_ message: String) -> RESPError { RESPError(code: .tls, message: message) }
}
