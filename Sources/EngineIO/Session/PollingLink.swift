import NIOCore
import SocketIOWire

/// The state of a session while it is polling.
final class PollingLink {
    /// From this size on, an answer that is still being sent counts as progress.
    static let bigAnswer = 65_536
    /// The most bytes of one answer.
    ///
    /// The rest waits for the next poll, because to build and compress an answer must not keep the loop from others for
    /// long.
    static let longestAnswer = 1_048_576
    /// How many big answers may be on their way at once.
    ///
    /// A client reads one before it polls again.
    static let mostAnswers = 4

    /// How the client wants its answers, as its first request says.
    struct Style {
        /// The JSON-P callback's index, if the session began with one.
        var callback: String?
        /// Whether the client speaks protocol 3.
        var isVersion3 = false
        /// Whether the client takes no raw bytes.
        ///
        /// Only protocol 3 has them in answers.
        var isTextOnly = false
        /// How many packets the client takes at once.
        var maximumPackets = Int.max
    }

    var requests = PollingRequests<HTTPExchange>()
    private let style: Style
    /// The WebSocket that may take over.
    var probe: UpgradeProbe?
    /// A GET that has come but waits until the WebSocket's bytes have been handled.
    var delayedGet: HTTPExchange?
    /// A POST that has been read but not answered yet.
    var finishedPost: HTTPExchange?
    /// The answer to the last GET, if the session has ended and waits for that GET.
    var lastPacket: EnginePacketType?
    /// The packets of that POST that have not been delivered yet.
    var rest: (any PayloadReader)?
    var isDelivering = false
    /// Whether the next of them are delivered when the loop has served its other connections.
    var isTurnDue = false
    /// The last big answers to GETs.
    private var answers: [HTTPExchange] = []
    private var receivedBytes = 0

    init(_ style: Style) { self.style = style }

    /// Whether the client gets the text of a packet unchanged.
    var isPlain: Bool { !self.style.isVersion3 && self.style.callback == nil }

    /// The JSON-P callback's index.
    var callback: String? { self.style.callback }

    func answerFinishedPost() {
        guard self.lastPacket == nil, let post = self.finishedPost else { return }
        self.finishedPost = nil
        post.answer(.ok)
    }

    /// Whether a POST has grown since the last call, or a big answer is still on its way.
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
        // This is noted here, because the connection may be on another loop and do it later.
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

    /// An answer with as many waiting packets as the client takes at once.
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

/// The answer to a poll.
struct PollingAnswer: Sendable {
    var body: ByteBuffer
    /// Whether the body has the binary form of protocol 3.
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
