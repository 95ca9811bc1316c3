import Gateway
import NIOCore
import SocketIOWire

/// What the audit log is told: who has moved or disconnected clients, or changed what they follow.
extension PublishAPI {
    /// A request was answered.
    func audit(_ request: AdmittedRequest, _ answer: JSONAnswer) {
        let isDone = answer.value["success"]?.boolValue ?? true
        self.audit(request, result: isDone ? "done" : "failed")
    }

    /// A request was refused.
    func audit(_ request: AdmittedRequest, _ error: APIError) { self.audit(request, result: error.code) }

    private func audit(_ request: AdmittedRequest, result: String) {
        guard request.route.isAudited else { return }
        self.io.monitoring.audit(
            AuditRecord(
                actor: request.token.name,
                address: request.address?.ipAddress,
                action: "\(request.route.method.rawValue) /"
                    + request.route.pattern.map(\.string).joined(separator: "/"),
                target: request.values.isEmpty ? nil : request.values.joined(separator: ", "),
                result: result
            )
        )
    }
}

extension PublishRoute {
    /// Whether it is kept who has used the route.
    ///
    /// What is only sent is not: there is too much of it.
    var isAudited: Bool {
        guard self.method != .get, let verb = self.verb.map({ UTF8Text($0) }), !self.members.contains("receipt") else {
            return false
        }
        return !["emit", "raw", "rooms", "monitor"].contains(verb)
    }
}
