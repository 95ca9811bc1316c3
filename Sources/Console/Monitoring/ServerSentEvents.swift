import Gateway
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// Entries of a log as Server-Sent Events.
enum ServerSentEvents {
    static let contentType = "text/event-stream; charset=utf-8"

    /// A stream without entries has a comment that often, so that proxies and clients see that it lives.
    private static let heartbeat = TimeAmount.seconds(15)

    /// Whether a client asks for a stream with its `Accept` fields.
    static func isWanted(by accept: [String]) -> Bool {
        accept.contains { field in
            field.utf8.split(separator: UInt8(ascii: ",")).contains { range in
                let type = range.prefix { $0 != UInt8(ascii: ";") }.filter { $0 != UInt8(ascii: " ") }
                return UTF8Text(decoding: type).string.hasASCIIPrefix("text/event-stream")
            }
        }
    }

    /// What a reader hears, one part for each page.
    ///
    /// - Parameters:
    ///   - reader: Knows where the client is.
    ///   - types: Only entries of these types; empty for all.
    ///   - place: Is held as long as the stream.
    /// - Returns: The stream, whose first part says that the client has been let in.
    static func stream(of reader: EventLogReader, types: [UTF8Text], place: StreamPlaces.Place) -> AnswerStream {
        let isFirst = NIOLockedValueBox(true)
        return AnswerStream {
            defer { withExtendedLifetime(place) {} }
            // The client learns at once that it has been let in, and how long to wait before it comes back.
            let begins = isFirst.withLockedValue { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            if begins { return ByteBuffer(string: "retry: 2000\n\n") }
            while let news = await reader.next(within: Self.heartbeat) {
                switch news {
                case .gap: return ByteBuffer(string: "event: gap\ndata: {}\n\n")
                case .nothing: return ByteBuffer(string: ": nothing new\n\n")
                case .unreachable: return ByteBuffer(string: ": the log cannot be read now\n\n")
                case .entries(let entries):
                    let bytes = Self.text(of: entries, types: types)
                    if bytes.readableBytes > 0 { return bytes }
                }
            }
            return nil
        }
    }

    /// The id of an entry that is left out is told, too, so that the client goes on behind it.
    static func text(of entries: [EventLog.Entry], types: [UTF8Text]) -> ByteBuffer {
        var bytes = ByteBuffer()
        var isToldTo = true
        for entry in entries {
            isToldTo = types.isEmpty || entry.type.map { types.contains(UTF8Text($0)) } ?? false
            guard isToldTo else { continue }
            bytes.writeString("id: \(entry.id)\ndata: ")
            // JSON has no line breaks.
            bytes.writeJSON(entry.value)
            bytes.writeString("\n\n")
        }
        if !isToldTo, let last = entries.last { bytes.writeString("id: \(last.id)\n\n") }
        return bytes
    }
}
