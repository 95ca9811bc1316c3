import OrderedCollections
import SocketIOWire

extension HistoryPosition {
    /// The longest epoch that is read.
    private static let maximumEpochBytes = 128

    /// `{offset, epoch}`.
    var value: JSONValue { .object(self.members) }

    private var members: JSONObject { ["offset": .int(self.offset), "epoch": .string(self.epoch.string)] }

    /// `{offset, epoch}`, with what the history is about: a client may follow several.
    func value(of key: HistoryKey) -> JSONValue {
        .object(self.members.merging(key.members) { first, _ in first })
    }

    /// Reads `{offset, epoch}`; `nil` if it is something else.
    init?(_ value: JSONValue) {
        guard case .object(let object) = value, case .int(let offset)? = object["offset"],
            case .string(let epoch)? = object["epoch"]
        else { return nil }
        self.init(checking: offset, epoch)
    }

    private init?(checking offset: Int, _ epoch: String) {
        // Redis counts in doubles.
        guard (0...(1 << 53)).contains(offset), epoch.utf8.count <= Self.maximumEpochBytes else { return nil }
        self.init(offset: offset, epoch: UTF8Text(epoch))
    }

    /// `<offset>@<epoch>`, for URLs and entity tags.
    public var text: String { "\(self.offset)@\(self.epoch.string)" }

    /// Reads `<offset>@<epoch>`; `nil` if it is something else.
    public init?(text: String) {
        let bytes = text.utf8
        guard let at = bytes.firstIndex(of: UInt8(ascii: "@")), let offset = Int(text[..<at]) else { return nil }
        self.init(checking: offset, String(text[bytes.index(after: at)...]))
    }
}
