/// A broadcast of another node or of an emitter, as far as it has to be read to know whom it is for.
package struct ClusterBroadcast: Sendable {
    /// Whom it addresses; `nil`: nobody who could be here.
    package let options: BroadcastOptions?
    /// The event, still in the bytes in which it came.
    package let payload: EventPayload
    /// Whether the packet has an id: some client was to acknowledge it, but not through this node.
    package let hasID: Bool

    /// Whether a client that gets the event is told its offset.
    ///
    /// Official nodes leave it out as soon as there is a flag `volatile`, whatever its value.
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
