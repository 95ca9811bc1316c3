import CoreMetrics
public import NIOCore
public import SocketIOWire

/// Sending with an outcome, which says what is known of the other nodes.
extension BroadcastOperator {
    /// Sends an event, and returns the outcome on the way to the other nodes.
    ///
    /// This node's clients get the event once the adapter has taken it, and not at all if the adapter refuses it.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - arguments: What follows the name.
    ///   - policy: What to do while the cluster is out of reach.
    ///   - timeout: How long to wait for the broker's reply; then the event counts as queued.
    /// - Returns: The outcome as far as it is known; `refused` also if the event can't be encoded.
    public func publish<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        whileUnreachable policy: UnreachablePolicy = .queue,
        timeout: TimeAmount = .seconds(2)
    ) async -> PublishOutcome {
        guard let values = self.values(event, repeat each arguments) else {
            return .refused(reason: "the event can't be encoded, or its name is reserved")
        }
        return await self.perform(.emit(values), whileUnreachable: policy, timeout: timeout)
    }

    /// Sends an event with these arguments, and returns the outcome; see ``publish(_:_:whileUnreachable:timeout:)``.
    public func publish(
        _ event: String,
        values: [JSONValue],
        whileUnreachable policy: UnreachablePolicy = .queue,
        timeout: TimeAmount = .seconds(2)
    ) async -> PublishOutcome {
        await self.perform(.emit([.string(event)] + values), whileUnreachable: policy, timeout: timeout)
    }

    private func perform(
        _ action: ClusterOperation.Action,
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let operation = ClusterOperation(action, options: self.options)
        var outcome = PublishOutcome.localOnly
        for namespace in self.audience.namespaces {
            outcome = outcome.combined(
                with: await namespace.perform([operation], whileUnreachable: policy, timeout: timeout)
            )
        }
        return outcome
    }
}

extension Namespace {
    /// Does all of these operations on all nodes, in this order, once the adapter has told the outcome.
    ///
    /// If the adapter refuses, nothing happens on this node, either.
    ///
    /// - Returns: The outcome for the other nodes, as far as it is known.
    package func perform(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        var packets: [EncodedPacket?] = []
        for operation in operations {
            guard case .emit(let values) = operation.action else {
                packets.append(nil)
                continue
            }
            guard let packet = self.encode(values) else {
                return .refused(reason: "the event can't be encoded, or its name is reserved")
            }
            packets.append(packet)
        }
        let forOthers = operations.filter { !$0.options.flags.isLocal }
        guard !forOthers.isEmpty else {
            self.performHere(operations, packets)
            return .localOnly
        }
        let outcome =
            if let recovery = self.recovery, let cluster = recovery.cluster {
                await self.publish(forOthers, recovery, cluster, whileUnreachable: policy, timeout: timeout)
            } else {
                await self.adapter.publish(forOthers, whileUnreachable: policy, timeout: timeout)
            }
        guard outcome.isAccepted else { return outcome }
        self.performHere(operations, packets)
        return outcome
    }

    private func performHere(_ operations: [ClusterOperation], _ packets: [EncodedPacket?]) {
        for (operation, packet) in zip(operations, packets) { self.performHere(operation, packet) }
    }

    /// Has the cluster's log take all of that.
    private func publish(
        _ operations: [ClusterOperation],
        _ recovery: NamespaceRecovery,
        _ cluster: any EventLogAdapter,
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        await cluster.publish(operations, whileUnreachable: policy, timeout: timeout) { index, offset in
            guard operations.indices.contains(index), case .emit(let values) = operations[index].action,
                self.log(for: operations[index].options) != nil, let packet = self.encode(values)
            else { return }
            recovery.arrived(packet, operations[index].options, at: offset)
        }
    }

    /// What keeps and delivers an event, if the cluster has a log and that kind of event gets into it.
    func log(for options: BroadcastOptions) -> (NamespaceRecovery, any EventLogAdapter)? {
        guard let recovery = self.recovery, let cluster = recovery.cluster, !options.flags.isVolatile,
            !options.flags.isLocal
        else { return nil }
        return (recovery, cluster)
    }

    private func performHere(_ operation: ClusterOperation, _ packet: EncodedPacket?) {
        switch operation.action {
        case .emit:
            guard let packet else { return }
            self.metrics.broadcasts.increment()
            // What the log takes it delivers, too.
            if self.log(for: operation.options) == nil { self.deliver(packet, options: operation.options) }
        case .join(let rooms):
            self.addLocalSockets(operation.options, rooms: rooms)
        case .leave(let rooms):
            self.delLocalSockets(operation.options, rooms: rooms)
        case .disconnect(let closingConnection):
            self.disconnectLocalSockets(operation.options, closingConnection: closingConnection)
        }
    }

    /// Encodes `[event, argument...]`, or logs why that is impossible.
    func encode(_ values: [JSONValue]) -> EncodedPacket? {
        guard case .string(let event)? = values.first else { return nil }
        return self.encode(
            event,
            id: nil,
            write: { writer in
                for value in values.dropFirst() { writer.write(value) }
            }
        )
    }
}

extension Namespace {
    /// Does all of these operations on all nodes, in this order, without waiting for the outcome.
    package func tell(_ operations: [ClusterOperation]) {
        for operation in operations {
            var packet: EncodedPacket?
            if case .emit(let values) = operation.action {
                packet = self.encode(values)
                guard packet != nil else { continue }
            }
            if case .emit(let values) = operation.action, let packet,
                let (recovery, cluster) = self.log(for: operation.options)
            {
                recovery.publish(packet, Broadcast(arguments: values, options: operation.options), to: cluster)
            } else if !operation.options.flags.isLocal {
                self.adapter.tell(operation)
            }
            self.performHere(operation, packet)
        }
    }

    /// How many sockets of this node are addressed, counted behind what was sent to them before.
    package func localTargetCount(of options: BroadcastOptions) -> EventLoopFuture<Int> {
        let counts = self.shards.map { shard in shard.eventLoop.submit { shard.targets(of: options).count } }
        return EventLoopFuture.reduce(0, counts, on: self.eventLoop) { $0 + $1 }
    }
}
