import Logging
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What the log is told at debug of everything that is published: to whom, under which name, and what became of it.
///
/// Never what it says, nor anything of who asked for it but its name.
extension EventPublisher {
    /// How many names a line has at most; how many more there are it says.
    private static let namesInALine = 8
    /// How long a name may be, in bytes.
    private static let bytesOfAName = 128

    /// Sends it, without an answer.
    func send(_ publication: Publication) {
        let publication = self.histories.recording(publication)
        // Before the rest: who has got the event by other ways finds it in the history then.
        for record in publication.records { self.histories.append(record) }
        publication.send()
        self.tell(publication, outcome: "sent")
    }

    /// Tells of a publication.
    ///
    /// - Parameters:
    ///   - publication: What was published, or not.
    ///   - outcome: What became of it, in a word.
    func tell(_ publication: Publication, outcome: @autoclosure () -> String) {
        // Nobody makes texts that nobody reads.
        guard self.context.logger.logLevel <= .debug else { return }
        guard !publication.isEmpty else {
            self.context.logger.debug(
                "Published nothing: nobody is addressed",
                metadata: ["outcome": "\(PublishReport.Delivery.nobody.rawValue)"]
            )
            return
        }
        let outcome = Logger.MetadataValue.string(outcome())
        for part in publication.parts {
            var (verbs, events, rooms, except) = (
                OrderedSet<String>(), OrderedSet<UTF8Text>(), OrderedSet<Room>(), OrderedSet<Room>()
            )
            for operation in part.operations {
                verbs.append(operation.action.verb)
                if case .emit(let values) = operation.action, let event = values.first?.stringValue {
                    events.append(UTF8Text(event))
                }
                rooms.append(contentsOf: operation.options.rooms)
                except.append(contentsOf: operation.options.except)
            }
            let isForAll = part.operations.contains { $0.options.rooms.isEmpty }
            var metadata: Logger.Metadata = [
                "sio.namespace": "\(boundedText(part.namespace.name))", "verb": .string(verbs.joined(separator: ",")),
                "sio.rooms": isForAll ? "all" : Self.names(rooms.map(\.name)), "outcome": outcome,
            ]
            if !events.isEmpty { metadata["sio.event"] = Self.names(events.map(\.string)) }
            if !except.isEmpty { metadata["sio.rooms.except"] = Self.names(except.map(\.name)) }
            self.context.logger.debug("Published", metadata: metadata)
        }
    }

    private static func names(_ names: [String]) -> Logger.MetadataValue {
        let shown = names.prefix(self.namesInALine).map { boundedText($0, to: self.bytesOfAName) }
        let rest = names.count - shown.count
        return .string(shown.joined(separator: ",") + (rest > 0 ? " and \(rest) more" : ""))
    }
}

extension ClusterOperation.Action {
    /// What it does, for the log.
    fileprivate var verb: String {
        switch self {
        case .emit: "emit"
        case .join: "join"
        case .leave: "leave"
        case .disconnect: "disconnect"
        }
    }
}
