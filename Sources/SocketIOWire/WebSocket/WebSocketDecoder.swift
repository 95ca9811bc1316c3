package import NIOCore

/// What a WebSocket connection accepts.
package struct WebSocketRules: Hashable, Sendable {
    /// Whether frames must be masked (a server reads these) or must not be (a client reads those).
    package var framesAreMasked = true
    /// The longest message in bytes.
    package var maximumMessageBytes = 1_000_000
    /// The most frames that one message may consist of.
    package var maximumFragments = 131_072
    /// Whether messages may be compressed, because both sides have agreed on permessage-deflate.
    package var allowsCompression = false

    package init() {}

    /// The longest compressed message.
    ///
    /// It is somewhat more than ``maximumMessageBytes``, because a message that cannot be compressed grows a little.
    var maximumCompressedBytes: Int {
        min(self.maximumMessageBytes, .max / 2) + self.maximumMessageBytes / 64 + 64
    }

    func maximumBytes(isCompressed: Bool) -> Int {
        isCompressed ? self.maximumCompressedBytes : self.maximumMessageBytes
    }
}

/// Turns the bytes of a WebSocket connection into messages and control frames, strictly as RFC 6455 says.
///
/// It owns no connection: bytes go in, even one at a time, and events come out. If the input contains a frame as a
/// whole, the decoder unmasks it into the caller's payload buffer, which needs no allocation. It unmasks an incomplete
/// frame as the bytes arrive, into a buffer that grows with the received bytes and never with the announced length.
/// Between messages the decoder holds nothing.
package struct WebSocketDecoder {
    /// What was received.
    ///
    /// Its bytes are in the caller's payload buffer, so that nobody else holds them.
    package enum Event: Hashable, Sendable {
        /// A text message, which is valid UTF-8.
        case text
        case binary
        /// A message that is still compressed. Its real length has not been checked, nor the UTF-8 of a text.
        case compressed(isText: Bool)
        /// The receiver must answer with a pong that has the same payload.
        case ping
        case pong
        /// The last event. `code` is `nil` if the frame was empty. The payload is the reason, as valid UTF-8.
        case close(code: WebSocketCloseCode?)
    }

    private enum State {
        case idle
        case receiving(Reception)
        case closed
    }

    /// The state while a frame or a message is incomplete.
    private final class Reception {
        /// The bytes of an incomplete header.
        var header = ByteBuffer()
        /// The header of the frame whose payload is arriving.
        var frame: WebSocketFrameHeader?
        /// How many bytes of that payload have come.
        var received = 0
        /// The payload so far, if the frame is a control frame.
        var control = ByteBuffer()
        /// Whether a data message has begun.
        var isInMessage = false
        var isText = false
        var isCompressed = false
        var message = ByteBuffer()
        var fragments = 0
        var validator = UTF8Validator()

        var bytes: Int { self.message.readableBytes + self.control.readableBytes + self.header.readableBytes }

        var isDone: Bool { !self.isInMessage && self.frame == nil && self.header.readableBytes == 0 }
    }

    private var state = State.idle

    package init() {}

    /// Whether a frame or a message has begun and is not complete.
    ///
    /// A slow peer could keep it so for ever.
    package var isWithinMessage: Bool {
        if case .receiving = self.state { true } else { false }
    }

    /// How many bytes of it are kept.
    package var keptBytes: Int {
        if case .receiving(let reception) = self.state { reception.bytes } else { 0 }
    }

    /// Stops reading, because a decompressed message has broken the protocol.
    package mutating func stop() { self.state = .closed }

    /// Takes the next event out of the input.
    ///
    /// - Parameters:
    ///   - input: Bytes from the peer, in order. If the result is `nil`, all of them have been taken.
    ///   - payload: What the event carries. Each call overwrites it, so one buffer for each event loop is enough. If a
    ///     caller keeps its bytes, the next call allocates others.
    ///   - rules: What is accepted.
    /// - Returns: The event; `nil` if more bytes are needed, and always after a close frame or an error.
    /// - Throws: How the peer broke the protocol. Nothing is read after that.
    package mutating func next(
        from input: inout ByteBuffer,
        payload: inout ByteBuffer,
        rules: WebSocketRules
    ) throws(WebSocketError) -> Event? {
        do {
            while true {
                switch self.state {
                case .closed:
                    input.moveReaderIndex(to: input.writerIndex)
                    return nil
                case .idle:
                    switch try Self.takeFrame(from: &input, into: &payload, rules: rules) {
                    case .whole(let header, let isASCII):
                        return try self.event(header, payload: &payload, isASCII: isASCII)
                    case .begun(let header):
                        let reception = Reception()
                        reception.frame = header
                        self.state = .receiving(reception)
                    case .noHeader:
                        if input.readableBytes > 0 {
                            let reception = Reception()
                            reception.header.writeBuffer(&input)
                            self.state = .receiving(reception)
                        }
                        return nil
                    }
                case .receiving(let reception):
                    guard let event = try Self.resume(reception, input: &input, payload: &payload, rules: rules) else {
                        return nil
                    }
                    if case .close = event {
                        self.state = .closed
                    } else if reception.isDone {
                        self.state = .idle
                    }
                    return event
                }
            }
        } catch {
            self.state = .closed
            throw error
        }
    }

    /// What the input begins with.
    private enum Start {
        /// A frame that is a whole message or a control frame. Its payload has been unmasked.
        case whole(WebSocketFrameHeader, isASCII: Bool)
        /// A frame that continues behind the input, or a message that continues behind the frame.
        case begun(WebSocketFrameHeader)
        case noHeader
    }

    /// Takes a frame's header, and its payload if all of it is there, with a single access to the input's bytes.
    private static func takeFrame(
        from input: inout ByteBuffer,
        into payload: inout ByteBuffer,
        rules: WebSocketRules
    ) throws(WebSocketError) -> Start {
        let (start, length) = try input.withUnsafeReadableBytes { bytes throws(WebSocketError) -> (Start, Int) in
            let parsed = try WebSocketFrameHeader.parse(bytes, allowsCompression: rules.allowsCompression)
            guard let (header, length) = parsed else { return (.noHeader, 0) }
            try Self.check(header, rules: rules, during: nil)
            guard header.isFinal, header.payloadLength <= bytes.count - length else { return (.begun(header), length) }
            let end = length + header.payloadLength
            payload.clear(minimumCapacity: header.payloadLength)
            let masked = UnsafeRawBufferPointer(rebasing: bytes[length..<end])
            let isASCII = payload.writeXORed(masked, with: header.mask ?? WebSocketMask(0), offset: 0)
            return (.whole(header, isASCII: isASCII), end)
        }
        input.moveReaderIndex(forwardBy: length)
        return start
    }

    /// What a complete frame means if no message is half received.
    private mutating func event(
        _ header: WebSocketFrameHeader,
        payload: inout ByteBuffer,
        isASCII: Bool
    ) throws(WebSocketError) -> Event {
        if header.isCompressed { return .compressed(isText: header.opcode == .text) }
        switch header.opcode {
        case .text:
            guard isASCII || payload.isValidUTF8 else { throw .invalidUTF8 }
            return .text
        case .binary, .continuation:
            return .binary
        case .ping:
            return .ping
        case .pong:
            return .pong
        case .close:
            let event = try Self.closeEvent(&payload)
            self.state = .closed
            return event
        }
    }

    /// The slow way.
    ///
    /// It continues with an incomplete frame until an event is complete or the input is empty.
    private static func resume(
        _ reception: Reception,
        input: inout ByteBuffer,
        payload: inout ByteBuffer,
        rules: WebSocketRules
    ) throws(WebSocketError) -> Event? {
        while true {
            guard let frame = reception.frame else {
                guard let header = try Self.readHeader(reception, input: &input, rules: rules) else { return nil }
                try Self.check(header, rules: rules, during: reception)
                reception.frame = header
                continue
            }
            let count = min(frame.payloadLength - reception.received, input.readableBytes)
            if frame.opcode.isControl {
                Self.append(frame, from: &input, count: count, offset: reception.received, to: &reception.control)
            } else {
                try Self.appendData(frame, from: &input, count: count, to: reception)
            }
            reception.received += count
            guard reception.received == frame.payloadLength else { return nil }
            reception.frame = nil
            reception.received = 0
            if let event = try Self.finish(frame, reception, payload: &payload) { return event }
        }
    }

    private static func readHeader(
        _ reception: Reception,
        input: inout ByteBuffer,
        rules: WebSocketRules
    ) throws(WebSocketError) -> WebSocketFrameHeader? {
        let allowsCompression = rules.allowsCompression
        if reception.header.readableBytes == 0,
            let header = try input.readWebSocketFrameHeader(allowsCompression: allowsCompression)
        {
            return header
        }
        while let byte = input.readInteger(as: UInt8.self) {
            reception.header.writeInteger(byte)
            if let header = try reception.header.readWebSocketFrameHeader(allowsCompression: allowsCompression) {
                reception.header.clear()
                return header
            }
        }
        return nil
    }

    private static func check(
        _ header: WebSocketFrameHeader,
        rules: WebSocketRules,
        during reception: Reception?
    ) throws(WebSocketError) {
        guard (header.mask != nil) == rules.framesAreMasked else {
            throw rules.framesAreMasked ? .maskMissing : .maskPresent
        }
        guard !header.opcode.isControl else { return }
        let isContinuation = header.opcode == .continuation
        guard let reception, reception.isInMessage else {
            guard !isContinuation else { throw .unexpectedContinuation }
            guard header.payloadLength <= rules.maximumBytes(isCompressed: header.isCompressed) else {
                throw .messageTooBig
            }
            return
        }
        guard isContinuation else { throw .continuationMissing }
        let maximum = rules.maximumBytes(isCompressed: reception.isCompressed)
        guard header.payloadLength <= maximum - reception.message.readableBytes else { throw .messageTooBig }
        guard reception.fragments < rules.maximumFragments else { throw .tooManyFragments }
    }

    private static func appendData(
        _ frame: WebSocketFrameHeader,
        from input: inout ByteBuffer,
        count: Int,
        to reception: Reception
    ) throws(WebSocketError) {
        if !reception.isInMessage {
            reception.isInMessage = true
            reception.isText = frame.opcode == .text
            reception.isCompressed = frame.isCompressed
        }
        let start = reception.message.writerIndex
        let isASCII = Self.append(frame, from: &input, count: count, offset: reception.received, to: &reception.message)
        guard reception.isText, !reception.isCompressed, !(isASCII && reception.validator.isComplete) else { return }
        let isValid = reception.message.withUnsafeReadableBytes { bytes in
            reception.validator.consume(UnsafeRawBufferPointer(rebasing: bytes[start...]))
        }
        guard isValid else { throw .invalidUTF8 }
    }

    private static func finish(
        _ frame: WebSocketFrameHeader,
        _ reception: Reception,
        payload: inout ByteBuffer
    ) throws(WebSocketError) -> Event? {
        switch frame.opcode {
        case .text, .binary, .continuation:
            guard frame.isFinal else {
                reception.fragments += 1
                return nil
            }
            guard !reception.isText || reception.validator.isComplete else { throw .invalidUTF8 }
            payload = reception.message
            reception.message = ByteBuffer()
            reception.isInMessage = false
            reception.fragments = 0
            if reception.isCompressed { return .compressed(isText: reception.isText) }
            return reception.isText ? .text : .binary
        case .ping, .pong, .close:
            payload = reception.control
            reception.control = ByteBuffer()
            switch frame.opcode {
            case .ping: return .ping
            case .close: return try Self.closeEvent(&payload)
            default: return .pong
            }
        }
    }

    @discardableResult
    private static func append(
        _ frame: WebSocketFrameHeader,
        from input: inout ByteBuffer,
        count: Int,
        offset: Int,
        to target: inout ByteBuffer
    ) -> Bool {
        guard let view = input.viewBytes(at: input.readerIndex, length: count) else { return true }
        input.moveReaderIndex(forwardBy: count)
        return target.writeXORed(view, with: frame.mask ?? WebSocketMask(0), offset: offset)
    }

    /// Leaves the reason in the payload.
    private static func closeEvent(_ payload: inout ByteBuffer) throws(WebSocketError) -> Event {
        guard payload.readableBytes > 0 else { return .close(code: nil) }
        guard let rawCode = payload.readInteger(as: UInt16.self) else { throw .invalidClosePayload }
        let code = WebSocketCloseCode(rawValue: rawCode)
        guard code.mayBeSent else { throw .invalidCloseCode }
        guard payload.isValidUTF8 else { throw .invalidUTF8 }
        return .close(code: code)
    }
}
