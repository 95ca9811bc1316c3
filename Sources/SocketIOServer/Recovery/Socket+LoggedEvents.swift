import SocketIOWire

// All of this runs on a socket's loop.

extension NamespaceShard {
    /// Sends a logged event to every socket that it addresses.
    func deliver(_ event: LoggedEvent) {
        let compress = event.options.flags.allowsCompression
        self.forEachTarget(of: event.options) { socket in
            guard let ticket = socket.ticket else { return }
            socket.deliver(event, ticket, compress: compress)
        }
    }
}

extension Socket {
    /// Sends a logged event, unless the client got it when it came back.
    func deliver(_ event: LoggedEvent, _ ticket: RecoveryTicket, compress: Bool) {
        guard self.state == .connected, self.ticket === ticket else { return }
        guard event.kind == .numbered else { return self.deliverOddly(event, ticket, compress: compress) }
        guard event.number > ticket.skipsThrough || event.history != ticket.history else { return }
        let isBehind = ticket.isBehind
        ticket.sends(event)
        self.transmit(event.packet, compress: compress)
        if isBehind { self.namespace.recovery?.touch(ticket, of: self) }
    }

    private func deliverOddly(_ event: LoggedEvent, _ ticket: RecoveryTicket, compress: Bool) {
        if event.kind == .late {
            ticket.arrivedLate(event)
        } else {
            ticket.sends(event)
            self.transmit(event.packet, compress: compress)
        }
        self.namespace.recovery?.touch(ticket, of: self)
    }
}
