import EngineIO
import NIOConcurrencyHelpers
import SocketIOWire

/// The namespaces of a server: those that it made, and those that clients asked for.
///
/// It is asked when a client connects to a namespace, and never for a packet of a client that has joined. It counts the
/// sockets of each child, including those that are connecting. So a child can go with its last socket, and no client
/// joins a child that is going.
///
/// If a client comes to a child without sockets, the client's address holds the child until it has no socket again. So
/// one address can't take all places from the others. No code of the application runs with the lock held.
final class NamespaceDirectory: Sendable {
    /// A client for which a namespace may have to be made.
    struct Client: Sendable {
        /// The group of addresses that it counts for; `nil` if that is unknown, as behind a proxy that does not tell.
        let address: AddressGroup?
    }

    private struct Child {
        var sockets = 0
        /// The addresses that hold it, while it has sockets.
        var holder: AddressGroup?
    }

    /// How far the server's life is.
    enum Phase { case made, started, closed }

    private struct State {
        var phase = Phase.made
        var newNamespaceHandlers: [@Sendable (Namespace) -> Void] = []
        var namespaces: [UTF8Text: Namespace] = [:]
        var parents: [ParentNamespace] = []
        var children: [UTF8Text: Child] = [:]
        /// Children that other clients may not enter yet, because the application is being told of them, and the
        /// closures that wait for that.
        var beingMade: [UTF8Text: [@Sendable () -> Void]] = [:]
        /// Children without a socket to which no client can come back, the longest idle first.
        var idle = ArrivalQueue<UTF8Text>()
        /// Children without a socket to which clients that are away may come back, the longest empty first.
        var awaited = ArrivalQueue<UTF8Text>()
        /// How many children each address holds.
        var held: [AddressGroup: Int] = [:]

        mutating func hold(_ name: UTF8Text, by address: AddressGroup?) {
            self.idle.remove(name)
            self.awaited.remove(name)
            self.children[name] = Child(sockets: 1, holder: address)
            if let address { self.held[address, default: 0] += 1 }
        }

        mutating func release(_ child: Child) {
            guard let address = child.holder, let count = self.held[address] else { return }
            self.held[address] = count > 1 ? count - 1 : nil
        }

        mutating func remove(_ namespace: Namespace) {
            self.namespaces[namespace.text] = nil
            self.idle.remove(namespace.text)
            self.awaited.remove(namespace.text)
            if let child = self.children.removeValue(forKey: namespace.text) { self.release(child) }
            namespace.parent?.disown(namespace)
        }
    }

    private let state = NIOLockedValueBox(State())
    let context: NamespaceContext
    /// What the address that a client comes from is counted as.
    let addressGroup: @Sendable (HandshakeRequest) -> AddressGroup?
    private let maximumHeld: Int
    private let removesEmptyChildren: Bool

    /// A directory without a namespace.
    ///
    /// - Parameters:
    ///   - context: What its namespaces need of the server.
    ///   - removesEmptyChildren: Whether a child goes with its last client.
    ///   - addressGroup: What the address that a client comes from is counted as.
    init(
        context: NamespaceContext,
        removesEmptyChildren: Bool,
        addressGroup: @escaping @Sendable (HandshakeRequest) -> AddressGroup?
    ) {
        self.context = context
        self.addressGroup = addressGroup
        self.maximumHeld = context.limits.dynamicNamespacesPerAddress ?? .max
        self.removesEmptyChildren = removesEmptyChildren
    }

    // MARK: The server's life

    var phase: Phase { self.state.withLockedValue { $0.phase } }

    /// The server starts, or closes.
    ///
    /// - Returns: The namespaces there are then; `nil` if it has been there before.
    func enters(_ phase: Phase) -> [Namespace]? {
        self.state.withLockedValue { state in
            switch (state.phase, phase) {
            case (.made, .started), (.made, .closed), (.started, .closed):
                state.phase = phase
                return Array(state.namespaces.values)
            case (_, .made), (.started, .started), (.closed, .started), (.closed, .closed):
                return nil
            }
        }
    }

    func onNewNamespace(_ handler: @escaping @Sendable (Namespace) -> Void) {
        self.state.withLockedValue { $0.newNamespaceHandlers.append(handler) }
    }

    /// The handlers for new namespaces.
    var newNamespaceHandlers: [@Sendable (Namespace) -> Void] {
        self.state.withLockedValue { $0.newNamespaceHandlers }
    }

    // MARK: What there is

    var namespaces: [UTF8Text: Namespace] { self.state.withLockedValue { $0.namespaces } }

    var parents: [ParentNamespace] { self.state.withLockedValue { $0.parents } }

    func existing(_ name: String) -> Namespace? {
        self.state.withLockedValue { $0.namespaces[UTF8Text(name)] }
    }

    /// How many children addresses hold; for tests.
    var heldCount: Int { self.state.withLockedValue { $0.held.values.reduce(0, +) } }

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
    /// - Returns: The one that is in the directory.
    func insert(_ namespace: Namespace) -> Namespace {
        self.state.withLockedValue { state in
            if let existing = state.namespaces[namespace.text] { return existing }
            state.namespaces[namespace.text] = namespace
            if let parent = namespace.parent {
                if state.children[namespace.text] == nil {
                    state.children[namespace.text] = Child()
                    state.idle.append(namespace.text)
                }
                parent.adopt(namespace)
            }
            return namespace
        }
    }

