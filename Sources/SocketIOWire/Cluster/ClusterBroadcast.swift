/// A broadcast of another node or of an emitter, read only as far as needed to know whom it is for.
package struct ClusterBroadcast: Sendable {
    /// The sockets that it addresses; `nil` if no socket of this node can be among them.
    package let options: BroadcastOptions?
    /// The event, still in the bytes in which it came.
    package let payload: EventPayload
    /// Whether the packet has an id: a single client acknowledges it, to another node.
    package let hasID: Bool

    /// Whether a client that gets the event is told its offset.
    ///
    /// Official nodes leave the offset out if there is a flag `volatile`, whatever its value.
    package var takesOffset: Bool {
        guard !self.hasID, let options = self.options else { return false }
        return !options.flags.flags.contains { if case .volatile = $0 { true } else { false } }
    }

    init(options: BroadcastOptions?, payload: EventPayload, hasID: Bool) {
        self.options = options
        self.payload = payload
        self.hasID = hasID
    }
}
