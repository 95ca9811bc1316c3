import NIOCore
import SocketIOWire

/// A route of the internal listener.
struct ConsoleRoute: Sendable {
    /// A request for a route.
    struct Request: Sendable {
        var route: ConsoleRoute
        var head: RequestHead
    }

    var method = RequestHead.Method.get
    /// The segments of the path.
    var path: [UTF8Text]
    /// Makes status, type and bytes of the answer, not on an event loop.
    var answer: @Sendable (Request) async -> (status: Int, contentType: String, body: ByteBuffer)

    /// Whether the route takes this method; who may GET an answer may also ask for its HEAD.
    func takes(_ method: RequestHead.Method) -> Bool {
        self.method == method || (self.method == .get && method == .head)
    }
}

extension ConsoleRoute {
    /// `GET /metrics`, in the format that the client asks for.
    static func metrics(_ registry: MetricRegistry) -> Self {
        ConsoleRoute(path: ["metrics"]) { request in
            let format = MetricsText.Format(accept: request.head.accept)
            var bytes = ByteBufferAllocator().buffer(capacity: 16_384)
            MetricsText.write(registry.read(), as: format, into: &bytes)
            return (200, format.contentType, bytes)
        }
    }
}
