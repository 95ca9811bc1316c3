import ArgumentParser
import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire

/// Asks a node what an event would do.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whom an event would reach, what each role would see of it, and why; nothing is published.",
        discussion: """
            Example: socketio-node explain update --schema api::article.article '{"documentId": "a1"}' --user 7
            """
    )

    @Argument(help: "The event's name.")
    var event: String

    @Argument(help: "Its data: JSON, or a text; - reads it from standard input.")
    var data: String?

    @Option(name: .long, help: "The content type's uid; without it the event is taken as it is.")
    var schema: String?

    @Option(
        name: .long,
        help: "A room that it would be sent to, if it has no schema; repeatable; everybody if none is given."
    )
    var room: [String] = []

    @Option(name: .long, help: "Tell of the socket with this id, too.")
    var socket: String?

    @Option(name: .long, help: "Tell of this user's sockets, too.")
    var user: String?

    @Option(name: .long, help: "Tell only of this role.")
    var role: String?

    @OptionGroup var options: PublishOptions

    func validate() throws {
        guard [self.socket, self.user, self.role].compactMap(\.self).count <= 1 else {
            throw ValidationError("Only one of --socket, --user and --role can be given.")
        }
        guard self.schema == nil || self.room.isEmpty else {
            throw ValidationError("An event with --schema has no --room: roles decide who gets it.")
        }
    }

    func run() async throws {
        var body: JSONObject = ["event": .string(self.event)]
        body["schema"] = self.schema.map { .string($0) }
        if !self.room.isEmpty { body["rooms"] = .array(self.room.map(JSONValue.string)) }
        if let data = try PublishOptions.data(self.data) { body["data"] = data }
        for (name, about) in [("socketId", self.socket), ("userId", self.user), ("role", self.role)] {
            if let about { body["for"] = [UTF8Text(name): .string(about)] }
        }
        try await self.options.post("/io/explain", .object(body))
    }
}
