import DequeModule
import EngineIO
import Logging
import NIOCore
import SocketIOWire

extension Socket {
    /// Handles an EVENT packet: catch-all listeners, middlewares, handlers of the socket, handlers of the namespace.
    func receive(_ packet: consuming Packet) {
        let id = packet.id
        guard let (name, arguments) = packet.event() else { return }
        self.receive(name, arguments, acknowledgementID: id)
    }

    /// Handles an event that has not been made a packet, because most are not made anything but what a handler gets.
    func receive(_ outline: PacketOutline, _ text: consuming ByteBuffer) {
        if self.extras == nil, let short = outline.shortEventName {
            let shard = self.shard
            guard let entry = shard.handlers.entry(short) else { return shard.countEvent() }
            if let handler = entry.onlyHandler {
                shard.countEvent()
                let id = outline.id
                let event = ReceivedEvent(
                    socket: self,
                    name: entry.name,
                    arguments: outline.arguments(in: text),
                    acknowledgementID: id,
                    answered: id == nil || handler.answersOnce ? nil : AnsweredOnce()
                )
                self.run(handler, event)
                return
            }
        }
        guard let name = outline.eventName(in: text) else { return }
        self.receive(name, outline.arguments(in: text), acknowledgementID: outline.id)
    }

    /// Handles an event.
    private func receive(_ name: String, _ arguments: Arguments, acknowledgementID: Int?) {
        let shard = self.shard
        shard.countEvent()
        guard let extras = self.extras else {
            guard let handlers = shard.handlers[name] else { return }
            self.run(handlers, name: name, arguments: arguments, acknowledgementID: acknowledgementID)
            return
        }
        for listener in extras.anyIncoming { listener.body(name, arguments) }
        if !extras.middlewares.isEmpty {
            self.runMiddlewares(
                extras.middlewares,
                name: name,
                arguments: arguments,
                acknowledgementID: acknowledgementID
            )
            return
        }
        self.dispatch(name: name, arguments: arguments, acknowledgementID: acknowledgementID)
    }

    private func dispatch(name: String, arguments: Arguments, acknowledgementID: Int?) {
        guard self.state == .connected else { return }
        let own = self.extras?.events[name] ?? []
        let shared = self.shard.handlers[name] ?? []
        if own.isEmpty && shared.isEmpty { return }
        // Before they run: a handler may send the same event to itself.
        if own.contains(where: \.runsOnce) { self.extras?.events[name]?.removeAll(where: \.runsOnce) }
        let handlers = own.isEmpty ? shared : shared.isEmpty ? own : own + shared
        self.run(handlers, name: name, arguments: arguments, acknowledgementID: acknowledgementID)
    }

    private func run(
        _ handlers: [EventHandler],
        name: consuming String,
        arguments: consuming Arguments,
        acknowledgementID: Int?
    ) {
        let needsGuard = acknowledgementID != nil && !(handlers.count == 1 && handlers[0].answersOnce)
        let event = ReceivedEvent(
            socket: self,
            name: name,
            arguments: arguments,
            acknowledgementID: acknowledgementID,
            answered: needsGuard ? AnsweredOnce() : nil
        )
        for handler in handlers { self.run(handler, event) }
    }

    @inline(__always)
    private func run(_ handler: EventHandler, _ event: ReceivedEvent) {
        switch handler.body {
        case .synchronous(let body):
            do {
                try body(event)
            } catch {
                self.handlerFailed(event, error)
            }
        case .asynchronous(let body):
            let event = event.detached()
            self.enqueue(bytes: event.arguments.byteCount) {
                do {
                    try await body(event)
                } catch {
                    self.onLoop { self.handlerFailed(event, error) }
                }
            }
        }
    }

