import SocketIOServer

extension IO {
    /// Takes what a program's request costs out of the limits of its API token and tenant, for the whole cluster.
    ///
    /// - Returns: The milliseconds to wait if there was too much of it; `nil` if the request is granted.
    package func take(_ action: LimitedAction, of token: APIToken) -> Int? {
        let rates = self.configuration.limits.cluster
        let subjects = LimitSubjects(.token(token))
        return self.limits.take(action, 1, of: subjects, rates, at: self.context.main.eventLoop.now)
    }
}
