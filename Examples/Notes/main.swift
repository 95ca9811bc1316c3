// Examples/Notes/main.swift: a Hummingbird application next to a Socket.IO server, in one process.
//
//     swift run ExampleNotes
//     open http://127.0.0.1:8080, then        curl -d '{"text": "Buy milk"}' http://127.0.0.1:8080/notes
//
// They listen on two ports (a load balancer or reverse proxy makes one address of them: `/socket.io` goes to one, all
// else to the other), and share the event loops, the services and their shutdown.
import Foundation
import Hummingbird
import Logging
import NIOPosix
import ServiceLifecycle
import SocketIOServer

struct Note: ResponseCodable, Sendable {
    var id: Int
    var text: String
}

struct NewNote: Decodable {
    var text: String
}

/// What both sides share.
actor Notes {
    private var notes: [Note] = []

    var all: [Note] { self.notes }

    func add(_ text: String) -> Note {
        let note = Note(id: (self.notes.last?.id ?? 0) + 1, text: text)
        self.notes.append(note)
        if self.notes.count > 1000 { self.notes.removeFirst() }
        return note
    }
}

let logger = Logger(label: "notes")
let loops = MultiThreadedEventLoopGroup.singleton
let notes = Notes()

var configuration = SocketServerConfiguration(host: "127.0.0.1", port: 3000)
// The page comes from another port, so from another origin.
configuration.engine.cors = CORSConfiguration(origin: .fixed("http://127.0.0.1:8080"))
let io = SocketServer(configuration: configuration, eventLoopGroup: loops, logger: logger)

// A client asks for everything when it connects, and hears of each note that comes later, from wherever.
io.sockets.on("notes") { (socket: Socket) async -> [Note] in await notes.all }
io.sockets.on("add") { (socket: Socket, text: String) async -> Note in
    let note = await notes.add(text)
    io.emit("note", note)
    return note
}

let router = Router()
router.get("/") { _, _ in
    Response(
        status: .ok,
        headers: [.contentType: "text/html; charset=utf-8"],
        body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.index_html))
    )
}
router.get("/notes") { _, _ in await notes.all }
router.post("/notes") { request, context -> EditedResponse<Note> in
    let note = await notes.add(try await request.decode(as: NewNote.self, context: context).text)
    io.emit("note", note)
    return EditedResponse(status: .created, response: note)
}

let application = Application(
    router: router,
    configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 8080)),
    onServerRunning: { _ in print("The notes are on http://127.0.0.1:8080") },
    eventLoopGroupProvider: .shared(loops),
    logger: logger
)

// On SIGTERM and SIGINT services end in reverse. HTTP ends first, so that nobody publishes any more. Then the server closes
// its clients' connections, and the process ends.
let services = ServiceGroup(
    services: [io, application],
    gracefulShutdownSignals: [.sigterm, .sigint],
    logger: logger
)
do {
    try await services.run()
} catch {
    print("The notes can't run: \(error)")
    exit(1)
}