    private func handlerFailed(_ event: ReceivedEvent, _ error: any Error) {
        event.acknowledge(error: error)
        if let extras = self.extras, !extras.errors.isEmpty {
            for listener in extras.errors { listener.body(error) }
        } else if !(error is RejectedEvent) {
            self.namespace.logger.debug(
                "An event handler failed",
                metadata: [
                    "sio.namespace": "\(self.namespace.name)", "sio.socket.id": "\(self.id)",
                    "error": "\(String(describing: type(of: error)))",
                ]
            )
        }
        self.namespace.metrics.handlerFailed(error)
    }

    private func runMiddlewares(
        _ middlewares: [@Sendable @concurrent (ReceivedEvent) async throws -> Void],
        name: String,
        arguments: Arguments,
        acknowledgementID: Int?
    ) {
        let arguments = arguments.detached()
        let event = ReceivedEvent(
            socket: self,
            name: name,
            arguments: arguments,
            acknowledgementID: acknowledgementID,
            answered: acknowledgementID == nil ? nil : AnsweredOnce()
        )
        self.enqueue(bytes: arguments.byteCount) {
            do {
                for middleware in middlewares { try await middleware(event) }
                self.onLoop {
                    self.dispatch(name: name, arguments: arguments, acknowledgementID: acknowledgementID)
                }
            } catch {
                self.onLoop { self.handlerFailed(event, error) }
            }
        }
    }

    // MARK: Mailbox

    /// Runs asynchronous work of this socket after the work that is queued already.
    ///
    /// A client that sends faster than its handlers work is not read from while too much waits for them.
    private func enqueue(bytes: Int, _ work: @escaping @Sendable @concurrent () async -> Void) {
        let extras = self.makeExtras()
        extras.mailbox.append(SocketExtras.Work(bytes: bytes, body: work))
        self.client.backlog.bytes += bytes
        if !extras.isMailboxFull, extras.mailbox.count >= self.namespace.limits.waitingEvents {
            extras.isMailboxFull = true
            self.client.backlog.fullMailboxes += 1
        }
        self.client.adjustReading()
        guard !extras.isWorking else { return }
        extras.isWorking = true
        // Awaited by nobody: it ends when the mailbox is empty, which `work` guarantees by ending.
        Task(executorPreference: self.shard.executor) { await self.drainMailbox() }
    }

    /// Works the mailbox off, in turns: between two of them the loop serves its other connections.
    private func drainMailbox() async {
        var start = self.eventLoop.now
        while let work = self.nextWork() {
            if self.isTurnOver {
                await self.shard.executor.nextTurn()
                self.extras?.worked = .zero
                start = self.eventLoop.now
            }
            await work.body()
            self.client.backlog.bytes -= work.bytes
            self.client.adjustReading()
            let end = self.eventLoop.now
            // One event after the other out of a body may find the mailbox empty: so the time is the socket's, not that
            // of this task.
            self.extras?.worked += end - start
            start = end
        }
    }

    private var isTurnOver: Bool { (self.extras?.worked ?? .zero) >= LoopTaskExecutor.longestTurn }

    /// The next piece of work; runs on the loop, because the executor of the task is the loop's.
    private func nextWork() -> SocketExtras.Work? {
        self.eventLoop.preconditionInEventLoop()
        guard let extras = self.extras, let work = extras.mailbox.popFirst() else {
            self.extras?.isWorking = false
            return nil
        }
        if extras.isMailboxFull, extras.mailbox.count <= self.namespace.limits.waitingEvents / 2 {
            extras.isMailboxFull = false
            self.client.backlog.fullMailboxes -= 1
            self.client.adjustReading()
        }
        return work
    }

    // MARK: Outgoing

    /// Shows an outgoing event to the listeners that want to see every one.
    func notifyOutgoing(_ packet: EncodedPacket) {
        guard let extras = self.extras, !extras.anyOutgoing.isEmpty else { return }
        guard let name = packet.decodedEvent?.name else { return }
        for listener in extras.anyOutgoing { listener.body(name, packet) }
    }
}
