package import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A real `redis-server` on a free loopback port, without persistence.
///
/// It dies with ``stop()``, and with the process that started it however that ends: a shell waits on the other end of a
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
        var shell: Process
        var input: FileHandle
        var pid: pid_t
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
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        // `cat` ends when the pipe's other end is closed, by stop() or by our death. Only the server keeps the output
        // open, so that its end is seen here.
        let script = #""$@" </dev/null & server=$!; echo "pid=$server"; exec >/dev/null 2>&1; cat; kill -9 $server"#
        shell.arguments =
            [
                "-c", script, "sh", path, "--port", "\(self.port)", "--bind", "127.0.0.1", "--save", "", "--appendonly",
                "no",
            ]
            + self.arguments
        let input = Pipe()
        let output = Pipe()
        shell.standardInput = input
        shell.standardOutput = output
        shell.standardError = FileHandle.standardError
        try shell.run()

        let pid: pid_t = try await withCheckedThrowingContinuation { continuation in
            let state = NIOLockedValueBox<(text: String, continuation: CheckedContinuation<pid_t, any Error>?)>(
                ("", continuation)
            )
            output.fileHandleForReading.readabilityHandler = { handle in
                let data = handle.availableData
                if data.isEmpty { handle.readabilityHandler = nil }
                let (text, waiting) = state.withLockedValue { state in
                    state.text += String(decoding: data, as: UTF8.self)
                    let isDone =
                        data.isEmpty || state.text.contains("Ready to accept connections")
                        || state.text.contains("exiting") || state.text.contains("Failed listening")
                    defer { if isDone { state.continuation = nil } }
                    return (state.text, isDone ? state.continuation : nil)
                }
                guard let waiting else { return }
                if text.contains("Ready to accept connections"),
                    let line = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("pid=") }),
                    let pid = pid_t(line.dropFirst(4))
                {
                    waiting.resume(returning: pid)
                } else {
                    waiting.resume(throwing: StartError(description: "redis-server did not start: \(text.suffix(600))"))
                }
            }
        }
        self.running.withLockedValue {
            $0 = Running(shell: shell, input: input.fileHandleForWriting, pid: pid)
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

    /// A port of the loopback address that nobody listens on now.
    package static func freePort() throws -> Int {
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
