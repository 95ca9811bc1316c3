public import NIOCore

/// Messages from a gateway to all gateways of the cluster, itself included.
///
/// A signal may be lost while a node is cut off from the broker. So a signal says that something has changed, and the
/// node that hears of a ``Signal/gap`` reads the whole again.
public protocol ClusterSignals: Sendable {
    /// Sends a signal, and returns when the broker has taken it.
    ///
    /// - Throws: `ClusterError` with the code `unreachable` if it is not known that the broker has it.
    func send(_ topic: SignalTopic, _ message: ByteBuffer) async throws

    /// Calls a handler for each signal of a topic, in the order in which the broker took them.
    ///
    /// The first call is ``Signal/gap``: from then on signals are heard, so read what the topic is about.
    ///
    /// - Parameters:
    ///   - topic: What the signals are about.
    ///   - handler: Called on any thread, one call after the other. It must not block.
    /// - Returns: What ends that.
    func receive(_ topic: SignalTopic, _ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription
}

/// What a signal is about.
///
/// The names are few and the program's own: they are part of the names of channels.
public struct SignalTopic: Hashable, Sendable, CustomStringConvertible {
    /// Small letters, digits and hyphens.
    public let name: String

    /// Makes a topic.
    public init(_ name: String) {
        self.name = name
    }

    /// The name.
    public var description: String { self.name }
}

/// What a gateway hears of a topic.
public enum Signal: Sendable, Hashable {
    /// A signal that a gateway of the cluster has sent.
    case message(ByteBuffer)
    /// Signals before this may have been missed, and those after it are heard.
    case gap
}

/// Ends a handler for signals.
public struct SignalSubscription: Sendable {
    private let onCancel: @Sendable () async -> Void

    /// Makes a subscription that is ended by `onCancel`.
    public init(onCancel: @escaping @Sendable () async -> Void) {
        self.onCancel = onCancel
    }

    /// Returns when the handler will not be called any more.
    public func cancel() async { await self.onCancel() }
}
