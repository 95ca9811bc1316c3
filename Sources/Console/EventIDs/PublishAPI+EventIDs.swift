import Gateway
import SocketIOWire

/// Requests that are done once, however often they are sent.
extension PublishAPI {
    /// Who remembers an id, in the words of an answer's `eventIdScope`.
    enum EventIDScope: String {
        /// Every node of the cluster.
        case cluster
        /// This node alone: there is no other, or they cannot be reached.
        case node
    }

    /// Does what a request asks for, unless a request with its id has been done.
    ///
    /// This node's own memory is asked first, and then that of the cluster, if there is one. While the cluster's cannot be
    /// asked, the node's decides, and the answer says so.
    func once(
        _ id: String,
        _ request: PublishRequest,
        _ body: () async throws -> VerbResult
    ) async throws -> JSONAnswer {
        let scope = [request.token.id] + request.target.path.map(\.string)
        let answer = try await self.io.once(id, scope: scope) { digest in
            guard let shared = self.eventIDs else {
                let result = try await body()
                return (result.answer.remembered(by: .node), result.hasPublished)
            }
            switch await shared.claim(digest) {
            case .known: return (Self.duplicate.remembered(by: .cluster), true)
            case .underWay: throw APIError.eventUnderWay
            case .unavailable:
                let result = try await body()
                return (result.answer.remembered(by: .node), result.hasPublished)
            case .new:
                let result: VerbResult
                do {
                    result = try await body()
                } catch {
                    await shared.release(digest)
                    throw error
                }
                guard result.hasPublished else {
                    await shared.release(digest)
                    return (result.answer.remembered(by: .cluster), false)
                }
                let isShared = await shared.confirm(digest)
                return (result.answer.remembered(by: isShared ? .cluster : .node), true)
            }
        }
        return answer ?? Self.duplicate.remembered(by: self.eventIDs == nil ? .node : .cluster)
    }

    private static let duplicate = JSONAnswer(value: ["success": true, "duplicate": true])
}

extension JSONAnswer {
    /// The answer, which also says who remembers the request's `eventId`.
    fileprivate func remembered(by scope: PublishAPI.EventIDScope) -> JSONAnswer {
        guard case .object(var object) = self.value else { return self }
        object["eventIdScope"] = .string(scope.rawValue)
        return JSONAnswer(status: self.status, value: .object(object))
    }
}
