import SocketIOWire

/// What a probing WebSocket may say before it takes a polling session over (protocol 4, "Upgrade").
struct UpgradeState: Equatable {
    /// What to do with what the probe sent.
    enum Action: Equatable {
        /// Answer `3probe` and keep the client's polls short, so that it can pause them.
        case answerProbe
        /// The WebSocket is the session's transport from here.
        case switchTransport
        /// Close the probe; the session goes on polling.
        case fail
        /// Nothing: the probe is over.
        case ignore
    }

    private enum State: Equatable {
        /// The client has asked so many times whether the WebSocket works.
        case waiting(probes: UInt8)
        case ended
    }

    /// How often a client may ask; one that means it asks once.
    private static let maximumProbes: UInt8 = 16

    private var state = State.waiting(probes: 0)

    /// A message arrived on the probe: `nil` if it was no packet, or binary.
    mutating func received(_ packet: EnginePacket?) -> Action {
        switch self.state {
        case .waiting(let probes):
            if let packet, packet.isProbe, probes < Self.maximumProbes {
                self.state = .waiting(probes: probes + 1)
                return .answerProbe
            }
            self.state = .ended
            // The reference implementation takes `5` also without a probe before it.
            return packet?.type == .upgrade && packet?.isBinary == false ? .switchTransport : .fail
        case .ended:
            return .ignore
        }
    }

    /// The probe's connection closed, its time was up, or its session ended.
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
