import NIOCore
import RESP
import SocketIOWire

/// What an emitter hands to Redis.
enum EmitterCommand: Sendable, Hashable {
    case publish(channel: String, ByteBuffer)
    case publishSharded(channel: String, ByteBuffer)
    /// Fields and their values in turn, for a stream that is about so long.
    case add(stream: String, maximumLength: Int, fields: [ByteBuffer])
}

extension EmitterCommand {
    /// Hands the command over; Redis' reply tells no more than that it was executed.
    func send(to client: RESPClient) throws(RESPError) -> RESPClient.PublishStatus {
        switch self {
        case .publish(let channel, let message): try client.publish(channel: channel, message: message)
        case .publishSharded(let channel, let message): try client.publish(shardedChannel: channel, message: message)
        case .add(let stream, let maximumLength, let fields):
            // The client keeps, counts and reports it as it does a publish: nothing is left to do with the outcome.
            try client.keep(Self.add(stream, maximumLength, fields)) { _ in }
        }
    }

    static func add(_ stream: String, _ maximumLength: Int, _ fields: [ByteBuffer]) -> RESPCommand {
        var command = RESPCommand("XADD", .string(stream), "MAXLEN", "~", .int(maximumLength), "*")
        command.words += fields.map { .bytes($0) }
        return command
    }
}

/// How a namespace's messages are written, and where they go: a value.
enum EmitterDialect: Sendable {
    case pubSub(ClassicChannels, ClassicEncoder)
    case sharded(ClusterChannels, ShardedSubscriptionMode, ClusterEncoder)
    case streams(String, maximumLength: Int, onlyPlaintext: Bool, ClusterEncoder)

    init(_ transport: Emitter.Transport, namespace: String) {
        switch transport.kind {
        case .pubSub(let key, let writesNumericRooms):
            self = .pubSub(
                ClassicChannels(key: key, namespace: namespace),
                ClassicEncoder(namespace: namespace, writesNumericRooms: writesNumericRooms)
            )
        case .sharded(let prefix, let mode):
            self = .sharded(
                ClusterChannels(prefix: prefix, namespace: namespace),
                mode.mode,
                ClusterEncoder(emitterFor: namespace)
            )
        case .streams(let name, let maximumLength, let onlyPlaintext):
            self = .streams(
                name.stream(of: namespace),
                maximumLength: maximumLength,
                onlyPlaintext: onlyPlaintext,
                ClusterEncoder(emitterFor: namespace)
            )
        }
    }

    /// What to tell Redis.
    func command(for message: EmitterMessage) -> EmitterCommand {
        switch self {
        case .pubSub(let channels, let encoder): Self.publish(message, channels, encoder)
        case .sharded(let channels, let mode, let encoder):
            Self.publish(message.clusterMessage, channels, mode, encoder)
        case .streams(let stream, let maximumLength, let onlyPlaintext, let encoder):
            .add(
                stream: stream,
                maximumLength: maximumLength,
                fields: encoder.entry(message.clusterMessage, onlyPlaintext: onlyPlaintext)
            )
        }
    }

    private static func publish(
        _ message: ClusterMessage,
        _ channels: ClusterChannels,
        _ mode: ShardedSubscriptionMode,
        _ encoder: ClusterEncoder
    ) -> EmitterCommand {
        let channel = mode.roomChannel(of: message).map { channels.room($0) } ?? channels.namespace
        return .publishSharded(channel: channel, encoder.sharded(message))
    }

    private static func publish(
        _ message: EmitterMessage,
        _ channels: ClassicChannels,
        _ encoder: ClassicEncoder
    ) -> EmitterCommand {
        let uid = ClusterProtocol.emitterUID
        switch message {
        case .broadcast(let arguments, let options):
            return .publish(
                channel: channels.broadcast(to: options.rooms),
                encoder.broadcast(uid: uid, arguments: arguments, options: options, order: .emitter)
            )
        case .join(let options, let rooms):
            return .publish(channel: channels.request, encoder.join(uid: nil, options: options, rooms: rooms))
        case .leave(let options, let rooms):
            return .publish(channel: channels.request, encoder.leave(uid: nil, options: options, rooms: rooms))
        case .disconnect(let options, let closing):
            return .publish(
                channel: channels.request,
                encoder.disconnect(uid: nil, options: options, closingConnection: closing)
            )
        case .serverSideEmit(let arguments):
            return .publish(
                channel: channels.request,
                encoder.serverSideEmit(uid: uid, requestID: nil, arguments: arguments)
            )
        }
    }
}

/// What an emitter can say; it can't ask, because nobody could answer it.
enum EmitterMessage: Sendable {
    /// `[event, argument...]` for clients.
    case broadcast([JSONValue], BroadcastOptions)
    case join(BroadcastOptions, rooms: [Room])
    case leave(BroadcastOptions, rooms: [Room])
    case disconnect(BroadcastOptions, closingConnection: Bool)
    /// `[event, argument...]` for servers.
    case serverSideEmit([JSONValue])

    /// The same in the words of the official ClusterAdapter.
    var clusterMessage: ClusterMessage {
        switch self {
        case .broadcast(let arguments, let options): .broadcast(arguments, options, requestID: nil)
        case .join(let options, let rooms): .join(options, rooms: rooms)
        case .leave(let options, let rooms): .leave(options, rooms: rooms)
        case .disconnect(let options, let closing): .disconnect(options, closingConnection: closing)
        case .serverSideEmit(let arguments): .serverSideEmit(arguments, requestID: nil)
        }
    }
}
