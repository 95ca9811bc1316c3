import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Questions that a node asks all others, and whom they are about.
extension GatewayContext {
    /// Asks the other nodes, and says which of them have not answered.
    ///
    /// - Parameters:
    ///   - event: The server-side event that is the question.
    ///   - question: Its argument.
    ///   - namespace: Where it is asked.
    /// - Returns: The answers, and the nodes that are missing: the name of each one that did not answer in time,
    ///   `unknown` for one without a name, and `cluster` if nobody knows how many there are.
    func askOthers(
        _ event: String,
        _ question: JSONValue,
        in namespace: Namespace
    ) async -> (answers: [JSONValue?], missing: [String]) {
        let (answers, missing) = await self.askNodes(event, question, in: namespace)
        guard let missing else { return (answers, ["cluster"]) }
        return (answers, missing.map { $0.id ?? $0.address ?? "unknown" })
    }

    /// The same, with all that is known of the nodes that are missing; `nil` if nobody knows how many there are.
    func askNodes(
        _ event: String,
        _ question: JSONValue,
        in namespace: Namespace
    ) async -> (answers: [JSONValue?], missing: [ClusterNode]?) {
        do {
            let timeout = self.configuration.clusterTimeout
            return (try await namespace.serverSideEmitWithAck(event, question, timeout: timeout), [])
        } catch let error as ClusterError where error.isPartial {
            let answers = error.partialResponses
            if !error.missing.isEmpty { return (answers, error.missing) }
            guard let nodes = try? await namespace.serverCount() else { return (answers, nil) }
            return (answers, Array(repeating: ClusterNode(), count: max(0, nodes - 1 - answers.count)))
        } catch {
            return ([], nil)
        }
    }
}

extension BroadcastOptions {
    /// `{rooms, except}`.
    var addressing: JSONValue {
        [
            "rooms": .array(self.rooms.map { .string($0.name) }),
            "except": .array(self.except.map { .string($0.name) }),
        ]
    }

    /// Reads `{rooms, except}`; what is missing or something else counts as empty.
    init(addressing value: JSONValue) {
        func rooms(_ name: String) -> [Room] {
            (value[name]?.arrayValue ?? []).compactMap { $0.stringValue.map { Room($0) } }
        }
        self.init(rooms: rooms("rooms"), except: rooms("except"))
    }
}
