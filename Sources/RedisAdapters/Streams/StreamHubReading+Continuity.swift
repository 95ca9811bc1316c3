import Logging
import NIOCore
import RESP
import SocketIOWire

/// Whether what is read is still the same stream, and whole.
extension StreamHubReading {
    /// The connection is back: looks whether everything is there that was not read.
    func resumed(_ positions: [RESPStreamPosition]) {
        let others = positions.indices.filter { stream in
            self.check(stream, positions[stream].info, readThrough: positions[stream].id)
        }
        // Once for all of them: a new reader does not know yet how far it has read.
        if !others.isEmpty { self.restart(from: .end) }
        if self.replicationID != nil { self.askForReplicationID() }
    }

    func look(after stream: String) {
        guard let index = self.index(of: stream), self.positions.indices.contains(index) else { return }
        self.look(at: index, from: self.positions[index])
    }

    /// Asks whether everything behind a place is there, or was when it was read.
    func look(at stream: Int, from place: RESPStreamID) {
        if let next = self.looking[stream] {
            self.looking[stream] = next ?? place
            return
        }
        self.looking[stream] = .some(nil)
        let generation = self.generation
        self.bus.execute(
            [RESPCommand("XINFO", "STREAM", .string(self.keys[stream]))],
            isTransaction: false,
            timeout: .seconds(5)
        ) { [weak hub = self.hub] result in
            hub?.looked(stream, result, readThrough: place, of: generation)
        }
    }

    func looked(
        _ stream: Int,
        _ result: Result<[RESPValue], RESPError>,
        readThrough position: RESPStreamID,
        of generation: Int
    ) {
        guard generation == self.generation else { return }
        let next = self.looking.removeValue(forKey: stream) ?? nil
        if let next { self.look(at: stream, from: next) }
        guard case .success(let replies) = result, let reply = replies.first,
            case .success(let info) = StreamAnchor.info(reply)
        else { return }
        if self.check(stream, info, readThrough: position) { self.restart(from: .end) }
    }

    /// Looks at one stream, and tells its namespaces if entries are missing.
    ///
    /// - Returns: Whether the reader has to begin anew, because what is added to the stream may stand before what was
    ///   read. The reader would wait for ever.
    private func check(_ stream: Int, _ info: RESPStreamInfo?, readThrough position: RESPStreamID) -> Bool {
        switch StreamContinuity(of: info, readThrough: position) {
        case .whole: return false
        case .trimmed:
            self.entriesAreMissing(in: stream, "were removed before they were read")
            return false
        case .another:
            self.entriesAreMissing(in: stream, "may be gone with an earlier stream of this name")
            guard let info else {
                self.anchor(stream)
                return false
            }
            guard self.positions.indices.contains(stream), info.lastGeneratedID < self.positions[stream] else {
                return false
            }
            self.life = " \(info.lastGeneratedID)"
            return true
        }
    }

    private func anchor(_ stream: Int) {
        guard self.members.values.contains(where: \.keepsLog) else { return }
        let command = StreamAnchor.command(for: self.keys[stream], uid: "reader")
        // Without it, clients that get no event until then can't come back.
        _ = try? self.bus.keep(command) { _ in }
    }

    private func entriesAreMissing(in stream: Int, _ reason: String) {
        let key = UTF8Text(self.keys[stream])
        self.logger.warning("Entries of a stream \(reason)", metadata: ["redis.stream": "\(key)"])
        if self.positions.indices.contains(stream) { self.missingBehind[stream] = self.positions[stream] }
        for member in self.members.values where UTF8Text(member.stream) == key { member.entriesAreMissing() }
    }

    // MARK: Under which history

    func ask(_ generation: Int) {
        if generation == self.generation { self.askForReplicationID() }
    }

    func askForReplicationID() {
        let generation = self.generation
        self.bus.execute(
            [RESPCommand("INFO", "replication")],
            isTransaction: false,
            timeout: .seconds(5)
        ) { [weak hub = self.hub] result in
            let id = result.flatMap { StreamHistory.replicationID(of: $0.first ?? .null) }
            hub?.told(id, of: generation)
        }
    }

    func told(_ result: Result<UTF8Text, RESPError>, of generation: Int) {
        guard generation == self.generation else { return }
        switch (result, self.isPreparing) {
        case (.success(let id), true):
            self.replicationID = id
            self.start(from: .end)
        case (.failure(let error), true): self.fail(error)
        case (.success(let id), false): self.saw(id)
        // The connection for commands may come back later than the one that reads. Reading missed events asks, too.
        case (.failure, false):
            self.bus.eventLoop.scheduleTask(in: .milliseconds(500)) { [weak hub = self.hub] in hub?.ask(generation) }
        }
    }

    func saw(_ id: UTF8Text) {
        guard let known = self.replicationID, known != id else { return }
        self.replicationID = id
        self.logger.notice("Redis writes another history: it was started anew, or another one has taken its place")
        guard !self.positions.isEmpty else { return }
        for member in self.members.values {
            member.entriesAreMissing()
            self.begin(member)
        }
    }
}
