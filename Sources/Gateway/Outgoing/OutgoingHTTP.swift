public import NIOCore

/// Sends HTTP requests to servers that the configuration names: key sets, directories of users, webhooks.
///
/// `OutgoingHTTPClient` of the module `GatewayHTTPClient` is one; an application may bring its own.
///
/// Whoever conforms bounds what a server can do: the time of the whole exchange, the length of the answer, and the
/// addresses that a name may lead to.
public protocol OutgoingHTTP: Sendable {
    /// Sends a request, and returns the answer with its whole body, whatever its status is.
    ///
    /// - Throws: ``OutgoingError`` if there is no such answer.
    func send(_ request: OutgoingRequest) async throws -> OutgoingResponse
}

/// A request to another server, and what its answer may cost.
public struct OutgoingRequest: Sendable, Hashable {
    /// The methods.
    public enum Method: String, Sendable, Hashable {
        /// Reads something.
        case get = "GET"
        /// Tells or asks something.
        case post = "POST"
    }

    /// A field of the head.
    public struct Header: Sendable, Hashable {
        /// The name; capitals do not matter.
        public var name: String
        /// The value.
        public var value: String

        /// Makes a field.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What to do.
    public var method: Method
    /// Where.
    public var url: OutgoingURL
    /// The fields of the head, besides those that the transfer needs.
    public var headers: [Header]
    /// The body; `nil` for none.
    public var body: ByteBuffer?
    /// How long everything may take: finding the address, connecting, sending, and reading the whole answer.
    public var timeout: TimeAmount
    /// The longest body of an answer that is read.
    public var maximumAnswerBytes: Int
    /// How many redirects are followed, each to an address that is checked.
    ///
    /// With 0 an answer that redirects is returned like any other. Only requests with the method `GET` follow redirects,
    /// and never one from `https` to `http`. Another origin gets no `Authorization` and no `Cookie`.
    public var maximumRedirects = 0

    /// Makes a request.
    public init(
        _ method: Method,
        _ url: OutgoingURL,
        headers: [Header] = [],
        body: ByteBuffer? = nil,
        timeout: TimeAmount = .seconds(5),
        maximumAnswerBytes: Int = 1_048_576
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.maximumAnswerBytes = maximumAnswerBytes
    }
}

/// What another server has answered.
public struct OutgoingResponse: Sendable, Hashable {
    /// The status, such as 200.
    public var status: Int
    /// The fields of the head, in their order.
    public var headers: [OutgoingRequest.Header]
    /// The whole body.
    public var body: ByteBuffer

    /// Makes an answer.
    public init(status: Int, headers: [OutgoingRequest.Header] = [], body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Whether the status says that all is well.
    public var isSuccess: Bool { (200..<300).contains(self.status) }

    /// The value of the first field of that name; capitals do not matter.
    public func header(_ name: String) -> String? {
        self.headers.first { $0.isNamed(name) }?.value
    }
}

extension OutgoingRequest.Header {
    /// Whether this is the field of that name; capitals do not matter.
    package func isNamed(_ name: String) -> Bool {
        self.name.utf8.elementsEqual(name.utf8) { Self.small($0) == Self.small($1) }
    }

    private static func small(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
