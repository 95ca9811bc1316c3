import NIOConcurrencyHelpers

/// The namespaces of a server: those that it made, and those that clients asked for.
///
/// Asked when a client connects to a namespace, never by a packet of one that has joined. The sockets of a child are
/// counted, the connecting ones included, so that it can go with the last of them and no client joins one that is going.
final class NamespaceDirectory: Sendable {
    private struct State {
        var namespaces: [String: Namespace] = [:]
        var parents: [ParentNamespace] = []
        /// The sockets of each child.
        var sockets: [String: Int] = [:]
        /// Children that nobody may enter yet, because the application is being told of them.
        var beingMade: Set<String> = []
        /// Children without a socket.
        var empty: Set<String> = []
    }

    private let state = NIOLockedValueBox(State())
    private let maximumChildren: Int
    private let removesEmptyChildren: Bool

    init(maximumChildren: Int, removesEmptyChildren: Bool) {
        self.maximumChildren = maximumChildren
        self.removesEmptyChildren = removesEmptyChildren
    }

    var namespaces: [String: Namespace] { self.state.withLockedValue { $0.namespaces } }

    var parents: [ParentNamespace] { self.state.withLockedValue { $0.parents } }

    func existing(_ name: String) -> Namespace? { self.state.withLockedValue { $0.namespaces[name] } }

    /// Adds a parent; its number is how many there were before.
    func addParent(_ make: (Int) -> ParentNamespace) -> ParentNamespace {
        self.state.withLockedValue { state in
            let parent = make(state.parents.count)
            state.parents.append(parent)
            return parent
        }
    }

    /// Adds a namespace, unless there is one of that name.
    ///
    /// - Parameters:
    ///   - namespace: The namespace.
    ///   - isClosed: Whether nobody may enter it before ``open(_:)``.
    /// - Returns: The one that is in the directory.
    func insert(_ namespace: Namespace, isClosed: Bool = false) -> Namespace {
        self.state.withLockedValue { state in
            if let existing = state.namespaces[namespace.name] { return existing }
            state.namespaces[namespace.name] = namespace
            if isClosed { state.beingMade.insert(namespace.name) }
            if let parent = namespace.parent {
                state.sockets[namespace.name] = 0
                state.empty.insert(namespace.name)
                parent.adopt(namespace)
            }
            return namespace
        }
    }

    /// Lets clients enter a namespace that was inserted closed.
    func open(_ namespace: Namespace) { self.state.withLockedValue { _ = $0.beingMade.remove(namespace.name) } }

    /// A client wants to connect to a namespace: counts its socket if that exists and is open.
    func enter(_ name: String) -> Namespace? {
        self.state.withLockedValue { state in
            guard let namespace = state.namespaces[name], !state.beingMade.contains(name) else { return nil }
            guard namespace.parent != nil else { return namespace }
            state.sockets[name, default: 0] += 1
            state.empty.remove(name)
            return namespace
        }
    }

    /// A socket of a child is no more.
    ///
    /// - Returns: The child, if it goes with it.
    func leave(_ namespace: Namespace) -> Namespace? {
        self.state.withLockedValue { state in
            guard state.namespaces[namespace.name] === namespace, let count = state.sockets[namespace.name] else {
                return nil
            }
            state.sockets[namespace.name] = count - 1
            guard count <= 1 else { return nil }
            state.empty.insert(namespace.name)
            return self.removesEmptyChildren ? self.remove(namespace, &state) : nil
        }
    }

    /// A child has nobody left who might come back.
    ///
    /// - Returns: The child, if it goes.
    func removeIfEmpty(_ namespace: Namespace) -> Namespace? {
        guard self.removesEmptyChildren else { return nil }
        return self.state.withLockedValue { state in
            guard state.namespaces[namespace.name] === namespace, state.empty.contains(namespace.name) else {
                return nil
            }
            return self.remove(namespace, &state)
        }
    }

    /// Makes room for one more child, if need be by removing one without sockets.
    ///
    /// - Returns: Whether there is room, and the child that had to go.
    func makeRoom() -> (Bool, Namespace?) {
        self.state.withLockedValue { state in
            guard state.sockets.count >= self.maximumChildren else { return (true, nil) }
            for name in state.empty where !state.beingMade.contains(name) {
                if let namespace = state.namespaces[name], let removed = self.remove(namespace, &state) {
                    return (true, removed)
                }
            }
            return (false, nil)
        }
    }

    /// Removes a child without sockets, unless somebody may come back to it.
    private func remove(_ namespace: Namespace, _ state: inout State) -> Namespace? {
        if namespace.recovery?.isAwaited ?? false { return nil }
        state.namespaces[namespace.name] = nil
        state.sockets[namespace.name] = nil
        state.empty.remove(namespace.name)
        namespace.parent?.disown(namespace)
        return namespace
    }
}