    // MARK: Coming

    /// Whether a client may enter a namespace.
    enum Entry {
        /// Its socket counts, until it leaves.
        case entered(Namespace)
        /// There is no such namespace.
        case unknown
        /// The child has no sockets, so the client has to be named: ask again.
        case unheld
        /// The application is being told of it: ask again when that is done.
        case beingMade
        /// The client's address holds too many children.
        case holdsTooMany
    }

    /// Lets a client into a namespace that exists and is open, and counts its socket.
    ///
    /// - Parameters:
    ///   - name: The namespace's name.
    ///   - client: The client, which has to be known only for a child without sockets.
    /// - Returns: What becomes of it.
    func enter(_ name: String, _ client: Client? = nil) -> Entry {
        let name = UTF8Text(name)
        return self.state.withLockedValue { state in
            guard state.beingMade[name] == nil else { return .beingMade }
            guard let namespace = state.namespaces[name] else { return .unknown }
            guard let child = state.children[name] else { return .entered(namespace) }
            if child.sockets > 0 {
                state.children[name]?.sockets += 1
                return .entered(namespace)
            }
            guard let client else { return .unheld }
            guard self.mayHold(client, state) else { return .holdsTooMany }
            state.hold(name, by: client.address)
            return .entered(namespace)
        }
    }

    private func mayHold(_ client: Client, _ state: State) -> Bool {
        client.address.map { state.held[$0, default: 0] < self.maximumHeld } ?? true
    }

    /// A namespace has one more socket, of a client that is one of its clients already.
    func enterAgain(_ namespace: Namespace) {
        self.state.withLockedValue { state in
            guard state.namespaces[namespace.text] === namespace else { return }
            state.children[namespace.text]?.sockets += 1
        }
    }

    // MARK: Making

    /// Whether a child may be made.
    enum Reservation {
        /// It may be made, and then has to be inserted and opened. The other child has to go for it.
        case reserved(evicted: Namespace?)
        /// There is one of that name by now, or there is about to be.
        case exists
        case holdsTooMany
        /// There are too many children, and all of them have sockets.
        case full
    }

    /// Keeps a place for a child, and counts its first socket; until it is open, no other client enters.
    ///
    /// If there is no room, the child that has been idle for the longest time goes. If none is idle, it is the one to
    /// which clients have not come back for the longest time.
    func reserve(_ name: String, for client: Client) -> Reservation {
        let name = UTF8Text(name)
        return self.state.withLockedValue { state in
            guard state.namespaces[name] == nil, state.beingMade[name] == nil else { return .exists }
            guard self.mayHold(client, state) else { return .holdsTooMany }
            var evicted: Namespace?
            if state.children.count >= self.context.limits.dynamicNamespaces {
                guard let oldest = state.idle.first ?? state.awaited.first, let namespace = state.namespaces[oldest]
                else { return .full }
                state.remove(namespace)
                evicted = namespace
            }
            state.beingMade[name] = []
            state.hold(name, by: client.address)
            return .reserved(evicted: evicted)
        }
    }

    /// Lets everybody enter the namespace for which a place was reserved.
    func open(_ namespace: Namespace) {
        let waiting = self.state.withLockedValue { state in
            // Meanwhile the application may have made a namespace of that name itself, which is no child.
            if namespace.parent == nil, let child = state.children.removeValue(forKey: namespace.text) {
                state.release(child)
            }
            return state.beingMade.removeValue(forKey: namespace.text) ?? []
        }
        for resume in waiting { resume() }
    }

    /// Runs when a namespace is not being made any more: at once, if it is not now.
    func whenMade(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let name = UTF8Text(name)
        let isMade = self.state.withLockedValue { state in
            guard state.beingMade[name] != nil else { return true }
            state.beingMade[name]?.append(body)
            return false
        }
        if isMade { body() }
    }

    // MARK: Going

    /// A socket of a child is no more.
    ///
    /// - Returns: The child, if it goes with it.
    func leave(_ namespace: Namespace) -> Namespace? {
        self.state.withLockedValue { state in
            let name = namespace.text
            guard state.namespaces[name] === namespace, let child = state.children[name] else { return nil }
            guard child.sockets <= 1 else {
                state.children[name]?.sockets -= 1
                return nil
            }
            state.release(child)
            state.children[name] = Child()
            if namespace.recovery?.isAwaited ?? false {
                state.awaited.append(name)
                return nil
            }
            return self.isIdle(namespace, &state)
        }
    }

    /// Takes note that a child may have no client left that can come back.
    ///
    /// - Returns: The child, if it goes.
    func isAwaitedNoLonger(_ namespace: Namespace) -> Namespace? {
        self.state.withLockedValue { state in
            guard state.namespaces[namespace.text] === namespace, !(namespace.recovery?.isAwaited ?? false),
                state.awaited.remove(namespace.text)
            else { return nil }
            return self.isIdle(namespace, &state)
        }
    }

    private func isIdle(_ namespace: Namespace, _ state: inout State) -> Namespace? {
        guard self.removesEmptyChildren else {
            state.idle.append(namespace.text)
            return nil
        }
        state.remove(namespace)
        return namespace
    }
}
