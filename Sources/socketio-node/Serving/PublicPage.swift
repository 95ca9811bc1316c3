import EngineIO
import NIOCore

/// What somebody sees who opens the public port in a browser.
struct PublicPage: Sendable {
    let answer: HTTPAnswer

    init(path: String) {
        self.answer = .text(
            """
            This is a Socket.IO server. It works: connect to it with a Socket.IO client, not with a browser's address bar.

            Clients connect to the path \(path)/
            Documentation: https://socket.io/docs/v4/client-api/

            """
        )
    }

    /// The page at `/`; `nil` for any other target.
    func answer(method: String, target: String) -> HTTPAnswer? {
        guard target.utf8.prefix(while: { $0 != UInt8(ascii: "?") }).elementsEqual("/".utf8) else { return nil }
        guard method == "GET" || method == "HEAD" else {
            return HTTPAnswer(status: 405, headers: [HTTPField("Allow", "GET, HEAD")])
        }
        return self.answer
    }
}
