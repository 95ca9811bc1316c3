import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// A namespace whose entries a ``StreamHub`` reads; called on the bus's loop.
protocol StreamMember: AnyObject, Sendable {
    var namespace: UTF8Text { get }
    /// The stream that its entries are added to.
    var stream: String { get }
    /// Whether it keeps a log, and has to hear where that begins.
    var keepsLog: Bool { get }

    /// Takes note that the reader stands behind that entry, in a history of that name.
    func logBegins(_ history: String, after id: RESPStreamID)
    /// Takes an entry of this namespace, from its own stream or from another one.
    func received(_ entry: StreamEntry, at id: RESPStreamID, isInLog: Bool)
    /// The reader has come to that entry of the member's stream, whosever it is.
    func logReached(_ id: RESPStreamID)
    /// Entries may be gone that were not read.
    func entriesAreMissing()
}

/// Reads the streams, once for all namespaces of a server, and hands each entry to the namespace that it is for.
final class StreamHub: Sendable {
    let bus: any StreamsBus
    private let reading: NIOLoopBoundBox<StreamHubReading>

    init(configuration: StreamsAdapterConfiguration, bus: any StreamsBus, metrics: ClusterMetrics, logger: Logger) {
        self.bus = bus
        let reading = StreamHubReading(configuration: configuration, bus: bus, metrics: metrics, logger: logger)
        self.reading = NIOLoopBoundBox.makeBoxSendingValue(reading, eventLoop: bus.eventLoop)
        self.onLoop { $0.hub = self }
    }

    private func onLoop(_ body: @escaping @Sendable (StreamHubReading) -> Void) {
        let reading = self.reading
        if self.bus.eventLoop.inEventLoop {
            body(reading.value)
        } else {
            self.bus.eventLoop.execute { body(reading.value) }
        }
    }

    /// Returns when the end of the streams is known; the member's entries behind it are read.
    ///
    /// - Throws: ``RESPError`` if the streams can't be read.
    func join(_ member: any StreamMember) async throws {
        let promise = self.bus.eventLoop.makePromise(of: Void.self)
        self.onLoop { $0.join(member, promise) }
        try await promise.futureResult.get()
    }

    /// Reads nothing more for the member when it has returned.
    func leave(_ member: any StreamMember) async {
        let promise = self.bus.eventLoop.makePromise(of: (any StreamsBusReader)?.self)
        self.onLoop { promise.succeed($0.leave(member)) }
        let reader = try? await promise.futureResult.get()
        await reader?.cancel()
    }

    /// Checks a stream, because it may be another one now, or end before the place that was read.
    func look(after stream: String) { self.onLoop { $0.look(after: stream) } }

    /// The replication id under which the streams are read.
    ///
    /// - Returns: `nil` while that is unknown.
    func replicationID() async -> UTF8Text? {
        let promise = self.bus.eventLoop.makePromise(of: UTF8Text?.self)
        self.onLoop { promise.succeed($0.replicationID) }
        return try? await promise.futureResult.get()
    }

    /// Takes note of the replication id under which Redis writes.
    func saw(_ replicationID: UTF8Text) { self.onLoop { $0.saw(replicationID) } }

    // MARK: What the reader and Redis say

    func handle(_ event: RESPStreamEvent, of generation: Int) { self.onLoop { $0.handle(event, of: generation) } }

    func looked(
        _ stream: Int,
        _ result: Result<[RESPValue], RESPError>,
        readThrough position: RESPStreamID,
        of generation: Int
    ) {
        self.onLoop { $0.looked(stream, result, readThrough: position, of: generation) }
    }

    func tell(_ generation: Int) { self.onLoop { $0.tell(generation) } }

    func ask(_ generation: Int) { self.onLoop { $0.ask(generation) } }

    func told(_ id: Result<UTF8Text, RESPError>, of generation: Int) { self.onLoop { $0.told(id, of: generation) } }
}
