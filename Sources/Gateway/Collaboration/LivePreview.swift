import Incidents
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Entries that clients see while others edit them.
///
/// Whoever previews an entry is in the room `preview:<uid>:<documentId>`, and in one of its audience, so that each gets
/// only what it may see.
final class LivePreview: Sendable {
    /// A field that a client changes.
    struct Edit: Hashable, Sendable {
        var socket: SocketKey
        var entity: EntityRef
        var field: UTF8Text
    }

    let context: GatewayContext
    let subscriptions: Subscriptions
    /// The last values of fields that wait for later ones.
    private let waiting = NIOLockedValueBox<[Edit: JSONValue]>([:])
    private let timer: DeadlineTimer<Edit>

    /// The longest value of a field, in bytes of JSON.
    static let maximumValueBytes = 100_000
    /// The most fields of one client that wait.
    static let maximumWaiting = 100

    init(_ context: GatewayContext, subscriptions: Subscriptions) {
        self.context = context
        self.subscriptions = subscriptions
        let callback = NIOLockedValueBox<(@Sendable (Edit) -> Void)?>(nil)
        self.timer = DeadlineTimer(eventLoop: context.main.eventLoop) { edit in
            callback.withLockedValue { $0 }?(edit)
        }
        callback.withLockedValue { $0 = { [weak self] edit in self?.send(edit) } }
    }

    // MARK: What an audience may see

    /// What each audience may see of an entry that is being edited.
    ///
    /// - Parameters:
    ///   - entity: Which entry.
    ///   - data: The entry, or a part of it.
    ///   - previous: The same as it was; `nil` if nobody knows.
    ///   - body: Gets what an audience may see, and the rooms of those who see it.
    /// - Throws: ``GatewayError`` for a content type that is not configured.
    func forEachAudience(
        _ entity: EntityRef,
        _ data: JSONValue,
        _ previous: JSONValue?,
        _ body: (_ data: JSONValue, _ previous: JSONValue?, _ rooms: [Room]) -> Void
    ) throws(GatewayError) {
        let rules = self.context.rules.value
        guard let type = rules.content.schema.contentType(entity.uid) else {
            throw GatewayError(
                .unknownContentType,
                "Content type '\(entity.uid.abridged(toBytes: 128))' is not configured"
            )
        }
        let owners = self.owners(of: entity, type, data)
        for group in rules.receivers(of: "update", type, now: self.context.now()) {
            let rooms =
                group.rooms.map { RoomName.preview(entity, audience: $0) }
                + group.ownerRooms.flatMap { audience in
                    owners.map { RoomName.preview(entity, audience: RoomName.owner($0, audience: audience)) }
                }
            guard !rooms.isEmpty else { continue }
            // Whatever cannot be made fit for an audience is not sent to it.
            guard let clean = self.sanitised(data, type, group, rules) else { continue }
            body(clean, previous.flatMap { self.sanitised($0, type, group, rules) }, rooms)
        }
    }

    private func owners(of entity: EntityRef, _ type: ContentType, _ data: JSONValue) -> [EntityID] {
        guard type.ownerField != nil else { return [] }
        if case .object(let entry) = data, let owners = type.identity(of: entry).owners { return owners }
        return self.subscriptions.owners(of: entity, type) ?? []
    }

    private func sanitised(
        _ data: JSONValue,
        _ type: ContentType,
        _ group: AudienceGroup,
        _ rules: Rules
    ) -> JSONValue? {
        do {
            return try rules.content.sanitiser.sanitise(
                data,
                as: type,
                for: group.projection,
                selection: Selection(type.populate)
            )
        } catch {
            self.context.incidents.record(
                "Previews could not be made fit for everybody who may see them",
                reason: "sanitiser",
                pace: .failures,
                details: ["error": "\(error.description)"]
            )
            return nil
        }
    }

    // MARK: What a back end tells

    /// What happened to an entry that is being edited.
    enum Kind: String, Sendable, CaseIterable {
        case change
        case publish
        case unpublish
    }

