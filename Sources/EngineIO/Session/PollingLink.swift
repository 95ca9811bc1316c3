/// What a session has while it is polling.
final class PollingLink {
    /// From this size on an answer's way to the client counts as progress.
    static let bigAnswer = 65_536

    var requests = PollingRequests<HTTPExchange>()
    /// The JSON-P callback's index, if the session began with one.
    let callback: String?
    /// The WebSocket that may take over.
    var probe: UpgradeProbe?
    /// A POST that has been read, but is not answered yet.
    var finishedPost: HTTPExchange?
    /// The last big answer to a GET.
    var lastAnswer: HTTPExchange?
    private var receivedBytes = 0

    init(callback: String?) { self.callback = callback }

    func answerFinishedPost() {
        guard let post = self.finishedPost else { return }
        self.finishedPost = nil
        post.answer(.ok)
    }

    /// Whether a POST grew, or a big answer is still on its way, since the last question.
    func hasProgressed() -> Bool {
        if let answer = self.lastAnswer, answer.isBeingSent { return true }
        self.lastAnswer = nil
        let received = self.requests.post?.receivedBytes ?? 0
        defer { self.receivedBytes = received }
        return received > 0 && received != self.receivedBytes
    }
}
