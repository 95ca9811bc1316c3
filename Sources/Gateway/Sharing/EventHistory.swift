public import NIOCore
public import SocketIOServer
public import SocketIOWire

/// Keeps the last events of rooms and entities for all gateways of the cluster, and gives each its place.
///
/// Whoever adds an event tells every gateway of it in the same step. So all gateways hear of the events of a history in the
/// order of their places, and who finds a place missing knows that an event is missing.
public protocol EventHistory: Sendable {
    /// Adds an event to histories, or ends them, and tells all gateways, this one too.
    ///
    /// What one caller adds is added in the order of the calls, and before what the same caller sends to the cluster after
    /// that.
    ///
    /// - Parameters:
    ///   - addition: What to add, and where.
    ///   - completion: Called once, on any thread, perhaps before this returns: with the failure if it is not known that
    ///     the event was added.
    func append(_ addition: HistoryAddition, completion: @escaping @Sendable (Result<Void, ClusterError>) -> Void)

    /// Reads a history, in one step.
    ///
    /// - Throws: `ClusterError` with the code `unreachable` if it can't be read now.
    func read(_ question: HistoryQuestion) async throws -> HistoryAnswer

    /// Calls a handler for each event that is added, in the order of their places, and with ``HistorySignal/gap`` when
    /// some may have been missed.
    func receive(_ handler: @escaping @Sendable (HistorySignal) -> Void) -> SignalSubscription
}

/// What gateways hear of histories.
public enum HistorySignal: Sendable, Hashable {
    /// An event was added, at these places: one for each stream of the addition, in their order.
    case added([HistoryPosition], ByteBuffer)
    /// Events before this may have been missed.
    case gap
}

/// An event for one history or several.
public struct HistoryAddition: Sendable, Hashable {
    /// One history.
    public struct Stream: Sendable, Hashable {
        /// Its name.
        public var name: String
        /// How many events it keeps, and for how long.
        public var retention: HistoryRetention
        /// A mark that makes its positions worthless when it is set; see ``HistoryAddition/marks``.
        public var mark: String?

        /// Names a history.
        public init(name: String, retention: HistoryRetention, mark: String? = nil) {
            self.name = name
            self.retention = retention
            self.mark = mark
        }
    }

    /// The histories.
    public var streams: [Stream]
    /// Whether the event is kept.
    ///
    /// If not, the histories end here: their positions are worth nothing any more, and nobody is told of the event.
    public var isKept = true
    /// Marks to set.
    ///
    /// A mark says of many histories at once that an event is missing in them, without their names.
    public var marks: [String] = []
    /// Whether to set the mark of all histories.
    public var marksEverything = false
    /// Tells this event from others.
    public var id: String
    /// Whether the event may have been added before, so that it must be looked for.
    public var isRepeated = false
    /// The event.
    public var message: ByteBuffer

    /// Makes an addition.
    public init(id: String, streams: [Stream], message: ByteBuffer) {
        self.id = id
        self.streams = streams
        self.message = message
    }
}

/// A question for what a history has.
public struct HistoryQuestion: Sendable, Hashable {
    /// What may be answered.
    public enum Extent: Sendable, Hashable {
        /// Everything behind ``HistoryQuestion/since``, or nothing at all. Without `since`, only the position.
        case whole
        /// The first events behind `since`. Without `since`, the last ones.
        case page
    }

    /// The history.
    public var stream: HistoryAddition.Stream
    /// Everything up to there is known to whoever asks; `nil` if nothing is.
    public var since: HistoryPosition?
    /// What may be answered.
    public var extent: Extent
    /// The most events of an answer.
    public var limit: Int
    /// The most bytes that the events of an answer may have together.
    public var maximumBytes: Int

    /// Makes a question.
    public init(
        _ stream: HistoryAddition.Stream,
        since: HistoryPosition? = nil,
        extent: Extent = .whole,
        limit: Int,
        maximumBytes: Int = 1_000_000
    ) {
        self.stream = stream
        self.since = since
        self.extent = extent
        self.limit = limit
        self.maximumBytes = maximumBytes
    }
}

/// What a history has.
public struct HistoryAnswer: Sendable, Hashable {
    /// Why a history does not have all that is asked for.
    public enum Loss: String, Sendable, Hashable, CaseIterable {
        /// Events behind that position were removed, because there are too many newer ones or they are too old.
        case trimmed
        /// The position belongs to another history: that one was lost, or events are missing in it.
        case epoch
        /// There are more events than an answer may have.
        case tooMany = "too many"
    }

    /// A kept event.
    public struct Event: Sendable, Hashable {
        /// Its place.
        public var offset: Int
        /// What was added.
        public var message: ByteBuffer

        /// Makes an event.
        public init(offset: Int, message: ByteBuffer) {
            self.offset = offset
            self.message = message
        }
    }

    /// The place of the newest event.
    public var position: HistoryPosition
    /// Why the events can't be had; `nil` if ``events`` has them.
    public var loss: Loss?
    /// The events, in the order of their places.
    public var events: [Event]
    /// Whether there are more behind these.
    public var hasMore: Bool

    /// Makes an answer.
    public init(position: HistoryPosition, loss: Loss? = nil, events: [Event] = [], hasMore: Bool = false) {
        self.position = position
        self.loss = loss
        self.events = events
        self.hasMore = hasMore
    }
}

/// A place in a history.
///
/// The offset counts the history's events from 1, and it is worth something only in its epoch.
public struct HistoryPosition: Sendable, Hashable {
    /// How many events the history has had up to here.
    public var offset: Int
    /// Changes whenever the history may not be the same any more.
    public var epoch: UTF8Text

    /// Makes a position.
    public init(offset: Int, epoch: UTF8Text) {
        self.offset = offset
        self.epoch = epoch
    }
}