    /// `preview:change`, `preview:publish` or `preview:unpublish`: `{uid, documentId, data, diff?, isDraft, timestamp}`.
    func publication(
        _ kind: Kind,
        _ entity: EntityRef,
        data: JSONValue,
        previous: JSONValue?,
        onlyHere: Bool
    ) throws(GatewayError) -> Publication {
        var publication = Publication()
        let settings = self.context.configuration.fieldChanges
        guard self.context.configuration.livePreview.enabled else { return .nobody }
        try self.forEachAudience(entity, data, previous) { data, previous, rooms in
            var argument = self.argument(entity)
            argument["data"] = data
            if settings.enabled, case .object(let old)? = previous, case .object(let new) = data {
                argument["diff"] =
                    FieldDifference(
                        from: old,
                        to: new,
                        excluding: settings.excludeFields,
                        maximumDepth: settings.maximumDepth
                    ).value
            }
            argument["isDraft"] = .bool(kind != .publish)
            var target = self.context.main.to(rooms)
            if onlyHere { target = target.local }
            publication.emit("preview:\(kind.rawValue)", .object(argument), to: target, in: self.context.main)
        }
        return publication
    }

    /// What those who preview an entry are shown of a lifecycle event: nothing, unless it says what the entry was before.
    func publication(of event: LifecycleEvent, onlyHere: Bool) -> Publication {
        let settings = self.context.configuration.livePreview
        guard settings.enabled, settings.draftEvents, UTF8Text(event.event) == "update", let previous = event.previous,
            previous.objectValue != nil, case .object(let entry) = event.data,
            let type = self.context.rules.value.content.schema.contentType(event.schema.uid)
        else { return .nobody }
        var publication = Publication()
        for id in Set(type.identity(of: entry).texts).sorted(by: { UTF8Text($0) < UTF8Text($1) }) {
            let entity = EntityRef(uid: type.uid, id: id)
            let one = try? self.publication(
                .change,
                entity,
                data: event.data,
                previous: previous,
                onlyHere: onlyHere
            )
            if let one { publication.append(one) }
        }
        return publication
    }

    private func argument(_ entity: EntityRef) -> JSONObject {
        [
            "uid": .string(entity.uid), "documentId": .string(entity.id),
            "timestamp": .int(Int(self.context.now() * 1000)),
        ]
    }

    // MARK: What editors change

    /// A client changes a field.
    ///
    /// - Returns: Whether there is room for it.
    func changed(_ socket: Socket, _ entity: EntityRef, _ field: UTF8Text, _ value: JSONValue) -> Bool {
        let edit = Edit(socket: SocketKey(socket: socket), entity: entity, field: field)
        let delay = self.context.rules(for: socket).configuration.livePreview.debounce
        enum Place { case new, old, none }
        let place = self.waiting.withLockedValue { waiting -> Place in
            if waiting.updateValue(value, forKey: edit) != nil { return .old }
            guard waiting.count(where: { $0.key.socket == edit.socket }) <= Self.maximumWaiting else {
                waiting[edit] = nil
                return .none
            }
            return .new
        }
        switch place {
        case .none: return false
        // The first value of a time decides when the last one is told.
        case .old: return true
        case .new:
            if delay == .zero { self.send(edit) } else { self.timer.set(edit, after: delay) }
            return true
        }
    }

    private func send(_ edit: Edit) {
        guard let value = self.waiting.withLockedValue({ $0.removeValue(forKey: edit) }) else { return }
        let data = JSONValue.object([edit.field: value])
        let socket = edit.socket.socket
        // The content type was there when the client changed the field.
        try? self.forEachAudience(edit.entity, data, nil) { data, _, rooms in
            // Whoever may not see the field hears nothing of it.
            guard let shown = data[edit.field.string] else { return }
            var argument = self.argument(edit.entity)
            argument["fieldName"] = .string(edit.field.string)
            argument["value"] = shown
            argument["editorSocketId"] = .string(socket.id.description)
            self.context.main.to(rooms).except(socket.id.room).emit("preview:field", values: [.object(argument)])
        }
    }

    /// What the client has changed last is told nobody any more.
    func disconnected(_ socket: Socket) {
        let key = SocketKey(socket: socket)
        let edits = self.waiting.withLockedValue { waiting -> [Edit] in
            guard !waiting.isEmpty else { return [] }
            let edits = waiting.keys.filter { $0.socket == key }
            for edit in edits { waiting[edit] = nil }
            return edits
        }
        for edit in edits { self.timer.remove(edit) }
    }
}
