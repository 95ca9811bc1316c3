import SocketIOWire

/// What a probing WebSocket may send before it takes a polling session over (protocol 4, "Upgrade").
struct UpgradeState: Equatable {
    /// What to do with a message of the probe.
    enum Action: Equatable {
        /// Answer `3probe` and keep the client's polls short, so that it can pause them.
        case answerProbe
        /// From now on the WebSocket is the session's transport.
        case switchTransport
        /// Close the probe. The session goes on polling.
        case fail
        /// Do nothing, because the probe is over.
        case ignore
    }

    private enum State: Equatable {
        /// The client has asked so many times whether the WebSocket works.
        case waiting(probes: UInt8)
        case ended
    }

    /// How often a client may ask.
    ///
    /// A real client asks once.
    private static let maximumProbes: UInt8 = 16

    private var state = State.waiting(probes: 0)

    /// A message has arrived on the probe.
    ///
    /// It is `nil` if it was no packet, or binary.
    mutating func received(_ packet: EnginePacket?) -> Action {
        switch self.state {
        case .waiting(let probes):
            if let packet, packet.isProbe, probes < Self.maximumProbes {
                self.state = .waiting(probes: probes + 1)
                return .answerProbe
            }
            self.state = .ended
            // The reference implementation accepts `5` even without a probe before it.
            return packet?.type == .upgrade && packet?.isBinary == false ? .switchTransport : .fail
        case .ended:
            return .ignore
        }
    }

    /// The probe's connection has closed, its time is up, or its session has ended.
    ///
    /// - Returns: Whether it was still going on.
    mutating func end() -> Bool {
        defer { self.state = .ended }
        switch self.state {
        case .waiting: return true
        case .ended: return false
        }
    }
}
