import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisAdapters

/// A Redis with streams and keys in this process, for nodes that share one loop or have their own; healthy or ill as the
/// test wants it.
///
/// Commands take effect when they are sent; replies and entries arrive on the node's loop, in order. It knows no time but
/// ``milliseconds``.
final class InProcessStreams: Sendable {
    struct Stream: Sendable {
        var entries: [RESPStreamEntry] = []
        var last = RESPStreamID.zero
        var maxDeleted = RESPStreamID.zero
        var added = 0
    }

    struct Key: Sendable {
        var value: ByteBuffer
        var expiresAt: UInt64?
    }

    struct Reader: Sendable {
        let number: Int
        let client: String
        let keys: [String]
        let count: Int
        let block: TimeAmount
        let eventLoop: any EventLoop
        let handler: @Sendable (RESPStreamEvent) -> Void
        var cursor: [RESPStreamID]
        var isStarted = false
    }

    /// A command whose reply has not been given.
    struct Sent: Sendable {
        var command: [ByteBuffer]
        /// `nil` while it was not executed.
        var reply: RESPValue?
        let eventLoop: any EventLoop
        let completion: @Sendable (RESPKeptOutcome) -> Void
    }

    struct State {
        var streams: [String: Stream] = [:]
        var keys: [String: Key] = [:]
        var milliseconds: UInt64 = 1_000
        var replicationID = "first"
        var readers: [Reader] = []
        var lastReader = 0
        /// Nodes that have lost Redis.
        var away: Set<String> = []
        /// Nodes whose readers stand still.
        var stopped: Set<String> = []
        /// Nodes that get no replies to what they have kept.
        var muted: Set<String> = []
        var sent: [String: [Sent]] = [:]
        /// What is refused: the first word of commands, and the error.
        var refused: [String: RESPError] = [:]
    }

    /// Its channels, and what was sent.
    let redis = InProcessRedis()
    let state = NIOLockedValueBox(State())

    func bus(_ client: String, on eventLoop: any EventLoop) -> InProcessStreamsBus {
        InProcessStreamsBus(redis: self, client: client, base: self.redis.bus(client, on: eventLoop))
    }

    // MARK: What happens to it

    /// Lets time pass.
    func advance(by milliseconds: UInt64) { self.state.withLockedValue { $0.milliseconds += milliseconds } }

    /// The server is another one now.
    func becomeAnother(_ replicationID: String) { self.state.withLockedValue { $0.replicationID = replicationID } }

    /// Everything is gone.
    func flush() {
        self.state.withLockedValue { state in
            state.streams = [:]
            state.keys = [:]
        }
    }

    /// All but the last entries of a stream are gone.
    func trim(_ stream: String, keeping count: Int) {
        self.state.withLockedValue { state in
            guard let length = state.streams[stream]?.entries.count, length > count else { return }
            state.streams[stream]?.entries.removeFirst(length - count)
        }
    }

    /// Commands of that name fail from now on; `nil`: no more.
    func refuse(_ name: String, with error: RESPError?) { self.state.withLockedValue { $0.refused[name] = error } }

    /// A node loses Redis: what it keeps waits, its reader stands still.
    func lose(_ client: String) {
        self.state.withLockedValue { _ = $0.away.insert(client) }
        let error = RESPError(code: .disconnected, message: "lost")
        for reader in self.readers(of: client) { reader.eventLoop.execute { reader.handler(.interrupted(error)) } }
        self.redis.setAvailable(false, for: client)
    }

    /// A node has Redis again.
    func restore(_ client: String) {
        let waiting = self.state.withLockedValue { state in
            state.away.remove(client)
            let sent = state.sent[client] ?? []
            state.sent[client] = sent.filter { $0.reply != nil }
            return sent.filter { $0.reply == nil }
        }
        for one in waiting { self.perform(one, for: client) }
        self.redis.setAvailable(true, for: client)
        for reader in self.readers(of: client) { self.start(reader.number) }
    }

    /// A node gets no replies from now on, though its commands are executed; or gets them all.
    func mute(_ client: String, _ isMuted: Bool = true) {
        let sent = self.state.withLockedValue { state -> [Sent] in
            if isMuted { state.muted.insert(client) } else { state.muted.remove(client) }
            return isMuted ? [] : state.sent.removeValue(forKey: client) ?? []
        }
        for one in sent { self.answer(one) }
    }

    /// A node never gets the replies that it has not got.
    func loseReplies(of client: String) {
        let sent = self.state.withLockedValue { state in
            state.muted.remove(client)
            return state.sent.removeValue(forKey: client) ?? []
        }
        let error = RESPError(code: .disconnected, message: "lost before the reply")
        for one in sent { one.eventLoop.execute { one.completion(.unconfirmed(error)) } }
    }

