import Crypto
import NIOCore
import RESP

/// A Lua script that Redis runs in one step.
///
/// Redis keeps scripts by their digest, so the text travels only once.
struct RedisScript: Sendable {
    let text: String
    let digest: String

    init(_ text: String) {
        self.text = text
        self.digest = Insecure.SHA1.hash(data: Array(text.utf8)).reduce(into: "") { digest, byte in
            digest += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
        }
    }

    /// Runs it.
    ///
    /// - Throws: `RESPError`.
    func run(
        on client: RESPClient,
        keys: [String],
        _ arguments: [RESPCommand.Argument]
    ) async throws -> RESPValue {
        do {
            return try await client.send(self.command("EVALSHA", self.digest, keys, arguments))
        } catch let error as RESPError where error.serverCode == "NOSCRIPT" {
            return try await client.send(self.command("EVAL", self.text, keys, arguments))
        }
    }

    /// Sends it at once, and calls back on the client's loop.
    ///
    /// Scripts and other commands of one caller reach Redis in the order of the calls.
    func start(
        on client: RESPClient,
        keys: [String],
        _ arguments: [RESPCommand.Argument],
        timeout: TimeAmount? = nil,
        completion: @escaping @Sendable (Result<RESPValue, RESPError>) -> Void
    ) {
        client.send(self.command("EVALSHA", self.digest, keys, arguments), timeout: timeout) { result in
            guard case .failure(let error) = result, error.serverCode == "NOSCRIPT" else { return completion(result) }
            client.send(
                self.command("EVAL", self.text, keys, arguments),
                timeout: timeout,
                completion: completion
            )
        }
    }

    private func command(
        _ name: String,
        _ script: String,
        _ keys: [String],
        _ arguments: [RESPCommand.Argument]
    ) -> RESPCommand {
        var command = RESPCommand(name, .string(script), .int(keys.count))
        command.words += keys.map { .string($0) } + arguments
        return command
    }
}
