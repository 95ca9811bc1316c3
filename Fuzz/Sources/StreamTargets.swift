import NIOCore
import RESP
import SocketIOWire

@testable import EngineIO

/// The bytes of a WebSocket connection: however they are cut, the same events come of them.
let webSocketTarget = Target(name: "websocket") { input in
    var input = input
    var rules = WebSocketRules()
    let choice = input.takeChoice()
    rules.framesAreMasked = choice & 1 == 0
    if choice & 2 != 0 { rules.maximumMessageBytes = 100 }
    if choice & 4 != 0 { rules.maximumFragments = 3 }
    rules.allowsCompression = choice & 8 != 0
    let cut = input.takeChoice()
    let pieces = input.pieces(cut)
    measured(input.readableBytes) { _ = read([input], rules) { _, _ in } }
    measured(input.readableBytes) { _ = read(pieces, rules) { _, _ in } }
    let whole = events([input], rules)
    let cutUp = events(pieces, rules)
    require(whole == cutUp, "in one piece: \(whole), in pieces: \(cutUp)")
}

private struct Events: Equatable {
    var events: [WebSocketDecoder.Event] = []
    var payloads: [ByteBuffer] = []
    var error: WebSocketError?
}

private func events(_ pieces: [ByteBuffer], _ rules: WebSocketRules) -> Events {
    var result = Events()
    result.error = read(pieces, rules) { event, payload in
        result.events.append(event)
        switch event {
        case .close: return
        case .text: require(payload.isValidUTF8, "text that is no UTF-8")
        case .binary, .compressed, .ping, .pong: break
        }
        // Copied, as the next event overwrites the buffer.
        result.payloads.append(ByteBuffer(bytes: payload.readableBytesView))
    }
    return result
}

private func read(
    _ pieces: [ByteBuffer],
    _ rules: WebSocketRules,
    _ body: (WebSocketDecoder.Event, ByteBuffer) -> Void
) -> WebSocketError? {
    var decoder = WebSocketDecoder()
    var payload = ByteBuffer()
    for piece in pieces {
        var piece = piece
        do throws(WebSocketError) {
            while let event = try decoder.next(from: &piece, payload: &payload, rules: rules) { body(event, payload) }
        } catch {
            return error
        }
        require(piece.readableBytes == 0, "bytes were left where they are")
    }
    return nil
}

/// A compressed message: it comes to its end or to the limit; what comes out is compressed and comes out again.
let inflateTarget = Target(name: "inflate") { input in
    var input = input
    let limit = [100, 5_000, 20_000, 65_536][Int(input.takeChoice() & 3)]
    guard let inflater = Inflater(), let deflater = Deflater(.raw(windowBits: 15), level: 6) else {
        fatalError("no stream")
    }
    // What the message becomes has a limit; its buffer doubles. And zlib's window.
    let result = measured(input.readableBytes, besides: 4 * limit + 40_000) {
        Result { try inflater.inflate(input, limit: limit) }
    }
    guard let message = try? result.get() else { return }
    require(message.readableBytes <= limit, "\(message.readableBytes) bytes where \(limit) are allowed")
    let copy = ByteBuffer(bytes: message.readableBytesView)
    var compressed = ByteBuffer()
    require(deflater.writeMessage(copy, into: &compressed), "cannot be compressed")
    require((try? inflater.inflate(compressed, limit: limit)) == copy, "another message comes back")
}

/// The bytes that Redis sends: however they are cut, the same values come of them.
let respTarget = Target(name: "resp") { input in
    var input = input
    let cut = input.takeChoice()
    let pieces = input.pieces(cut)
    measured(input.readableBytes, bytesForEach: Memory.values) { _ = read([input]) { _ in } }
    measured(input.readableBytes, bytesForEach: Memory.values) { _ = read(pieces) { _ in } }
    let whole = replies([input])
    let cutUp = replies(pieces)
    require(whole == cutUp, "in one piece: \(whole), in pieces: \(cutUp)")
}

private struct Replies: Equatable {
    var values: [String] = []
    var error: String?
}

private func replies(_ pieces: [ByteBuffer]) -> Replies {
    var values: [String] = []
    // Not the numbers themselves are compared, but what is seen of them: NaN is no number's equal.
    let error = read(pieces) { values.append("\($0)") }
    return Replies(values: values, error: error)
}

private func read(_ pieces: [ByteBuffer], _ body: (RESPValue) -> Void) -> String? {
    var limits = RESPLimits()
    limits.maximumStringLength = 1000
    limits.maximumLineLength = 200
    limits.maximumElements = 300
    limits.maximumReplyLength = 5000
    var parser = RESPParser(limits: limits)
    for piece in pieces {
        parser.append(piece)
        do throws(RESPError) {
            while let value = try parser.next() { body(value) }
        } catch {
            return error.message
        }
    }
    return nil
}