    /// A node's reader stands still, or goes on.
    func stop(_ client: String, _ isStopped: Bool = true) {
        self.state.withLockedValue { if isStopped { $0.stopped.insert(client) } else { $0.stopped.remove(client) } }
        if !isStopped { self.wakeReaders() }
    }

    // MARK: What is known of it

    /// What nodes have sent, but that they live.
    var sentCommands: [InProcessRedis.Command] {
        self.redis.commands.filter { command in
            command.client.hasSuffix(".pub") && !command.arguments.contains { $0.hasSuffix("#swift-node-lease#") }
        }
    }

    /// What nodes have subscribed to, but to hear who lives.
    var subscribed: [InProcessRedis.Command] {
        self.redis.commands.filter { command in
            command.client.hasSuffix(".sub") && !command.arguments.contains { $0.hasSuffix("#swift-node-lease#") }
        }
    }

    func entries(of stream: String) -> [RESPStreamEntry] {
        self.state.withLockedValue { $0.streams[stream]?.entries ?? [] }
    }

    var keys: [String: ByteBuffer] {
        self.state.withLockedValue { state in
            state.keys.filter { $0.value.expiresAt ?? .max > state.milliseconds }.mapValues(\.value)
        }
    }

    private func readers(of client: String) -> [Reader] {
        self.state.withLockedValue { $0.readers.filter { $0.client == client } }
    }

    // MARK: Commands

    /// Executes a command of a node, or of somebody else.
    @discardableResult
    func execute(_ client: String, _ words: [ByteBuffer]) -> RESPValue {
        guard let name = words.first.map({ String(buffer: $0) }) else { return .null }
        if let error = self.state.withLockedValue({ $0.refused[name] }) { return .error(error) }
        switch name {
        case "PUBLISH", "SPUBLISH":
            let channel = BusChannel(name: String(buffer: words[1]), isSharded: name == "SPUBLISH")
            do throws(RESPError) {
                try self.redis.publish(client, channel, words[2])
            } catch {
                return .error(error)
            }
            return .integer(self.redis.subscribers(of: channel))
        case "EVAL": return self.state.withLockedValue { $0.evaluate(words) { self.log(client, $0) } }
        default:
            self.log(client, words)
            let reply = self.state.withLockedValue { $0.execute(name, words) }
            if name == "XADD" { self.wakeReaders() }
            return reply
        }
    }

    /// The same, of texts.
    @discardableResult
    func execute(_ client: String, _ words: String...) -> RESPValue {
        self.execute(client, words.map { ByteBuffer(string: $0) })
    }

    /// Adds an entry of these fields and values, as somebody else.
    func add(_ fields: [String]) {
        self.execute("x", (["XADD", "socket.io", "*"] + fields).map { ByteBuffer(string: $0) })
    }

    private func log(_ client: String, _ words: [ByteBuffer]) {
        let texts = words.map { String(buffer: $0) }
        self.redis.log(client, texts[0], Array(texts.dropFirst()))
    }

    func perform(_ sent: Sent, for client: String) {
        var sent = sent
        sent.reply = self.execute("\(client).pub", sent.command)
        let isMuted = self.state.withLockedValue { [sent] state in
            guard state.muted.contains(client) else { return false }
            state.sent[client, default: []].append(sent)
            return true
        }
        if !isMuted { self.answer(sent) }
    }

    private func answer(_ sent: Sent) {
        guard let reply = sent.reply else { return }
        sent.eventLoop.execute {
            if case .error(let error) = reply {
                sent.completion(.refused(error))
            } else {
                sent.completion(.replied(reply))
            }
        }
    }

    // MARK: Readers

    func addReader(_ make: (Int) -> Reader) -> Int {
        let number = self.state.withLockedValue { state in
            state.lastReader += 1
            state.readers.append(make(state.lastReader))
            return state.lastReader
        }
        self.start(number)
        return number
    }

    func removeReader(_ number: Int) { self.state.withLockedValue { $0.readers.removeAll { $0.number == number } } }

    private func start(_ number: Int) {
        guard let reader = self.state.withLockedValue({ $0.readers.first { $0.number == number } }) else { return }
        reader.eventLoop.execute {
            let positions = self.state.withLockedValue { $0.startReader(number) }
            guard let positions else { return }
            reader.handler(.started(positions))
            self.pump(number)
        }
    }

    func wakeReaders() {
        for reader in self.state.withLockedValue({ $0.readers }) {
            reader.eventLoop.execute { self.pump(reader.number) }
        }
    }

    /// Hands a reader what there is; on its loop.
    private func pump(_ number: Int) {
        while true {
            let next = self.state.withLockedValue { $0.read(number) }
            guard let (reader, stream, entries) = next else { return }
            reader.handler(.entries(stream: stream, entries))
        }
    }
}
