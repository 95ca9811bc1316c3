import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What one verb sends to sockets.
///
/// It is worked out before anything is sent.
///
/// So callers that only send and callers that want to know the outcome share the same code.
struct Publication: Sendable {
    /// All events for one namespace, in their order.
    struct Part: Sendable {
        let namespace: Namespace
        var operations: [ClusterOperation]
    }

    private(set) var parts: [Part] = []
    /// What histories get of it.
    var records: [HistoryRecord] = []

    /// Nobody is addressed.
    static let nobody = Publication()

    var isEmpty: Bool { self.parts.isEmpty }

    init() {}

    /// One event for those sockets.
    init(_ event: String, _ argument: JSONValue, to target: BroadcastOperator, in namespace: Namespace) {
        self.emit(event, argument, to: target, in: namespace)
    }

    mutating func emit(_ event: String, _ argument: JSONValue, to target: BroadcastOperator, in namespace: Namespace) {
        self.add(.emit([.string(event), argument]), target, namespace)
    }

    mutating func add(_ action: ClusterOperation.Action, _ target: BroadcastOperator, _ namespace: Namespace) {
        let operation = ClusterOperation(action, options: target.options)
        if let last = self.parts.last, last.namespace === namespace {
            self.parts[self.parts.count - 1].operations.append(operation)
        } else {
            self.parts.append(Part(namespace: namespace, operations: [operation]))
        }
    }

    /// Changes the operations for a namespace.
    mutating func changeOperations(in namespace: Namespace, _ change: (inout ClusterOperation) -> Void) {
        for part in self.parts.indices where self.parts[part].namespace === namespace {
            for index in self.parts[part].operations.indices { change(&self.parts[part].operations[index]) }
        }
    }

    /// Adds what another one sends.
    mutating func append(_ other: Publication) {
        for part in other.parts {
            if let last = self.parts.last, last.namespace === part.namespace {
                self.parts[self.parts.count - 1].operations += part.operations
            } else {
                self.parts.append(part)
            }
        }
    }

    /// Sends it, without an answer.
    func send() {
        for part in self.parts { part.namespace.tell(part.operations) }
    }
}
