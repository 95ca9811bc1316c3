import EngineIO
import Logging
import SocketIOWire

/// Which namespace a client gets into, which of them begin with it, and which end with the last one.
extension NamespaceDirectory {
    /// Whether a client may connect to a namespace.
    enum Admission {
        /// The namespace exists, and counts one more socket until ``NamespaceDirectory/left(_:)``.
        case admitted(Namespace)
        case unknown
        case refused(LimitExceeded)
        /// Another client is making it: to be asked again, see ``NamespaceDirectory/whenMade(_:_:)``.
        case beingMade
        /// A closure has to be asked, or a pattern that another thread uses; then the parents behind it.
        case undecided([ParentNamespace])
    }

    func admit(_ name: String, _ request: HandshakeRequest) -> Admission {
        if let admission = self.enter(name, request) { return admission }
        let parents = self.parents
        guard !parents.isEmpty else { return .unknown }
        let limit = self.context.limits.dynamicNamespaceBytes
        guard name.utf8.count <= limit else {
            return .refused(LimitExceeded(code: .dynamicNamespaceBytes, limit: limit))
        }
        for (index, parent) in parents.enumerated() {
            switch parent.rule {
            case .pattern(let pattern):
                switch pattern.matchesAtOnce(name) {
                case true?: return self.makeChild(name, of: parent, request)
                case false?: continue
                case nil: return .undecided(Array(parents[index...]))
                }
            case .decision: return .undecided(Array(parents[index...]))
            }
        }
        return .unknown
    }

    /// The same, when it may take time to decide.
    func admit(
        _ name: String,
        _ request: HandshakeRequest,
        auth: JSONValue,
        asking parents: [ParentNamespace]
    ) async -> Admission {
        for parent in parents {
            let isChild =
                switch parent.rule {
                case .pattern(let pattern): await pattern.matchesInTurn(name)
                case .decision(let decide): (try? await decide(name, auth)) == true
                }
            if isChild { return self.makeChild(name, of: parent, request) }
        }
        return .unknown
    }

    /// What becomes of a client of a namespace that exists; `nil` if it does not.
    private func enter(_ name: String, _ request: HandshakeRequest) -> Admission? {
        var entry = self.enter(name)
        if case .unheld = entry { entry = self.enter(name, self.client(of: request)) }
        return switch entry {
        case .entered(let namespace): .admitted(namespace)
        case .beingMade: .beingMade
        case .holdsTooMany: self.holdsTooMany
        case .unknown, .unheld: nil
        }
    }

    private func client(of request: HandshakeRequest) -> Client { Client(address: self.addressGroup(request)) }

    private var holdsTooMany: Admission {
        let limit = self.context.limits.dynamicNamespacesPerAddress ?? .max
        return .refused(LimitExceeded(code: .dynamicNamespacesPerAddress, limit: limit))
    }

    /// Makes a namespace for a client.
    ///
    /// Other clients that ask for the same name wait until the application knows of the namespace, because its handlers
    /// may add a middleware that keeps them out. Clients that ask for other names wait for nothing.
    private func makeChild(_ name: String, of parent: ParentNamespace, _ request: HandshakeRequest) -> Admission {
        switch self.reserve(name, for: self.client(of: request)) {
        case .exists: return self.enter(name, request) ?? .unknown
        case .holdsTooMany: return self.holdsTooMany
        case .full:
            let limit = self.context.limits.dynamicNamespaces
            return .refused(LimitExceeded(code: .dynamicNamespaces, limit: limit))
        case .reserved(let evicted):
            if let evicted { self.ended(evicted) }
            let namespace = self.begin(name, parent)
            self.open(namespace)
            return .admitted(namespace)
        }
    }

    // MARK: Beginnings and ends

    /// The namespace of that name, made if it does not exist.
    func namespace(_ name: String) -> Namespace {
        if let namespace = self.existing(name) { return namespace }
        let parent = self.parents.first { parent in
            if case .pattern(let pattern) = parent.rule { pattern.matches(name) } else { false }
        }
        return self.begin(name, parent)
    }

    /// Makes a namespace, unless there is one by now, and tells the handlers of new namespaces.
    private func begin(_ name: String, _ parent: ParentNamespace?) -> Namespace {
        let made = Namespace(name: name, context: self.context, parent: parent) { [weak self] recovery in
            self?.isAwaitedNoLonger(name, recovery)
        }
        let namespace = self.insert(made)
        guard namespace === made else { return namespace }
        if self.phase == .started { self.join(namespace) }
        guard namespace.text != "/" else { return namespace }
        for handler in self.newNamespaceHandlers { handler(namespace) }
        return namespace
    }

    /// Has a namespace that is made late join the cluster as soon as it can, without waiting for that.
    private func join(_ namespace: Namespace) {
        Task {
            do {
                try await namespace.adapter.start()
            } catch {
                namespace.logger.info(
                    "A namespace could not join the cluster",
                    metadata: [
                        "sio.namespace": "\(boundedText(namespace.name))",
                        "error": "\(boundedDescription(of: error))",
                    ]
                )
            }
        }
    }

    /// A socket of a namespace is no more.
    func left(_ namespace: Namespace) {
        guard namespace.parent != nil, let removed = self.leave(namespace) else { return }
        self.ended(removed)
    }

    /// Takes note that no client that was away will come back to that namespace.
    private func isAwaitedNoLonger(_ name: String, _ recovery: NamespaceRecovery) {
        guard let namespace = self.existing(name), namespace.recovery === recovery,
            let removed = self.isAwaitedNoLonger(namespace)
        else { return }
        self.ended(removed)
    }

    /// A namespace is no longer in the directory.
    private func ended(_ namespace: Namespace) {
        // When the server closes, it closes every adapter itself.
        guard self.phase != .closed else { return }
        namespace.recovery?.close()
        // Ends when the adapter has left the cluster.
        Task { await namespace.adapter.close() }
    }
}
