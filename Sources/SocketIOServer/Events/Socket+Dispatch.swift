import DequeModule
import EngineIO
import Logging
import Metrics
import NIOCore
import SocketIOWire

extension Socket {
    /// Handles an EVENT packet: catch-all listeners, middlewares, handlers of the socket, handlers of the namespace.
    func receive(_ packet: consuming Packet) {
        let id = packet.id
        guard let (name, arguments) = packet.event() else { return }
        self.receive(UTF8Text(name), arguments, acknowledgementID: id)
    }

    /// Handles an event that has not been made a packet, because most are not made anything but what a handler gets.
    func receive(_ outline: PacketOutline, _ text: consuming ByteBuffer) {
        if self.extras == nil, let short = outline.shortEventName {
            let shard = self.shard
            let known = shard.handlers.entry(short)
            if known == nil, shard.handlers.unhandled == nil { return shard.countEvent() }
            if let entry = known, let handler = entry.onlyHandler {
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
        self.receive(UTF8Text(name), outline.arguments(in: text), acknowledgementID: outline.id)
    }

    /// Handles an event.
    private func receive(_ name: UTF8Text, _ arguments: Arguments, acknowledgementID: Int?) {
        let shard = self.shard
        shard.countEvent()
        guard let extras = self.extras else {
            guard let handlers = shard.handlers[name] ?? shard.handlers.unhandled.map({ [$0] }) else { return }
            self.run(handlers, name: name, arguments: arguments, acknowledgementID: acknowledgementID)
            return
        }
        for listener in extras.anyIncoming { listener.body(name, arguments) }
        let middlewares = extras.middlewares
        guard !middlewares.isEmpty else {
            self.dispatch(name: name, arguments: arguments, acknowledgementID: acknowledgementID)
            return
        }
        let event = ReceivedEvent(
            socket: self,
            name: name,
            // It may be kept: by a mailbox, or by the application.
            arguments: arguments.detached(),
            acknowledgementID: acknowledgementID,
            answered: acknowledgementID == nil ? nil : AnsweredOnce()
        )
        self.pass(event, middlewares)
    }

    private func dispatch(name: UTF8Text, arguments: Arguments, acknowledgementID: Int?) {
        guard let handlers = self.handlers(of: name) else { return }
        self.run(handlers, name: name, arguments: arguments, acknowledgementID: acknowledgementID)
    }

    /// The handlers that are to run for an event now; those that run once are removed.
    private func handlers(of name: UTF8Text) -> [EventHandler]? {
        guard self.state == .connected else { return nil }
        let own = self.extras?.events[name] ?? []
        let shared = self.shard.handlers[name] ?? []
        if own.isEmpty && shared.isEmpty { return self.shard.handlers.unhandled.map { [$0] } }
        // Before they run: a handler may send the same event to itself.
        if own.contains(where: \.runsOnce) { self.extras?.events[name]?.removeAll(where: \.runsOnce) }
        return own.isEmpty ? shared : shared.isEmpty ? own : own + shared
    }

    private func run(
        _ handlers: [EventHandler],
        name: consuming UTF8Text,
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
                self.failed(event, error)
            }
        case .asynchronous(let body):
            let event = event.detached()
            let extras = self.makeExtras()
            self.enqueue(in: extras.handling, bytes: event.arguments.byteCount) {
                let begun = NIODeadline.now()
                do {
                    try await body(event)
                } catch {
                    self.onLoop { self.failed(event, error) }
                }
                self.namespace.metrics.handlers.recordNanoseconds((NIODeadline.now() - begun).nanoseconds)
            }
        }
    }

    // MARK: Middlewares

    /// Takes an event through the middlewares, then to its handlers.
    ///
    /// As long as no middleware is asynchronous, that happens at once. From the first asynchronous one on, events pass one
    /// after the other, in a mailbox of their own: so a slow handler keeps no later event from its middlewares.
    private func pass(_ event: ReceivedEvent, _ middlewares: [EventMiddleware]) {
        do {
            for (index, middleware) in middlewares.enumerated() {
                guard case .synchronous(let body) = middleware else {
                    return self.passLater(event, middlewares[index...])
                }
                try body(event)
            }
        } catch {
            return self.failed(event, error)
        }
        self.passed(event)
    }

    private func passLater(_ event: ReceivedEvent, _ middlewares: ArraySlice<EventMiddleware>) {
        self.enqueue(in: self.makeExtras().makePassing(), bytes: event.arguments.byteCount) {
            do {
                for middleware in middlewares {
                    switch middleware {
                    case .synchronous(let body): try body(event)
                    case .asynchronous(let body): try await body(event)
                    }
                }
                self.onLoop { self.passed(event) }
            } catch {
                self.onLoop { self.failed(event, error) }
            }
        }
    }

    /// Runs an event's handlers: what a middleware has answered is answered.
    private func passed(_ event: ReceivedEvent) {
        guard let handlers = self.handlers(of: event.name) else { return }
        for handler in handlers { self.run(handler, event) }
    }

    // MARK: Mailboxes

    /// Runs asynchronous work of this socket after the work that is in the same mailbox already.
    ///
    /// A client that sends faster than its handlers work is not read from while too much waits for them.
    private func enqueue(
        in mailbox: Mailbox,
        bytes: Int,
        _ work: @escaping @Sendable @concurrent () async -> Void
    ) {
        let extras = self.makeExtras()
        mailbox.work.append(Mailbox.Work(bytes: bytes, body: work))
        self.client.backlog.bytes += bytes
        if !extras.isFull, extras.waitingCount >= self.namespace.limits.waitingEvents {
            extras.isFull = true
            self.client.backlog.fullMailboxes += 1
        }
        self.client.adjustReading()
        guard !mailbox.isWorking else { return }
        mailbox.isWorking = true
        let bound = NIOLoopBound(mailbox, eventLoop: self.eventLoop)
        // Awaited by nobody: it ends when the mailbox is empty, which `work` guarantees by ending.
        Task(executorPreference: self.shard.executor) { await self.drain(bound) }
    }

    /// Works a mailbox off, in turns: between two of them the loop serves its other connections.
    private func drain(_ bound: NIOLoopBound<Mailbox>) async {
        let mailbox = bound.value
        var start = self.eventLoop.now
        while let work = self.nextWork(in: mailbox) {
            if mailbox.isTurnOver {
                await self.shard.executor.nextTurn()
                mailbox.worked = .zero
                start = self.eventLoop.now
            }
            await work.body()
            self.client.backlog.bytes -= work.bytes
            self.client.adjustReading()
            let end = self.eventLoop.now
            // One event after the other out of a body may find the mailbox empty: so the time is the mailbox's, not that
            // of this task.
            mailbox.worked += end - start
            start = end
        }
    }

    /// The next piece of work; runs on the loop, because the executor of the task is the loop's.
    private func nextWork(in mailbox: Mailbox) -> Mailbox.Work? {
        self.eventLoop.preconditionInEventLoop()
        guard let extras = self.extras, let work = mailbox.work.popFirst() else {
            mailbox.isWorking = false
            return nil
        }
        if extras.isFull, extras.waitingCount <= self.namespace.limits.waitingEvents / 2 {
            extras.isFull = false
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
        for listener in extras.anyOutgoing { listener.body(UTF8Text(name), packet) }
    }
}
