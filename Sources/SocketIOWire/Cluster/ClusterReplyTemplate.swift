package import NIOCore

/// An answer without the id of its request.
///
/// So its long part is written once for all nodes that asked the same.
package struct ClusterReplyTemplate: Sendable {
    private let head: ByteBuffer
    private let tail: ByteBuffer
    private let dialect: MessagePackDialect?

    /// The length of a message in bytes, without the id of the request.
    package var byteCount: Int { self.head.readableBytes + self.tail.readableBytes }

    /// Takes an answer whose request has the id `null`.
    ///
    /// - Parameters:
    ///   - message: The answer as it is published.
    ///   - dialect: What it is written in; `nil`: JSON text.
    init(_ message: ByteBuffer, dialect: MessagePackDialect?) {
        // This is the first key of the data. Before it there are only numbers and other keys.
        let key = dialect == nil ? Array("\"requestId\":".utf8) : [0xA9] + Array("requestId".utf8)
        let bytes = message.readableBytesView
        let start = bytes.indices.first { bytes[$0...].starts(with: key) } ?? bytes.startIndex
        let end = start + key.count
        let length = dialect == nil ? 4 : 1
        precondition(end + length <= bytes.endIndex, "an answer names its request")
        self.head = message.getSlice(at: bytes.startIndex, length: end - bytes.startIndex) ?? message
        self.tail = message.getSlice(at: end + length, length: bytes.endIndex - end - length) ?? message
        self.dialect = dialect
    }

    /// The answer to a request; if that had no id, `null` takes its place.
    package func message(requestID: JSONValue?) -> ByteBuffer {
        var message = ByteBuffer()
        message.reserveCapacity(self.byteCount + 32)
        message.writeImmutableBuffer(self.head)
        if let dialect = self.dialect {
            message.writeMessagePack(requestID ?? .null, as: dialect)
        } else {
            message.writeJSON(requestID ?? .null)
        }
        message.writeImmutableBuffer(self.tail)
        return message
    }
}

extension ClusterEncoder {
    /// An answer of the sharded adapter, for as many requests as ask for it.
    ///
    /// - Parameter message: The answer; the id of its request does not count.
    /// - Returns: The answer without that id.
    package func shardedReply(_ message: ClusterMessage) -> ClusterReplyTemplate {
        let message = message.answering(.null)
        let bytes = self.sharded(message)
        let isJSON = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
        return ClusterReplyTemplate(bytes, dialect: isJSON ? nil : .notepack)
    }

    /// An answer of the streams adapter, for as many requests as ask for it.
    ///
    /// - Parameter message: The answer; the id of its request does not count.
    /// - Returns: The answer without that id.
    package func publishedReply(_ message: ClusterMessage) -> ClusterReplyTemplate {
        ClusterReplyTemplate(self.published(message.answering(.null)), dialect: .msgpack)
    }
}

extension ClusterMessage {
    /// The same answer to another request.
    fileprivate func answering(_ requestID: JSONValue?) -> ClusterMessage {
        switch self {
        case .sockets(let sockets, _): return .sockets(sockets, requestID: requestID)
        case .refusal(let reason, _): return .refusal(reason: reason, requestID: requestID)
        case .serverSideAnswer(let value, _): return .serverSideAnswer(value, requestID: requestID)
        case .clientCount(let count, _): return .clientCount(count, requestID: requestID)
        case .acknowledgement(let value, _): return .acknowledgement(value, requestID: requestID)
        case .broadcast, .join, .leave, .disconnect, .fetchSockets, .serverSideEmit:
            preconditionFailure("a request is no answer")
        }
    }
}
