import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
public import SocketIOServer

/// Connects several servers of one process, as a broker and its clients would: for tests, and as an example of a driver.
///
/// Make one ``Broker``, and of it a driver for each server. What a server sends is delayed, lost or refused as the test
/// wants.
public final class InProcessDriver: ClusterDriver {
    /// What all drivers have in common.
    public final class Broker: Sendable {
        struct State {
            /// The members of each namespace's group, and whose driver they have.
            var members: [ClusterMember: Seat] = [:]
            var delay = TimeAmount.nanoseconds(0)
            /// When the last message that was taken arrives: none arrives earlier than one before it.
            var last = NIODeadline.uptimeNanoseconds(0)
            /// How many of the next messages get lost.
            var losses = 0
        }

        struct Seat {
            var inbox: ClusterInbox
            var driver: ObjectIdentifier
            var isConnected = true
        }

        let state = NIOLockedValueBox(State())
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

        /// A broker without servers.
        public init() {}

        /// How long every message that is sent from now on takes.
        public var delay: TimeAmount {
            get { self.state.withLockedValue { $0.delay } }
            set { self.state.withLockedValue { $0.delay = newValue } }
        }

        /// Loses the next messages, as many of them; nobody is told.
        public func lose(_ count: Int) { self.state.withLockedValue { $0.losses += count } }
    }

    private let broker: Broker
    private let isConnected = NIOLockedValueBox(true)

    /// A server's link to a broker.
    public init(_ broker: Broker) { self.broker = broker }

    /// Loses the broker: what this server sends is refused, and what others send passes it by.
    public func disconnect() { self.setConnected(false) }

    /// Is connected again.
    public func reconnect() { self.setConnected(true) }

    private func setConnected(_ isConnected: Bool) {
        self.isConnected.withLockedValue { $0 = isConnected }
        let driver = ObjectIdentifier(self)
        let inboxes = self.broker.state.withLockedValue { state in
            state.members.compactMap { member, seat -> ClusterInbox? in
                guard seat.driver == driver else { return nil }
                state.members[member]?.isConnected = isConnected
                return seat.inbox
            }
        }
        for inbox in inboxes { inbox.availabilityChanged(isAvailable: isConnected) }
    }

    private func checkConnection() throws {
        guard self.isConnected.withLockedValue({ $0 }) else {
            throw ClusterError(code: .unreachable, message: "this server has lost the broker")
        }
    }

    // MARK: The driver

    /// Joins a namespace's group.
    public func join(_ member: ClusterMember, _ inbox: ClusterInbox) async throws {
        try self.checkConnection()
        self.broker.state.withLockedValue {
            $0.members[member] = Broker.Seat(inbox: inbox, driver: ObjectIdentifier(self))
        }
    }

    /// Leaves the group.
    public func leave(_ member: ClusterMember) async {
        self.broker.state.withLockedValue { _ = $0.members.removeValue(forKey: member) }
        // What is being handed over at this moment is waited for.
        try? await self.broker.eventLoop.submit {}.get()
    }

    /// Sends to the members, in order, after the broker's delay.
    public func send(_ bytes: ByteBuffer, to destination: ClusterDestination, from member: ClusterMember) throws {
        try self.checkConnection()
        let broker = self.broker
        broker.state.withLockedValue { state in
            guard state.losses == 0 else {
                state.losses -= 1
                return
            }
            state.last = max(state.last, broker.eventLoop.now + state.delay)
            _ = broker.eventLoop.scheduleTask(deadline: state.last) {
                broker.deliver(bytes, to: destination, of: member.namespace)
            }
        }
    }

    /// Returns when everything that was sent before has been handed over.
    public func confirm(_ member: ClusterMember) async throws {
        try self.checkConnection()
        let broker = self.broker
        let delivered = broker.state.withLockedValue { state in
            state.last = max(state.last, broker.eventLoop.now)
            return broker.eventLoop.scheduleTask(deadline: state.last) {}
        }
        try await delivered.futureResult.get()
    }

    /// Counts the members whose servers are connected.
    public func countMembers(of namespace: String) async throws -> Int {
        try self.checkConnection()
        return self.broker.state.withLockedValue { state in
            state.members.reduce(0) { $0 + ($1.key.namespace == namespace && $1.value.isConnected ? 1 : 0) }
        }
    }

    deinit {
        let driver = ObjectIdentifier(self)
        self.broker.state.withLockedValue { $0.members = $0.members.filter { $1.driver != driver } }
    }
}

extension InProcessDriver.Broker {
    fileprivate func deliver(_ bytes: ByteBuffer, to destination: ClusterDestination, of namespace: String) {
        let seats = self.state.withLockedValue { state in
            switch destination {
            case .node(let id):
                [state.members[ClusterMember(namespace: namespace, id: id)]].compactMap(\.self)
            case .all:
                state.members.compactMap { $0.namespace == namespace ? $1 : nil }
            }
        }
        for seat in seats where seat.isConnected { seat.inbox.receive(bytes) }
    }
}
