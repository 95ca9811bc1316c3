import NIOConcurrencyHelpers

/// Counts connections and sessions, in all and for each address, and refuses them when there are too many.
///
/// It has one lock, which is taken when a connection or a session begins and ends. Without limits it is never taken.
final class Admission: Sendable {
    private struct Counts {
        var connections = 0
        /// How many connections have not sent a complete request yet.
        var halfOpen = 0
        var sessions = 0

        var isEmpty: Bool { self.connections == 0 && self.sessions == 0 }
    }

    private struct State {
        var all = Counts()
        /// How many connections are being told that there is no room.
        var turnedAway = 0
        var groups: [AddressGroup: Counts] = [:]
    }

    private let limits: EngineLimits
    private let proxies: NIOLockedValueBox<TrustedProxies>
    let isLimited: Bool
    private let refusesSessions: (@Sendable () -> Bool)?
    private let state = NIOLockedValueBox(State())

    init(_ configuration: EngineConfiguration) {
        let limits = configuration.limits
        self.limits = limits
        self.refusesSessions = configuration.refusesSessions
        self.proxies = NIOLockedValueBox(TrustedProxies(configuration.trustedProxies))
        self.isLimited =
            [
                limits.maxConnections, limits.maxConnectionsPerAddress, limits.maxHalfOpenPerAddress,
                limits.maxSessions, limits.maxSessionsPerAddress,
            ].contains { $0 != nil }
    }

    // MARK: Connections

    /// Counts a new connection.
    ///
    /// One from a trusted proxy counts for no address.
    ///
    /// - Parameters:
    ///   - peer: Where it comes from.
    ///   - isFull: Whether the process has no room for another connection, even if the limits allow one.
    /// - Returns: The connection's place, or why there is none.
    func connect(from peer: String?, isFull: Bool = false) -> Result<ConnectionTicket, HandshakeError> {
        if isFull { return .failure(.serverFull("reservedDescriptors")) }
        let group = peer.flatMap { self.group(of: ClientAddress(peer: $0)) }
        let error: HandshakeError? = self.state.withLockedValue { state in
            if let maximum = self.limits.maxConnections, state.all.connections + state.turnedAway >= maximum {
                return .serverFull("maxConnections")
            }
            if let group {
                var counts = state.groups[group] ?? Counts()
                if let maximum = self.limits.maxConnectionsPerAddress, counts.connections >= maximum {
                    return .tooManyConnections("maxConnectionsPerAddress")
                }
                if let maximum = self.limits.maxHalfOpenPerAddress, counts.halfOpen >= maximum {
                    return .tooManyConnections("maxHalfOpenPerAddress")
                }
                counts.connections += 1
                counts.halfOpen += 1
                state.groups[group] = counts
            }
            state.all.connections += 1
            return nil
        }
        return error.map(Result.failure) ?? .success(ConnectionTicket(admission: self, group: group))
    }

    /// Counts a connection that is told that there is no room, which takes a moment.
    ///
    /// Each call needs one of ``wasTurnedAway()``.
    ///
    /// - Returns: Whether there are too many such connections.
    func turnAway() -> Bool {
        self.state.withLockedValue { state in
            state.turnedAway += 1
            return state.turnedAway > self.maxTurnedAway
        }
    }

    /// A connection that was told that there is no room is gone.
    func wasTurnedAway() { self.state.withLockedValue { $0.turnedAway -= 1 } }

    /// How many connections may be told so at the same time.
    ///
    /// For one more, the oldest is closed at once.
    private var maxTurnedAway: Int { min(256, self.limits.maxConnections.map { max(16, $0 / 8) } ?? .max) }

    fileprivate func established(_ group: AddressGroup) {
        self.change(group) { $0.halfOpen -= 1 }
    }

    fileprivate func disconnected(_ group: AddressGroup?, wasHalfOpen: Bool) {
        self.change(group) { counts in
            counts.connections -= 1
            if wasHalfOpen { counts.halfOpen -= 1 }
        }
        self.state.withLockedValue { $0.all.connections -= 1 }
    }

    private func change(_ group: AddressGroup?, _ body: (inout Counts) -> Void) {
        guard let group else { return }
        self.state.withLockedValue { state in
            guard var counts = state.groups[group] else { return }
            body(&counts)
            state.groups[group] = counts.isEmpty ? nil : counts
        }
    }

    // MARK: Sessions

    /// Counts a new session, or returns why it is refused.
    func openSession(_ request: HandshakeRequest) -> HandshakeError? {
        if self.refusesSessions?() == true { return HandshakeError(.unavailable) }
        guard self.isLimited else { return nil }
        let group = self.group(of: request)
        return self.state.withLockedValue { state in
            if let maximum = self.limits.maxSessions, state.all.sessions >= maximum {
                return .serverFull("maxSessions")
            }
            if let group {
                var counts = state.groups[group] ?? Counts()
                if let maximum = self.limits.maxSessionsPerAddress, counts.sessions >= maximum {
                    return .tooManyConnections("maxSessionsPerAddress")
                }
                counts.sessions += 1
                state.groups[group] = counts
            }
            state.all.sessions += 1
            return nil
        }
    }

    /// A counted session is over.
    func closedSession(_ request: HandshakeRequest) {
        guard self.isLimited else { return }
        self.change(self.group(of: request)) { $0.sessions -= 1 }
        self.state.withLockedValue { $0.all.sessions -= 1 }
    }

    /// The group of addresses for which the client behind a request counts.
    ///
    /// It is worked out when it is needed, from what the session keeps anyway.
    func group(of request: HandshakeRequest) -> AddressGroup? {
        self.group(of: self.address(of: request))
    }

    private func group(of address: ClientAddress) -> AddressGroup? {
        switch address {
        case .known(let address):
            // If a proxy does not say for whom it asks, the request counts for no address.
            self.proxies.withLockedValue { $0.contains(address) } ? nil : AddressGroup(address)
        case .unreadable: .unreadable
        case .missing: nil
        }
    }

    /// The address of the client behind a request.
    func address(of request: HandshakeRequest) -> ClientAddress {
        self.proxies.withLockedValue { $0 }.client(of: request)
    }

    /// Believes these proxies; see ``EngineServer/trust(_:)``.
    func trust(_ proxies: [AddressRange]) { self.proxies.withLockedValue { $0 = TrustedProxies(proxies) } }

    /// How many addresses are remembered.
    var addressCount: Int { self.state.withLockedValue { $0.groups.count } }
}

/// A connection's place in the count of its address.
///
/// It is given back when nobody holds it any more.
final class ConnectionTicket: Sendable {
    private let admission: Admission
    private let group: AddressGroup?
    private let isHalfOpen = NIOLockedValueBox(true)

    fileprivate init(admission: Admission, group: AddressGroup?) {
        self.admission = admission
        self.group = group
    }

    /// The connection has sent a complete request.
    func establish() {
        let isFirst = self.isHalfOpen.withLockedValue { isHalfOpen in
            defer { isHalfOpen = false }
            return isHalfOpen
        }
        if isFirst, let group = self.group { self.admission.established(group) }
    }

    deinit {
        self.admission.disconnected(self.group, wasHalfOpen: self.isHalfOpen.withLockedValue { $0 })
    }
}
