import NIOCore

extension ClusterParts {
    /// Reads a message in JSON text.
    ///
    /// One pass is enough for a broadcast whose type comes first, as is usual.
    init(json message: ByteBuffer) throws(JSONError) {
        self.init()
        try message.withUnsafeReadableBytes { bytes throws(JSONError) in
            var reader = ClusterJSONReader(bytes, of: message)
            try reader.readMembers { name, reader throws(JSONError) in try self.read(name, &reader) }
            try reader.scanner.expectEnd()
        }
    }

    private mutating func read(_ name: JSONMemberName, _ reader: inout ClusterJSONReader) throws(JSONError) {
        if name.isEqual(to: "type") {
            self.type = ClusterProtocol.number(try reader.readValue())
        } else if name.isEqual(to: "uid") {
            self.uid = ClusterRequest.uid(try reader.readValue())
        } else if name.isEqual(to: "nsp") {
            switch try reader.readValue() {
            case .null: self.namespace = .missing
            case .string(let text): self.namespace = .text(UTF8Text(text))
            default: self.namespace = .other
            }
        } else if name.isEqual(to: "data") {
            let start = reader.scanner.offset
            self.data = nil
            self.broadcast = nil
            if try reader.scanner.peekKind() == .object, self.type == ClusterMessageType.broadcast.rawValue {
                var broadcast = BroadcastParts()
                try broadcast.read(&reader)
                self.broadcast = broadcast
            } else {
                let isNothing = try reader.scanner.peekKind() == .null
                try reader.scanner.skipValue()
                if isNothing { return }
            }
            // The data of a broadcast is kept, too, because another type may follow.
            self.data = .json(reader.slice(from: start))
        } else {
            try reader.scanner.skipValue()
        }
    }
}

extension BroadcastParts {
    /// Reads a broadcast's data in JSON text.
    init(json text: ByteBuffer) throws(JSONError) {
        self.init()
        try text.withUnsafeReadableBytes { bytes throws(JSONError) in
            var reader = ClusterJSONReader(bytes, of: text)
            try self.read(&reader)
            try reader.scanner.expectEnd()
        }
    }

    fileprivate mutating func read(_ reader: inout ClusterJSONReader) throws(JSONError) {
        try reader.readMembers { name, reader throws(JSONError) in
            if name.isEqual(to: "packet") {
                try self.readPacket(&reader)
            } else if name.isEqual(to: "opts") {
                self.options = try reader.readOptions()
            } else if name.isEqual(to: "requestId") {
                self.requestID = try reader.readValue()
            } else {
                try reader.scanner.skipValue()
            }
        }
    }

    private mutating func readPacket(_ reader: inout ClusterJSONReader) throws(JSONError) {
        self.isEvent = false
        self.payload = nil
        self.hasID = false
        guard try reader.scanner.peekKind() == .object else { return try reader.scanner.skipValue() }
        try reader.readMembers { name, reader throws(JSONError) in
            if name.isEqual(to: "type") {
                self.isEvent = ClusterProtocol.isEvent(try reader.readValue())
            } else if name.isEqual(to: "data") {
                self.payload = try reader.readEvent()
            } else if name.isEqual(to: "id") {
                self.hasID = try !reader.readValue().isNull
            } else {
                try reader.scanner.skipValue()
            }
        }
    }
}
