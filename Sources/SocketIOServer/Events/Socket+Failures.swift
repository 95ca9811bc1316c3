import EngineIO
import Incidents
import Logging
import NIOCore
import SocketIOWire

extension Socket {
    /// A handler or middleware has failed: tells the client, if it waits for an answer, and the application.
    func failed(_ event: ReceivedEvent, _ error: any Error) {
        event.acknowledge(error: error)
        self.namespace.metrics.handlerFailed(error)
        let isHandled = self.tellApplication(error, event)
        // To refuse an event is no failure.
        if error is RejectedEvent { return }
        let message = "An event's handler or middleware failed"
        guard !isHandled else {
            // The application has heard of it.
            self.namespace.logger.debug("\(message)", metadata: self.describe(error, of: event))
            return
        }
        self.namespace.incidents.record(
            message,
            reason: "event",
            level: .warning,
            pace: .failures,
            details: self.describe(error, of: event)
        )
    }

    /// Where and why a handler has failed.
    private func describe(_ error: any Error, of event: ReceivedEvent) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "sio.event": "\(boundedText(event.name.string))",
            "sio.namespace": "\(boundedText(self.namespace.name))",
            "sio.socket.id": "\(self.id)",
            "error": "\(boundedDescription(of: error))",
        ]
        switch error {
        case let error as ArgumentError:
            metadata["sio.argument"] = "\(error.index)"
            if let path = error.path { metadata["sio.path"] = "\(path)" }
        case let error as DecodingError:
            if let path = DecodingProblem(error).path { metadata["sio.path"] = "\(path)" }
        default:
            break
        }
        return metadata
    }

    /// Tells those who listen for errors: the socket's own listeners, then its namespace's.
    ///
    /// - Returns: Whether there are any.
    @discardableResult
    func tellApplication(_ error: any Error, _ event: ReceivedEvent?) -> Bool {
        let own = self.extras?.errors ?? []
        for listener in own { listener.body(error, event) }
        let shared = self.namespace.errorHandlers
        for handler in shared { handler(self, error, event) }
        return !own.isEmpty || !shared.isEmpty
    }
}
