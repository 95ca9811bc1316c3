public import RESP
public import SocketIOWire

/// Some of a namespace's sockets, and how to send to them: what ``Emitter/to(_:)-(Room...)`` and its siblings return.
///
/// Immutable: each call returns another one.
public struct EmitterOperator: Sendable {
    let emitter: Emitter
    var options: BroadcastOptions

    // MARK: Whom

    /// Adds the members of rooms; a socket's id is a room of its own.
    public func to(_ rooms: Room...) -> EmitterOperator { self.to(rooms) }

    /// Adds the members of rooms; a socket's id is a room of its own.
    public func to(_ rooms: [Room]) -> EmitterOperator {
        var copy = self
        copy.options.rooms.appendNew(rooms)
        return copy
    }

    /// The same as `to`.
    public func `in`(_ rooms: Room...) -> EmitterOperator { self.to(rooms) }

    /// The same as `to`.
    public func `in`(_ rooms: [Room]) -> EmitterOperator { self.to(rooms) }

    /// Leaves the members of rooms out.
    public func except(_ rooms: Room...) -> EmitterOperator { self.except(rooms) }

    /// Leaves the members of rooms out.
    public func except(_ rooms: [Room]) -> EmitterOperator {
        var copy = self
        copy.options.except.appendNew(rooms)
        return copy
    }

    // MARK: How

    /// Drops the event for clients that are behind with receiving.
    public var volatile: EmitterOperator { self.setting(.volatile(true)) }

    /// Whether nodes may compress the event.
    public func compress(_ isAllowed: Bool) -> EmitterOperator { self.setting(.compress(isAllowed)) }

    private func setting(_ flag: BroadcastFlags.Flag) -> EmitterOperator {
        var copy = self
        copy.options.flags.set(flag)
        return copy
    }

    // MARK: What

    /// Sends an event with its arguments.
    ///
    /// - Parameters:
    ///   - event: Its name.
    ///   - arguments: Its arguments.
    /// - Returns: Whether it is on its way, or waits for Redis.
    /// - Throws: ``EmitterError``: nobody will get it.
    @discardableResult
    public func emit<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws -> RESPClient.PublishStatus {
        try self.emit(event, values: Self.values(event, repeat each arguments))
    }

    /// Sends an event with its arguments.
    @discardableResult
    public func emit(_ event: String, values: [JSONValue]) throws -> RESPClient.PublishStatus {
        guard !reservedEventNames.contains(UTF8Text(event)) else {
            throw EmitterError(code: .reservedEvent, message: "\"\(event)\" is a reserved event name")
        }
        return try self.emitter.send(.broadcast([.string(event)] + values, self.options))
    }

    /// Makes the sockets join rooms.
    @discardableResult
    public func socketsJoin(_ rooms: Room...) throws -> RESPClient.PublishStatus { try self.socketsJoin(rooms) }

    /// Makes the sockets join rooms.
    @discardableResult
    public func socketsJoin(_ rooms: [Room]) throws -> RESPClient.PublishStatus {
        try self.emitter.send(.join(self.options, rooms: rooms))
    }

    /// Makes the sockets leave rooms.
    @discardableResult
    public func socketsLeave(_ rooms: Room...) throws -> RESPClient.PublishStatus { try self.socketsLeave(rooms) }

    /// Makes the sockets leave rooms.
    @discardableResult
    public func socketsLeave(_ rooms: [Room]) throws -> RESPClient.PublishStatus {
        try self.emitter.send(.leave(self.options, rooms: rooms))
    }

    /// Disconnects the sockets, and their connections with them if asked.
    @discardableResult
    public func disconnectSockets(closingConnection: Bool = false) throws -> RESPClient.PublishStatus {
        try self.emitter.send(.disconnect(self.options, closingConnection: closingConnection))
    }

    static func values<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) throws -> [JSONValue] {
        var values: [JSONValue] = []
        do {
            for argument in repeat each arguments { values.append(try JSONValue(encoding: argument)) }
        } catch {
            throw EmitterError(
                code: .notEncodable,
                message: "argument \(values.count) of \"\(event)\" can't be encoded: \(error)"
            )
        }
        return values
    }
}
