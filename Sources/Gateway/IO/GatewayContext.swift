import EngineIO
import Incidents
import Logging
import NIOCore
import SocketIOServer
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What every part of the gateway needs.
struct GatewayContext: Sendable {
    let server: SocketServer
    let rules: RulesInForce
    let hooks: GatewayHooks
    let application: GatewayApplication
    let sharing: Sharing
    /// What sends requests to other servers; `nil` if the application gave nothing that does.
    let outgoing: (any OutgoingHTTP)?
    /// The key sets on other servers.
    let keySets: KeySetDirectory
    let logger: Logger
    let metrics: GatewayMetrics
    /// What the log is told of refusals and failures.
    let incidents: IncidentLog
    /// What operators are told of events and changes.
    let journal: EventJournal
    /// Unix time in seconds.
    let now: @Sendable () -> Double

    /// The main namespace.
    ///
    /// All methods without a namespace's name apply to it.
    var main: Namespace { self.server.sockets }

    /// The configuration in force.
    var configuration: GatewayConfiguration { self.rules.value.configuration }

    /// The namespaces that the gateway looks after: `main`, and the configured ones by their bare names.
    var namespaces: [String: Namespace] {
        var namespaces = ["main": self.main]
        for namespace in self.configuration.namespaces {
            namespaces[namespace.name] = self.server.of(namespace.name)
        }
        return namespaces
    }

    /// The namespace `main` or a configured one, with or without a leading slash; `nil` if there is none of that name.
    func namespace(_ name: UTF8Text) -> Namespace? {
        if name == "/" || name == "main" || name == "/main" { return self.main }
        let configured = self.configuration.namespaces.first { namespace in
            name == UTF8Text(namespace.name) || name == "/\(namespace.name)"
        }
        return configured.map { self.server.of($0.name) }
    }

    /// The rules for a socket of this node.
    func rules(for socket: Socket) -> Rules { self.rules.value(on: socket.eventLoop) }

    /// Who a socket of this node is.
    func principal(of socket: Socket) -> Principal {
        self.rules(for: socket).access.principal(of: PrincipalRecord(socket.data))
    }

    /// The address of a client, which trusted proxies may have told.
    func address(of socket: Socket) -> String { self.server.engine.clientAddress(of: socket.handshake.request) }

    /// The time as JavaScript writes it: `2026-01-31T12:00:00.000Z`.
    var isoTime: JSONValue {
        (try? JSONValue(encoding: Date(timeIntervalSince1970: self.now()))) ?? .null
    }

    // MARK: Leaving

    /// The event that a client gets before the server disconnects it.
    ///
    /// It has `{reason}`.
    private static let disconnectEvent = "io:disconnect"

    /// Tells a socket of this node why, and disconnects it.
    func expel(_ socket: Socket, reason: String, closingConnection: Bool) {
        socket.emit(Self.disconnectEvent, values: [["reason": .string(reason)]])
        socket.disconnect(closingConnection: closingConnection)
    }

    /// Tells this node's members of a room why, and disconnects them, in all of the gateway's namespaces.
    func expelMembers(of room: Room, reason: String) {
        for namespace in self.namespaces.values {
            let sockets = namespace.to(room).local
            sockets.emit(Self.disconnectEvent, values: [["reason": .string(reason)]])
            sockets.disconnectSockets(closingConnection: true)
        }
    }

    /// What tells the members of a room why, and disconnects them.
    func disconnection(of namespaces: [Namespace], room: Room, reason: String) -> Publication {
        var publication = Publication()
        for namespace in namespaces {
            let target = namespace.to(room)
            publication.emit(Self.disconnectEvent, ["reason": .string(reason)], to: target, in: namespace)
            publication.add(.disconnect(closingConnection: true), target, namespace)
        }
        return publication
    }
}
