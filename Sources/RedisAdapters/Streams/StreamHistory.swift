import NIOCore
import RESP
import SocketIOWire

/// Tells one history of a Redis from another.
enum StreamHistory {
    /// Reads the reply of `INFO replication`.
    static func replicationID(of reply: RESPValue) -> Result<UTF8Text, RESPError> {
        if case .error(let error) = reply { return .failure(error) }
        for line in (reply.stringValue ?? "").utf8.split(separator: UInt8(ascii: "\n")) {
            let name = "master_replid:"
            guard line.starts(with: name.utf8) else { continue }
            let id = line.dropFirst(name.utf8.count).filter { $0 > UInt8(ascii: " ") }
            if !id.isEmpty { return .success(UTF8Text(decoding: id)) }
        }
        return .failure(.violation("an answer to INFO without the replication id"))
    }
}

/// Whether a stream still has everything behind a place.
enum StreamContinuity: Equatable {
    /// Nothing behind the place was ever removed.
    case whole
    /// Entries behind the place may have been removed, from the stream's beginning or from its middle.
    case trimmed
    /// The stream has never had such a place: it is another one of this name.
    case another

    /// - Parameters:
    ///   - info: What Redis says of the stream; `nil` if there is none.
    ///   - id: The place; everything up to it is known.
    init(of info: RESPStreamInfo?, readThrough id: RESPStreamID) {
        guard let info else {
            self = id == .zero ? .whole : .another
            return
        }
        guard id <= info.lastGeneratedID else {
            self = .another
            return
        }
        if let deleted = info.maxDeletedID, deleted > id {
            self = .trimmed
        } else if let first = info.firstID {
            // Entries that were removed from the beginning stood before the first one that is left.
            self = first <= id.next ?? id ? .whole : .trimmed
        } else {
            self = info.lastGeneratedID == id ? .whole : .trimmed
        }
    }
}

/// An entry that no node reads, so that a stream has a first entry behind which nothing is missing.
///
/// Official nodes skip entries without a namespace.
enum StreamAnchor {
    private static let field = "anchor"

    static func isOne(_ entry: RESPStreamEntry) -> Bool {
        entry.fields.count == 1 && entry.fields[0].name.readableBytesView.elementsEqual(self.field.utf8)
    }

    /// The command that adds one.
    static func command(for stream: String, uid: String) -> RESPCommand {
        RESPCommand("XADD", .string(stream), "*", .string(self.field), .string(uid))
    }

    /// Reads the reply of `XINFO STREAM`; `nil` if there is no such stream.
    static func info(_ reply: RESPValue) -> Result<RESPStreamInfo?, RESPError> {
        if case .error(let error) = reply {
            guard error.hasServerCode("ERR"), error.message.utf8.starts(with: "ERR no such key".utf8) else {
                return .failure(error)
            }
            return .success(nil)
        }
        return Result { () throws(RESPError) in try RESPStreamInfo(reply) }
    }

    /// Makes sure that a stream has an entry.
    ///
    /// - Throws: ``RESPError``.
    static func set(in stream: String, uid: String, bus: any StreamsBus) async throws {
        let replies = try await bus.execute([RESPCommand("XINFO", "STREAM", .string(stream))], timeout: .seconds(5))
        guard try self.info(replies.first ?? .null).get()?.firstID == nil else { return }
        let added = try await bus.execute([self.command(for: stream, uid: uid)], timeout: .seconds(5))
        if case .error(let error)? = added.first { throw error }
    }
}
