/// Which sockets a broadcast or a cluster-wide command addresses, and how.
public struct BroadcastOptions: Sendable, Hashable {
    /// The rooms addressed, each once, in the order in which the caller named them; empty: the whole namespace.
    public var rooms: [Room]
    /// Members of these rooms are left out.
    public var except: [Room]
    /// The modifiers.
    public var flags: BroadcastFlags

    /// Addresses the whole namespace unless told otherwise.
    public init(rooms: [Room] = [], except: [Room] = [], flags: BroadcastFlags = BroadcastFlags()) {
        self.rooms = rooms
        self.except = except
        self.flags = flags
    }
}

/// The modifiers of a broadcast, in the order in which they were given: JavaScript objects keep that order on the wire.
public struct BroadcastFlags: Sendable, Hashable {
    /// One modifier and its value.
    public enum Flag: Sendable, Hashable {
        /// Dropped for a client whose connection has more than a little unsent data.
        case volatile(Bool)
        /// Whether polling responses may be compressed.
        case compress(Bool)
        /// Only this node's sockets.
        case local(Bool)
        /// How long to wait for acknowledgements, in milliseconds.
        case timeout(milliseconds: Int)
        /// Addressed at one socket: the acknowledgement is a value instead of a list.
        case expectSingleResponse(Bool)
        /// Legacy markers which official nodes may send and which change nothing.
        case broadcast(Bool)
        case binary(Bool)
    }

    /// At most one flag of each kind, in order.
    public private(set) var flags: [Flag] = []

    /// No modifiers.
    public init() {}

    /// Sets a flag.
    ///
    /// Set again, it keeps its place and takes the new value.
    public mutating func set(_ flag: Flag) {
        if let index = self.flags.firstIndex(where: { $0.kind == flag.kind }) {
            self.flags[index] = flag
        } else {
            self.flags.append(flag)
        }
    }

    /// Whether no modifier was given.
    public var isEmpty: Bool { self.flags.isEmpty }

    /// Whether the packet may be dropped for a client that cannot keep up.
    public var isVolatile: Bool { self.flags.contains(.volatile(true)) }
    /// Whether other nodes are left out.
    public var isLocal: Bool { self.flags.contains(.local(true)) }
    /// Whether the acknowledgement is a value instead of a list.
    public var expectsSingleResponse: Bool { self.flags.contains(.expectSingleResponse(true)) }

    /// Whether polling responses may be compressed; `true` unless told otherwise.
    public var allowsCompression: Bool { !self.flags.contains(.compress(false)) }

    /// How long to wait for acknowledgements or answers, in milliseconds.
    public var timeoutMilliseconds: Int? {
        for case .timeout(let milliseconds) in self.flags { return milliseconds }
        return nil
    }
}

extension BroadcastFlags.Flag {
    /// The key of this flag in the `flags` object of an inter-node message.
    public var kind: String {
        switch self {
        case .volatile: "volatile"
        case .compress: "compress"
        case .local: "local"
        case .timeout: "timeout"
        case .expectSingleResponse: "expectSingleResponse"
        case .broadcast: "broadcast"
        case .binary: "binary"
        }
    }
}

extension [Room] {
    /// Appends those rooms that are not in the list yet.
    ///
    /// It is inlined, because the list of a single room would be allocated on the heap otherwise.
    @inlinable
    package mutating func appendNew(_ rooms: [Room]) {
        // Looking through a short list costs less than a set.
        guard self.count + rooms.count > 16 else {
            for room in rooms where !self.contains(room) { self.append(room) }
            return
        }
        var known = Set(self)
        for room in rooms where known.insert(room).inserted { self.append(room) }
    }
}
