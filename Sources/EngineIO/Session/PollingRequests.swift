/// The requests that a polling session holds: at most one GET and one POST (protocol 4, "HTTP long-polling").
struct PollingRequests<Request: AnyObject> {
    enum GetAction {
        /// The GET waits until there is something to send.
        case hold
        /// There is one already, so the session is over.
        case overlap
    }

    enum PostAction {
        /// Its body is read.
        case read
        /// There is one already, so the session is over.
        case overlap
        /// The session's protocol has no such bodies, so the session is over.
        case invalidContent
    }

    enum AbortAction: Equatable {
        case pollAborted
        case dataAborted
        case none
    }

    private(set) var get: Request?
    private(set) var post: Request?

    mutating func getArrived(_ request: Request) -> GetAction {
        guard self.get == nil else { return .overlap }
        self.get = request
        return .hold
    }

    mutating func postArrived(_ request: Request, isContentAllowed: Bool) -> PostAction {
        guard self.post == nil else { return .overlap }
        guard isContentAllowed else { return .invalidContent }
        self.post = request
        return .read
    }

    /// A POST is complete, or was refused because of its size.
    ///
    /// - Returns: Whether the session was waiting for it.
    mutating func postEnded(_ request: Request) -> Bool {
        guard self.post === request else { return false }
        self.post = nil
        return true
    }

    /// A request's connection closed before its answer.
    mutating func aborted(_ request: Request) -> AbortAction {
        if self.get === request {
            self.get = nil
            return .pollAborted
        }
        if self.post === request {
            self.post = nil
            return .dataAborted
        }
        return .none
    }

    /// The waiting GET, which is to be answered now.
    mutating func takeGet() -> Request? {
        defer { self.get = nil }
        return self.get
    }

    /// The POST whose body is still arriving.
    mutating func takePost() -> Request? {
        defer { self.post = nil }
        return self.post
    }
}
