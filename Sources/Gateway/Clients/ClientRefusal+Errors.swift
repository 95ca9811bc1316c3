import SocketIOServer

extension ClientRefusal {
    /// What a client is told if its wish has failed.
    init(_ error: any Error) {
        switch error {
        case let refusal as ClientRefusal:
            self = refusal
        case let error as ClusterError where error.code == .timeout || error.code == .incomplete:
            self = .internalError("not every node of the cluster has answered in time")
        case let error as ClusterError where error.code == .unreachable:
            self = .internalError("the other nodes of the cluster cannot be reached")
        case let error as ClusterError where error.code == .closed:
            self = .internalError("this server is shutting down")
        case is ClusterError:
            self = .internalError("the other nodes of the cluster could not be asked")
        default:
            // The error of a hook is for the log and not for the client.
            self = .internalError("the application could not decide")
        }
    }
}
