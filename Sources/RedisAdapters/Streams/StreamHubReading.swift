import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// The state of a ``StreamHub``; on its loop only.
final class StreamHubReading {
    /// The hub, which hears the reader's events.
    weak var hub: StreamHub?
    let keys: [String]
    private let configuration: StreamsAdapterConfiguration
    let bus: any StreamsBus
    private let metrics: ClusterMetrics
    let logger: Logger
    var members: [UTF8Text: any StreamMember] = [:]
    private var waiting: [(member: any StreamMember, promise: EventLoopPromise<Void>)] = []
    private var reader: (any StreamsBusReader)?
    /// The number of the current reader; the events of earlier readers are ignored.
    var generation = 0
    /// How far each stream has been read; empty until that is known.
    var positions: [RESPStreamID] = []
    /// The replication id under which the streams are read; `nil` while it is unknown, or does not matter.
    var replicationID: UTF8Text?
    /// A text that differs from that of an earlier life of the streams under the same replication id.
    var life = ""
    /// The timer of telling members how far the streams have been read.
    var telling: Scheduled<Void>?
    /// How far the streams had been read when entries were found to be missing: what is missing may stand behind that.
    var missingBehind: [Int: RESPStreamID] = [:]
    /// Streams that are being looked after, and from where they are to be looked after again.
    var looking: [Int: RESPStreamID?] = [:]

    init(configuration: StreamsAdapterConfiguration, bus: any StreamsBus, metrics: ClusterMetrics, logger: Logger) {
        self.keys = StreamName(configuration.streamName, count: configuration.streamCount).allStreams
        self.configuration = configuration
        self.bus = bus
        self.metrics = metrics
        self.logger = logger
    }

    func index(of stream: String) -> Int? { self.keys.firstIndex { UTF8Text($0) == UTF8Text(stream) } }

    // MARK: Members

    func join(_ member: any StreamMember, _ promise: EventLoopPromise<Void>) {
        self.members[member.namespace] = member
        guard self.positions.isEmpty else {
            self.begin(member)
            return promise.succeed()
        }
        self.waiting.append((member, promise))
        if self.reader == nil, self.waiting.count == 1 { self.prepare(keepsLog: member.keepsLog) }
    }

    /// - Returns: The reader, if no member needs it any more.
    func leave(_ member: any StreamMember) -> (any StreamsBusReader)? {
        if self.members[member.namespace] === member { self.members[member.namespace] = nil }
        for index in self.waiting.indices.reversed() where self.waiting[index].member === member {
            let error = RESPError(code: .closed, message: "the adapter of namespace \(member.namespace) is closed")
            self.waiting.remove(at: index).promise.fail(error)
        }
        guard self.members.isEmpty else { return nil }
        return self.stop()
    }

    private func stop() -> (any StreamsBusReader)? {
        self.generation += 1
        self.positions = []
        self.looking = [:]
        self.missingBehind = [:]
        self.telling?.cancel()
        self.telling = nil
        defer { self.reader = nil }
        return self.reader
    }

    func begin(_ member: any StreamMember) {
        guard member.keepsLog, let id = self.replicationID, let index = self.index(of: member.stream) else { return }
        member.logBegins(id.string + self.life, after: self.positions[index])
    }

    // MARK: The reader

    /// Whether the replication id is asked for, before there is a reader.
    var isPreparing: Bool { self.reader == nil && !self.waiting.isEmpty }

    /// Starts to read; if a log is kept, it first asks for the replication id.
    private func prepare(keepsLog: Bool) {
        guard keepsLog else { return self.start(from: .end) }
        self.askForReplicationID()
    }

    func start(from start: RESPStreamStart) {
        self.generation += 1
        let (hub, generation) = (self.hub, self.generation)
        self.reader = self.bus.readStreams(
            self.keys,
            from: start,
            count: self.configuration.readCount,
            block: self.configuration.blockTime
        ) { [weak hub] event in hub?.handle(event, of: generation) }
    }

    func fail(_ error: RESPError) {
        let waiting = self.waiting
        self.waiting = []
        for (member, _) in waiting { self.members[member.namespace] = nil }
        for (_, promise) in waiting { promise.fail(error) }
        guard self.members.isEmpty, let reader = self.stop() else { return }
        self.configuration.startTask { await reader.cancel() }
    }

    func restart(from start: RESPStreamStart) {
        let reader = self.stop()
        self.configuration.startTask { await reader?.cancel() }
        self.start(from: start)
    }

    func handle(_ event: RESPStreamEvent, of generation: Int) {
        guard generation == self.generation else { return }
        switch event {
        case .started(let positions): self.started(positions)
        case .entries(let stream, let entries): self.received(entries, of: stream)
        case .unusable(let stream, let id, let error):
            self.advance(stream, to: id)
            self.reject(ClusterProtocolError(.undecodable, error.message), at: id, of: stream)
            // Whose it was, nobody can tell.
            self.missingBehind[stream] = id
            for member in self.members.values { member.entriesAreMissing() }
        case .interrupted(let error): if self.positions.isEmpty { self.fail(error) }
        }
    }

    private func started(_ positions: [RESPStreamPosition]) {
        let isFirst = self.positions.isEmpty
        self.positions = positions.map(\.id)
        let waiting = self.waiting
        self.waiting = []
        if isFirst {
            for member in self.members.values { self.begin(member) }
        } else {
            self.resumed(positions)
        }
        for (_, promise) in waiting { promise.succeed() }
    }

    private func advance(_ stream: Int, to id: RESPStreamID) {
        if self.positions.indices.contains(stream) { self.positions[stream] = id }
    }

    private func received(_ entries: [RESPStreamEntry], of stream: Int) {
        guard self.positions.indices.contains(stream) else { return }
        let (generation, before) = (self.generation, self.positions[stream])
        for entry in entries {
            self.advance(stream, to: entry.id)
            self.received(entry, of: stream)
            // The last member may have gone in the middle.
            guard self.generation == generation else { return }
        }
        self.tellLater()
        // So many that some before them may have been removed before they were read.
        if entries.count >= self.configuration.readCount { self.look(at: stream, from: before) }
    }

    private func received(_ entry: RESPStreamEntry, of stream: Int) {
        guard !StreamAnchor.isOne(entry) else { return }
        do throws(ClusterProtocolError) {
            var fields: [ByteBuffer] = []
            fields.reserveCapacity(entry.fields.count * 2)
            for field in entry.fields {
                fields.append(field.name)
                fields.append(field.value)
            }
            let read = try StreamEntry(fields: fields)
            guard let member = self.members[read.namespace] else { return }
            member.received(read, at: entry.id, isInLog: UTF8Text(member.stream) == UTF8Text(self.keys[stream]))
        } catch {
            self.reject(error, at: entry.id, of: stream)
        }
    }

    private func reject(_ error: ClusterProtocolError, at id: RESPStreamID, of stream: Int) {
        func details() -> Logger.Metadata {
            ["redis.stream": "\(self.keys[stream])", "redis.entry": "\(id)", "error": "\(error)"]
        }
        self.metrics.rejected(error.reason.rawValue, details: details())
        self.logger.debug("Ignored an entry of a stream", metadata: details())
    }
}
