package import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

private let readBytes = read

/// A real `redis-server` on a free loopback port, without persistence.
///
/// It dies with ``stop()``, and with the process that started it however that ends: somebody waits on the other end of a
/// pipe.
package final class RedisServer: Sendable {
    package struct StartError: Error, CustomStringConvertible {
        package let description: String
        fileprivate var isPortTaken: Bool { self.description.contains("Address already in use") }
    }

    package let port: Int
    private let arguments: [String]
    private let running: NIOLockedValueBox<Running?>

    private struct Running {
        var pid: pid_t
        var process: Process
        var input: FileHandle
    }

    /// Starts a server.
    ///
    /// - Parameter arguments: Options added to those for a port and no persistence, such as `["--requirepass", "x"]`.
    /// - Returns: A server that accepts connections.
    /// - Throws: ``StartError``, which says how to install what is missing.
    package static func start(arguments: [String] = []) async throws -> RedisServer {
        // Between finding a port and taking it somebody else may be faster.
        var lastError: (any Error)?
        for _ in 0..<5 {
            let server = RedisServer(port: try Self.freePort(), arguments: arguments)
            do {
                try await server.start()
                return server
            } catch {
                lastError = error
            }
        }
        throw lastError ?? StartError(description: "redis-server did not start")
    }

    private init(port: Int, arguments: [String]) {
        self.port = port
        self.arguments = arguments
        self.running = NIOLockedValueBox(nil)
    }

    deinit { self.stop() }

    package var url: String { "redis://127.0.0.1:\(self.port)" }

    /// The server's process.
    package var pid: pid_t? { self.running.withLockedValue { $0?.pid } }

    /// Starts it (again, on the same port), and returns when it accepts connections.
    package func start() async throws {
        // A killed process lets go of its port a moment later.
        for _ in 0..<20 {
            do { return try await self.startOnce() } catch let error as StartError where error.isPortTaken {}
        }
        try await self.startOnce()
    }

    private func startOnce() async throws {
        let path = try Self.findExecutable("redis-server")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The shell becomes the server. `cat` ends when the pipe's other end is closed: by stop(), or by our death.
        let script =
            #"exec 3<&0; { cat <&3; kill -9 $$; } >/dev/null 2>&1 & exec 3<&- </dev/null; exec "$@""#
        process.arguments =
            [
                "-c", script, "sh", path, "--port", "\(self.port)", "--bind", "127.0.0.1", "--save", "", "--appendonly",
                "no",
            ]
            + self.arguments
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.standardError

        try await withCheckedThrowingContinuation { continuation in
            let start = Start(output.fileHandleForReading, continuation)
            // A thread, and no handler of the file: Dispatch crashes if a file is closed while it is still watched.
            let descriptor = output.fileHandleForReading.fileDescriptor
            Thread.detachNewThread {
                var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                repeat { _ = poll(&wait, 1, -1) } while start.read() == .open
            }
            // The end of the output does not tell this: whatever we start at the same moment may hold a copy of the pipe.
            process.terminationHandler = { _ in start.end() }
            do { try process.run() } catch { start.end(error) }
        }
        self.running.withLockedValue {
            $0 = Running(pid: process.processIdentifier, process: process, input: input.fileHandleForWriting)
        }
    }

    /// What a starting server prints, and who waits until it says that it is ready.
    private final class Start: Sendable {
        enum Output { case open, ended }

        private let output: FileHandle
        private let state: NIOLockedValueBox<(text: String, waiting: CheckedContinuation<Void, any Error>?)>

        init(_ output: FileHandle, _ waiting: CheckedContinuation<Void, any Error>) {
            self.output = output
            _ = fcntl(output.fileDescriptor, F_SETFL, O_NONBLOCK)
            self.state = NIOLockedValueBox(("", waiting))
        }

        /// Reads what is there now.
        @discardableResult
        func read() -> Output {
            let (end, waiting) = self.state.withLockedValue { state in
                var bytes = [UInt8](repeating: 0, count: 4_096)
                var count = 0
                while true {
                    count = bytes.withUnsafeMutableBytes {
                        readBytes(self.output.fileDescriptor, $0.baseAddress!, $0.count)
                    }
                    guard count > 0 else { break }
                    if state.waiting != nil { state.text += String(decoding: bytes[..<count], as: UTF8.self) }
                }
                let end: Output = count == 0 ? .ended : .open
                guard state.text.contains("Ready to accept connections") else {
                    return (end, nil as CheckedContinuation<Void, any Error>?)
                }
                defer { state.waiting = nil }
                return (end, state.waiting)
            }
            waiting?.resume()
            return end
        }

        /// The server has ended, or could not be started.
        func end(_ error: (any Error)? = nil) {
            self.read()
            let (text, waiting) = self.state.withLockedValue { state in
                defer { state.waiting = nil }
                return (state.text, state.waiting)
            }
            let words = error.map { "\($0)" } ?? String(text.suffix(600))
            waiting?.resume(throwing: StartError(description: "redis-server did not start: \(words)"))
        }
    }

    /// Kills it: as a crash would, nothing is said to its clients.
    package func stop() {
        let running = self.running.withLockedValue { running in
            defer { running = nil }
            return running
        }
        guard let running else { return }
        kill(running.pid, SIGKILL)
        try? running.input.close()
    }

    /// Stops the process without ending it: its sockets accept, and nothing answers.
    package func freeze() {
        if let pid = self.pid { kill(pid, SIGSTOP) }
    }

    /// Ends ``freeze()``.
    package func thaw() {
        if let pid = self.pid { kill(pid, SIGCONT) }
    }

    private static func findExecutable(_ name: String) throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in path.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        throw StartError(
            description: "these tests need redis-server (version 6 or later) in PATH: "
                + "apt-get install redis-server, or brew install redis"
        )
    }

    /// A port of the loopback address that nobody listens on now, with room for the one 10,000 above it, which a
    /// node of a Redis Cluster takes, too.
    package static func freePort() throws -> Int {
        for _ in 0..<1_000 {
            let port = try Self.anyFreePort()
            if port + 10_000 <= Int(UInt16.max) { return port }
        }
        throw StartError(description: "no free port below 55536 in 1000 tries")
    }

    private static func anyFreePort() throws -> Int {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw StartError(description: "no free port: errno \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
