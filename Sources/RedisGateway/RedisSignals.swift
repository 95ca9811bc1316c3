import Gateway
import Incidents
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer

/// Signals over channels of a Redis.
///
/// Each topic has a channel, so a script can send the signal of a change in the step that makes the change.
final class RedisSignals: ClusterSignals {
    private let client: RESPClient
    private let prefix: String
    private let incidents: IncidentLog

    init(client: RESPClient, prefix: String, incidents: IncidentLog) {
        self.client = client
        self.prefix = prefix
        self.incidents = incidents
    }

    /// The channel of a topic: `socket.io-gateway#state`.
    static func channel(of topic: SignalTopic, prefix: String) -> String { "\(prefix)#\(topic.name)" }

    func send(_ topic: SignalTopic, _ message: ByteBuffer) async throws {
        do {
            let channel = Self.channel(of: topic, prefix: self.prefix)
            _ = try await self.client.send("PUBLISH", .string(channel), .bytes(message))
        } catch {
            throw ClusterError(unreachable: error, attempted: "tell the other nodes of \(topic)")
        }
    }

    func receive(_ topic: SignalTopic, _ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription {
        let channel = Self.channel(of: topic, prefix: self.prefix)
        // The subscription, the gaps and the confirmation all come on the client's loop, so calls never overlap.
        let gaps = self.client.onGap { gap in
            if gap.isOver { handler(.gap) }
        }
        let subscription = self.client.addSubscription(channels: [channel]) { message in
            handler(.message(message.payload))
        }
        let incidents = self.incidents
        subscription.confirmation.whenComplete { result in
            switch result {
            case .success: handler(.gap)
            case .failure(let error as RESPError) where error.code == .server:
                incidents.record(
                    "Redis does not let this node hear what other nodes say",
                    reason: channel,
                    pace: .failures,
                    details: ["error": "\(error)"]
                )
            // The client subscribes when it has connected again, and tells of the gap.
            case .failure: break
            }
        }
        return SignalSubscription {
            gaps.cancel()
            await subscription.cancel()
        }
    }
}

extension ClusterError {
    /// Redis did not do what was attempted, or it is not known whether it did.
    init(unreachable error: any Error, attempted what: String) {
        self.init(code: .unreachable, message: "Could not \(what): \(error)")
    }
}
