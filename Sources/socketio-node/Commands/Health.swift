import ArgumentParser
import NIOCore
import NIOHTTP1

/// Asks a running node whether it is ready, for images that hold no HTTP client.
struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask the node of this configuration whether it is ready; exit status 0 if so."
    )

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let listen = try self.options.loadOrExit().node.listen
        let host =
            switch listen.host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "[::1]"
            case let host: host.contains(":") ? "[\(host)]" : host
            }
        do {
            let url = "http://\(host):\(listen.port)/readyz"
            let answer = try await HTTPCall(method: .GET, url: url, timeout: .seconds(2)).run()
            print(String(buffer: answer.body))
            if answer.status != 200 { throw ExitCode(1) }
        } catch let error as HTTPCall.Failure {
            StandardError.write("\(error)")
            throw ExitCode(1)
        }
    }
}
