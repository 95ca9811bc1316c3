import Gateway
import Incidents
import Logging
import NIOCore
import NIOHTTP1
import SocketIOServer
import SocketIOWire

/// What the log is told of requests: at info how many were refused, at debug each.
///
/// Of a token it is told the name, and of what is published the event; never a key, and no part of a body else.
extension PublishAPI {
    /// The longest name that a line has, in bytes.
    private static let bytesOfAName = 128

    /// A request, or an operation of a batch, was answered.
    func answered(_ request: PublishRequest, _ answer: JSONAnswer? = nil) {
        self.logger.debug(
            "Answered a publish request",
            metadata: self.describe(
                request.admitted,
                [
                    "status": "\(answer?.status ?? 200)", "outcome": .string(answer?.outcome ?? "answered"),
                    "sio.event": .string(Self.bounded(request.body["event"]?.stringValue ?? "none")),
                ]
            )
        )
    }

    /// A request, or an operation of a batch, was refused.
    ///
    /// - Parameters:
    ///   - error: Why.
    ///   - request: What it was; `nil` if its head was refused.
    ///   - address: Who asked.
    func refused(_ error: APIError, _ request: AdmittedRequest?, from address: SocketAddress?) {
        self.incidents.record(
            "Requests to the publish API were refused",
            reason: error.code,
            details: ["status": "\(error.status.code)", "address": Self.text(of: address)]
        )
        self.logger.debug(
            "Refused a publish request",
            metadata: self.describe(
                request,
                ["status": "\(error.status.code)", "reason": "\(error.code)", "address": Self.text(of: address)]
            )
        )
    }

    /// A request failed by a fault of the node's; its caller is not told which.
    func failed(_ error: any Error) {
        self.incidents.record(
            "Requests to the publish API failed",
            reason: "internal",
            level: .error,
            pace: .failures,
            details: ["error": "\(error)"]
        )
    }

    /// A connection was closed in favour of others, because there are too many.
    func gaveWay() {
        self.incidents.record(
            "Connections to the publish API that asked nothing were closed, because there are too many",
            reason: "connections",
            details: ["limit": "\(self.configuration.maximumConnections)"]
        )
    }

    private func describe(_ request: AdmittedRequest?, _ outcome: Logger.Metadata) -> Logger.Metadata {
        guard let request else { return outcome }
        var metadata: Logger.Metadata = [
            "address": Self.text(of: request.address),
            "sio.token.name": .string(Self.bounded(request.token.name)),
            "sio.route": .string("/" + request.route.pattern.map(\.string).joined(separator: "/")),
        ]
        if !request.values.isEmpty {
            metadata["sio.addressed"] = .string(request.values.map(Self.bounded).joined(separator: ","))
        }
        return metadata.merging(outcome) { _, new in new }
    }

    private static func bounded(_ name: String) -> String { boundedText(name, to: self.bytesOfAName) }

    private static func text(of address: SocketAddress?) -> Logger.MetadataValue {
        .string(address?.ipAddress ?? "unknown")
    }
}

extension JSONAnswer {
    /// What became of the request, in a word.
    fileprivate var outcome: String {
        if let delivery = self.value["delivery"]?.stringValue { return delivery }
        if self.value["duplicate"]?.boolValue == true { return "duplicate" }
        return self.value["success"]?.boolValue == false ? "failed" : "done"
    }
}
