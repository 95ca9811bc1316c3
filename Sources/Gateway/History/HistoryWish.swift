import SocketIOWire

/// What a client asks of a history when it joins a room or follows an entity.
struct HistoryWish: Sendable, Hashable {
    /// What it has seen before.
    var since: HistoryPosition?
    /// Whether it wants the position of each event.
    var wantsPositions: Bool

    /// Reads `since` and `position` of a client's wish; `nil` if it asks nothing of a history.
    ///
    /// - Throws: ``ClientRefusal`` if one of them is something else than it should be.
    init?(_ payload: JSONValue?) throws(ClientRefusal) {
        guard case .object(let object)? = payload else { return nil }
        switch object["position"] {
        case nil, .null?: self.wantsPositions = false
        case .bool(let wants)?: self.wantsPositions = wants
        default: throw .invalidPosition
        }
        switch object["since"] {
        case nil, .null?:
            self.since = nil
        case let value?:
            guard let position = HistoryPosition(value) else { throw .invalidSince }
            self.since = position
        }
        guard self.wantsPositions || self.since != nil else { return nil }
    }
}

extension ClientRefusal {
    static let invalidPosition = ClientRefusal("Invalid position: it must be true or false")
    static let invalidSince = ClientRefusal("Invalid since: it must be a position {offset, epoch}")
}

/// Why a client does not get what it missed: the `reason` of its acknowledgement.
enum HistoryLoss: String, Sendable, CaseIterable {
    case trimmed
    case epoch
    case tooMany = "too many"
    /// There is no history.
    case disabled
    /// The history can't be read now.
    case unavailable

    init(_ loss: HistoryAnswer.Loss) {
        switch loss {
        case .trimmed: self = .trimmed
        case .epoch: self = .epoch
        case .tooMany: self = .tooMany
        }
    }
}
