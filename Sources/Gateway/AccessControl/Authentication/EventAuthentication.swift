/// The state of a client that authenticates with an event after it has connected.
///
/// Every client starts as `unauthorized`. Its time begins with the connection, whatever the client does meanwhile.
struct EventAuthentication: Sendable, Hashable {
    enum State: String, Sendable, Hashable {
        case unauthorized
        case authenticating
        case authenticated
        case ended
    }

    /// What a refused client is told.
    enum Refusal: Sendable, Hashable {
        case badCredentials
        case failure
        case refused(ConnectionRefusal)
        case refusedByApplication(String)

        var message: String {
            switch self {
            case .badCredentials: "Invalid token to authenticate! Please login again!"
            case .failure: "Failed to authenticate connection! Please login again!"
            case .refused(let refusal): refusal.message
            case .refusedByApplication(let message): message
            }
        }
    }

    private(set) var state = State.unauthorized

    /// The client asks to be let in.
    ///
    /// - Returns: Whether to look at its credentials; `false` if it has asked before.
    mutating func requested() -> Bool {
        switch self.state {
        case .unauthorized:
            self.state = .authenticating
            return true
        case .authenticating, .authenticated, .ended:
            return false
        }
    }

    /// Its credentials are good.
    ///
    /// - Returns: Whether to let it in; `false` if it has left or its time was up.
    mutating func succeeded() -> Bool {
        switch self.state {
        case .authenticating:
            self.state = .authenticated
            return true
        case .unauthorized, .authenticated, .ended:
            return false
        }
    }

    /// Its credentials are not good.
    ///
    /// - Returns: Whether to tell it and disconnect it.
    mutating func failed() -> Bool {
        switch self.state {
        case .authenticating:
            self.state = .ended
            return true
        case .unauthorized, .authenticated, .ended:
            return false
        }
    }

    /// Its time is up.
    ///
    /// - Returns: Whether to disconnect it.
    mutating func timedOut() -> Bool {
        switch self.state {
        case .unauthorized, .authenticating:
            self.state = .ended
            return true
        case .authenticated, .ended:
            return false
        }
    }

    /// The client left.
    mutating func left() {
        self.state = .ended
    }
}
