public import NIOCore

extension IO {
    /// Waits until the webhooks have all that waits for them on this node, but not longer than that.
    ///
    /// Call it when the clients are disconnected and before the server closes. What is left then is lost. Afterwards no
    /// webhook is told anything.
    public func finishWebhooks(within time: TimeAmount = .seconds(5)) async {
        await self.customEvents.webhooks.finish(within: time)
    }
}
