import NIOCore

extension ClusterParts {
    /// Reads a message in MessagePack, but not its data yet.
    init(messagePack message: ByteBuffer) throws(MessagePackError) {
        self.init()
        var reader = MessagePackReader(message)
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case "type"?: self.type = ClusterProtocol.number(try reader.readJSONValue())
            case "uid"?: self.uid = ClusterRequest.uid(try reader.readJSONValue())
            case "nsp"?:
                if try reader.skipNothing() {
                    self.namespace = .missing
                } else if try reader.peekKind() == .string {
                    self.namespace = .text(UTF8Text(try reader.readString()))
                } else {
                    try reader.skipValue()
                    self.namespace = .other
                }
            case "data"?: self.data = try reader.skipNothing() ? nil : .messagePack(try reader.readRawValue())
            // A key that is no text: the bytes are out of step, so nothing of the message can be believed.
            case nil: throw MessagePackError(.unexpectedType, at: reader.offset)
            default: try reader.skipValue()
            }
        }
        try reader.expectEnd()
    }
}

extension BroadcastParts {
    /// Reads a broadcast's data in MessagePack, but not its event yet.
    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        self.init()
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case "packet"?: try self.readPacket(&reader)
            case "opts"?:
                // They have a reader of their own: an error in them must not hide the members behind them.
                var options = MessagePackReader(try reader.readRawValue())
                do throws(MessagePackError) {
                    self.options = .success(try ClusterOptions.parse(&options))
                } catch {
                    self.options = .failure(ClusterProtocolError(error))
                }
            case "requestId"?: self.requestID = try reader.skipUndefined() ? nil : try reader.readJSONValue()
            case nil: throw MessagePackError(.unexpectedType, at: reader.offset)
            default: try reader.skipValue()
            }
        }
    }

    private mutating func readPacket(_ reader: inout MessagePackReader) throws(MessagePackError) {
        self.isEvent = false
        self.payload = nil
        self.hasID = false
        guard try reader.peekKind() == .map else { return try reader.skipValue() }
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case "data"?: self.payload = .messagePack(try reader.readRawValue())
            case "type"?: self.isEvent = ClusterProtocol.isEvent(try reader.readJSONValue())
            case "id"?:
                self.hasID = try !reader.skipNothing()
                if self.hasID { try reader.skipValue() }
            case nil: throw MessagePackError(.unexpectedType, at: reader.offset)
            default: try reader.skipValue()
            }
        }
    }
}

extension ClusterProtocol {
    /// A whole number, also one that is written as a text.
    static func number(_ value: JSONValue) -> Int? {
        if case .string(let text) = value { return Int(text) }
        return value.intValue
    }
}
