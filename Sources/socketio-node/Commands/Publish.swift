import ArgumentParser
import Foundation
import NIOCore
import NIOHTTP1
import OrderedCollections
import SocketIOWire

/// The options of the commands that publish through a running node.
struct PublishOptions: ParsableArguments {
    @Option(name: .long, help: "The node's publish API; SOCKETIO_URL if not given, else http://127.0.0.1:3001.")
    var url: String?

    @Option(
        name: .long,
        parsing: .unconditional,
        help: "An API token with the verb's scope; SOCKETIO_TOKEN if not given."
    )
    var token: String?

    @Option(name: .long, help: "A file that holds the token.")
    var tokenFile: String?

    func post(_ path: String, _ value: JSONValue) async throws {
        let environment = ProcessInfo.processInfo.environment
        var token = self.token
        if let file = self.tokenFile {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw ValidationError("--token-file: '\(file)' can't be read")
            }
            token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        var url = self.url ?? environment["SOCKETIO_URL"] ?? "http://127.0.0.1:3001"
        while url.hasSuffix("/") { url.removeLast() }
        var body = ByteBuffer()
        body.writeJSON(value)
        var headers = [("Content-Type", "application/json")]
        token = token ?? environment["SOCKETIO_TOKEN"]
        let hasToken = token?.isEmpty == false
        if let token, hasToken { headers.append(("Authorization", "Bearer \(token)")) }
        let answer = try await HTTPCall(method: .POST, url: url + path, headers: headers, body: body).run()
        let text = String(buffer: answer.body)
        guard (200..<300).contains(answer.status) else {
            let message = (try? JSONValue(parsing: answer.body))?["error"]?["message"]?.stringValue ?? text
            StandardError.write("The node refused (HTTP \(answer.status)): \(message)")
            if answer.status == 401 { StandardError.write(Self.advice(hadToken: hasToken)) }
            throw ExitCode(1)
        }
        if !text.isEmpty { print(text) }
    }

    /// What to do if the node does not accept the token.
    static func advice(hadToken: Bool) -> String {
        hadToken
            ? "The token is none of this node's. `socketio-node token create` makes one, and prints what its file needs."
            : "No token was given: set SOCKETIO_TOKEN, or use --token or --token-file."
    }

    /// What an argument says, or what standard input has if it is `-`; `nil` without one.
    static func data(_ argument: String?) throws -> JSONValue? {
        switch argument {
        case "-"?: try Self.value(String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self))
        case let text?: try Self.value(text)
        case nil: nil
        }
    }

    /// The argument as JSON, or as a string if it isn't any: `hello` means "hello".
    ///
    /// - Throws: `ValidationError` for what begins as an object, a list or a string does, and is none.
    static func value(_ text: String) throws -> JSONValue {
        do {
            return try JSONValue(parsing: ByteBuffer(string: text))
        } catch {
            guard let first = text.first(where: { !$0.isWhitespace }), "{[\"".contains(first) else {
                return .string(text)
            }
            throw ValidationError("The data begins as JSON does, but: \(error)")
        }
    }
}

/// Publishes a content type's event: each client gets what its role may see.
struct Emit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish an event of a content type; each client receives what its role may see.",
        discussion: """
            Example: socketio-node emit create --schema api::article.article '{"documentId": "a1", "title": "Hello"}'
            """
    )

    @Argument(help: "The event: create, update, delete or an action of your own.")
    var event: String

    @Argument(help: "The entity as JSON; - reads it from standard input.")
    var data: String

    @Option(name: .long, help: "The content type's uid, such as api::article.article.")
    var schema: String

    @Option(name: .long, help: "Publish only once, however often this id is sent.")
    var eventID: String?

    @Flag(name: .long, help: "Also tell how many clients it was sent to, on all nodes.")
    var receipt = false

    @OptionGroup var options: PublishOptions

    func run() async throws {
        let text =
            self.data == "-"
            ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : self.data
        let data: JSONValue
        do {
            data = try JSONValue(parsing: ByteBuffer(string: text))
        } catch {
            throw ValidationError("The entity is not JSON: \(error)")
        }
        var body: JSONObject = ["event": .string(self.event), "schema": .string(self.schema), "data": data]
        if let eventID = self.eventID { body["eventId"] = .string(eventID) }
        if self.receipt { body["receipt"] = true }
        try await self.options.post("/io/emit", .object(body))
    }
}

/// Publishes an event as it is, without permissions.
struct Raw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish an event as it is to everybody or to rooms, without permission checks.",
        discussion: "Example: socketio-node raw notice '{\"text\": \"Maintenance at noon\"}' --room lobby"
    )

    @Argument(help: "The event's name.")
    var event: String

    @Argument(help: "Its data: JSON, or a text; - reads it from standard input.")
    var data: String?

    @Option(name: .long, help: "A room to send to, or a socket's id; repeatable; everybody if none is given.")
    var room: [String] = []

    @Option(name: .long, help: "Publish only once, however often this id is sent.")
    var eventID: String?

    @Flag(name: .long, help: "Also tell how many clients it was sent to, on all nodes.")
    var receipt = false

    @OptionGroup var options: PublishOptions

    func run() async throws {
        var body: JSONObject = ["event": .string(self.event)]
        if !self.room.isEmpty { body["rooms"] = .array(self.room.map(JSONValue.string)) }
        if let data = try PublishOptions.data(self.data) { body["data"] = data }
        if let eventID = self.eventID { body["eventId"] = .string(eventID) }
        if self.receipt { body["receipt"] = true }
        try await self.options.post("/io/raw", .object(body))
    }
}
