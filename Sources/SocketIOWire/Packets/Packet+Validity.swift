extension Packet {
    /// Whether a packet that another parser made (`{"type":2,"nsp":"/","id":1,"data":["hi"]}`) is one of protocol 5.
    ///
    /// Attachments stand in the data, so the binary types are not valid here.
    package static func isValid(_ packet: JSONValue) -> Bool {
        guard case .string = packet["nsp"], let rawType = packet["type"]?.intValue else { return false }
        if let id = packet["id"], id.intValue == nil { return false }
        let data = packet["data"]
        switch UInt8(exactly: rawType).flatMap(PacketType.init(rawValue:)) {
        case .connect:
            return data == nil || data?.objectValue != nil
        case .disconnect:
            return data == nil
        case .event:
            switch data?[0] {
            case .int, .double: return true
            case .string(let name): return !reservedEventNames.contains(UTF8Text(name))
            default: return false
            }
        case .acknowledgement:
            return data?.arrayValue != nil
        case .connectError:
            return data?.stringValue != nil || data?.objectValue != nil
        case .binaryEvent, .binaryAcknowledgement, nil:
            return false
        }
    }
}
