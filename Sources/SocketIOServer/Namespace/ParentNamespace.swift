import NIOConcurrencyHelpers
import SocketIOWire
import Synchronization

/// The middlewares and handlers of all namespaces that clients ask for by a name which nobody listed, and one way to
/// address the clients of all of them.
///
/// ``SocketServer/of(matching:)`` and ``SocketServer/of(_:)->ParentNamespace`` make one. A child comes into being when
/// the first client connects to it, and has the middlewares and handlers that its parent has by then. A broadcast
/// reaches the children that exist on this node, and through them those of the same names on other nodes.
public final class ParentNamespace: HandlerRegistry, Addressable {
    /// Decides whether a client may connect to a namespace that does not exist yet.
    enum Rule: Sendable {
        case pattern(NamePattern)
        case decision(@Sendable @concurrent (String, JSONValue) async throws -> Bool)
    }

    private struct State {
        var handlers = HandlerSet()
        var children: [UTF8Text: Namespace] = [:]
    }

    /// The parent's own name, which stands for its children in metrics: `/_0`, `/_1` and so on.
    public let name: String
    let rule: Rule
    /// Shared by all children: their names come from clients, and metrics must not have that many dimensions.
    let metrics: NamespaceMetrics
    private let mistakes: RegistrationCheck
    private let state = NIOLockedValueBox(State())

    init(name: String, rule: Rule, context: NamespaceContext) {
        self.name = name
        self.rule = rule
        self.mistakes = context.mistakes
        self.metrics = NamespaceMetrics(namespace: name, factory: context.metricsFactory)
    }

    /// The children that exist on this node, in no order.
    public var children: [Namespace] { self.state.withLockedValue { Array($0.children.values) } }

    /// Adds a middleware or handler for children that are made later.
    public func register(_ registration: HandlerRegistration) {
        self.mistakes.check(registration, of: self.name)
        self.state.withLockedValue { $0.handlers.add(registration) }
    }

    /// Every client of every child.
    public var everybody: BroadcastOperator {
        BroadcastOperator(audience: .children(self), options: BroadcastOptions())
    }

    var handlers: HandlerSet { self.state.withLockedValue { $0.handlers } }

    func adopt(_ child: Namespace) { self.state.withLockedValue { $0.children[child.text] = child } }

    func disown(_ child: Namespace) {
        self.state.withLockedValue { state in
            if state.children[child.text] === child { state.children[child.text] = nil }
        }
    }
}
