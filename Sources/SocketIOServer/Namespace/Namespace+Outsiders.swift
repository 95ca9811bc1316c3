package import SocketIOWire
import Synchronization

/// A room whose members are connected to a namespace but not yet part of it.
final class Outsiders: Sendable {
    let room: Room

    init(room: Room) { self.room = room }
}

/// Whom a namespace does not mean by everybody; seldom anybody.
final class OutsiderRule: Sendable {
    private let outsiders = AtomicLazyReference<Outsiders>()

    func keepOut(_ room: Room) { _ = self.outsiders.storeIfNil(Outsiders(room: room)) }

    /// The options, without the outsiders if they address everybody.
    func applied(to options: BroadcastOptions) -> BroadcastOptions {
        guard options.rooms.isEmpty, let outsiders = self.outsiders.load() else { return options }
        var options = options
        if !options.except.contains(outsiders.room) { options.except.append(outsiders.room) }
        return options
    }
}

extension Namespace {
    /// Keeps the members of a room out of what concerns the whole namespace: events for everybody do not reach them, and
    /// they join no rooms that everybody is made to join, whichever node, emitter or part of this program asks for it.
    ///
    /// What is addressed to a room that they are in reaches them. To be called once, before clients connect.
    package func keepOut(membersOf room: Room) { self.outsiders.keepOut(room) }

    /// The options, without the outsiders if they address everybody.
    func withoutOutsiders(_ options: BroadcastOptions) -> BroadcastOptions { self.outsiders.applied(to: options) }
}
