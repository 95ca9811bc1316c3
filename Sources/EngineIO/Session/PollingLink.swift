import NIOCore
import SocketIOWire

/// What a session has while it is polling.
final class PollingLink {
    /// From this size on an answer's way to the client counts as progress.
    static let bigAnswer = 65_536
    /// What waits beyond that is for the next poll: neither putting an answer together nor compressing it may keep the loop
    /// from others for long.
    static let longestAnswer = 1_048_576
    /// How many big answers may be on their way at once: a client reads one before it polls again.
    static let mostAnswers = 4

    /// What the client's first request says about how it wants to be answered.
    struct Style {
        /// The JSON-P callback's index, if the session began with one.
        var callback: String?
        /// Whether the client speaks protocol 3.
        var isVersion3 = false
        /// Whether the client takes no raw bytes (which only protocol 3 has in answers).
        var isTextOnly = false
        /// How many packets the client takes at once.
        var maximumPackets = Int.max
    }

    var requests = PollingRequests<HTTPExchange>()
    private let style: Style
    /// The WebSocket that may take over.
    var probe: UpgradeProbe?
    /// A GET that has come, but lets what the WebSocket has brought go first.
    var delayedGet: HTTPExchange?
    /// A POST that has been read, but is not answered yet.
    var finishedPost: HTTPExchange?
    /// What the last GET is answered with if its session has ended, and waits for it.
    var lastPacket: EnginePacketType?
    /// The packets of that POST that have not been delivered yet.
    var rest: (any PayloadReader)?
    var isDelivering = false
    /// Whether more of them will be delivered when the loop has served its other connections.
    var isTurnDue = false
    /// The last big answers to GETs.
    private var answers: [HTTPExchange] = []
    private var receivedBytes = 0

    init(_ style: Style) { self.style = style }

    /// Whether a packet's text is what the client gets of it.
    var isPlain: Bool { !self.style.isVersion3 && self.style.callback == nil }

    /// The JSON-P callback's index.
    var callback: String? { self.style.callback }

    func answerFinishedPost() {
        guard self.lastPacket == nil, let post = self.finishedPost else { return }
        self.finishedPost = nil
        post.answer(.ok)
    }

    /// Whether a POST grew, or a big answer is still on its way, since the last question.
    func hasProgressed() -> Bool {
        if self.hasAnswersUnderWay { return true }
        let received = self.requests.post?.receivedBytes ?? 0
        defer { self.receivedBytes = received }
        return received > 0 && received != self.receivedBytes
    }

    // MARK: Answers

    /// Remembers a big answer that is about to be sent.
    ///
    /// - Returns: Whether the client reads its answers.
    func begin(_ answer: HTTPExchange) -> Bool {
        _ = self.hasAnswersUnderWay
        guard self.answers.count < Self.mostAnswers else { return false }
        // Said here, because the connection may be on another loop and get to it later.
        answer.isBeingSent = true
        self.answers.append(answer)
        return true
    }

    /// Whether a big answer has not left yet.
    var hasAnswersUnderWay: Bool {
        self.answers.removeAll { !$0.isBeingSent }
        return !self.answers.isEmpty
    }

    /// An answer of packets without data.
    func answer(_ packets: [EnginePacketType]) -> PollingAnswer {
        var body = ByteBuffer()
        for packet in packets {
            if self.style.isVersion3 {
                body.writeStaticString("1:")
                body.writeInteger(packet.rawValue)
            } else {
                body.writePollingPacket(EnginePacket(packet))
            }
        }
        return PollingAnswer(body: body, callback: self.style.callback)
    }

    /// An answer of what waits, as much as the client takes at once.
    func answer(from outbox: inout Outbox) -> PollingAnswer {
        let packets = outbox.removePackets(maximumParts: self.style.maximumPackets, maximumBytes: Self.longestAnswer)
        var answer = PollingAnswer(
            body: ByteBufferAllocator().buffer(capacity: packets.reduce(0) { $0 + $1.pollingLength }),
            callback: self.style.callback
        )
        if self.style.isVersion3 {
            let isTextOnly = self.style.isTextOnly || self.style.callback != nil
            answer.isBinary = answer.body.writeVersion3Payload(packets, isTextOnly: isTextOnly)
        } else {
            for packet in packets { answer.body.writePollingPacket(packet) }
        }
        answer.isCompressible = packets.contains { $0.isCompressible }
        return answer
    }
}

/// What a poll brings its client.
struct PollingAnswer: Sendable {
    var body: ByteBuffer
    /// Whether the body is protocol 3's binary form.
    var isBinary = false
    /// The JSON-P function that is called with the body.
    var callback: String?
    var cookie: String?
    /// Whether the body may be compressed.
    var isCompressible = false
    /// How the body is compressed.
    var encoding: ContentEncoding?

    init(body: ByteBuffer, callback: String?) {
        self.body = body
        self.callback = callback
    }
}
