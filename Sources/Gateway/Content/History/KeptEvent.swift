import SocketIOWire

/// An event about an entry whose content type has a history.
struct KeptEvent: Sendable {
    /// The event, with the whole entry.
    var event: LifecycleEvent
    var retention: HistoryRetention
    /// The ids by which the entry is known.
    var ids: [String]
    /// The forms of the ids that the entry may have besides.
    ///
    /// Its histories by such ids miss this event.
    var unknownForms: [IDForm]

    /// The histories that get it.
    var keys: [HistoryKey] { self.ids.map { .entity(EntityRef(uid: self.event.schema.uid, id: $0)) } }
    /// The marks of the histories that miss it.
    var marks: [String] { self.unknownForms.map { Self.mark(uid: self.event.schema.uid, $0) } }

    /// The mark of all histories of entities of a type by ids of a form.
    static func mark(uid: String, _ form: IDForm) -> String { "\(uid)#\(form.rawValue)" }
}

extension HistoryKey {
    /// The mark that says that an event may be missing in this history.
    var mark: String? {
        switch self {
        case .room: nil
        case .entity(let entity): KeptEvent.mark(uid: entity.uid, IDForm(of: entity.id))
        }
    }
}

extension ContentRules {
    /// What histories keep of an event; `nil` if its type has none, or it is not about a single entry.
    func kept(_ event: LifecycleEvent, _ data: JSONValue, type: ContentType, _ delivery: DeliveryPlan) -> KeptEvent? {
        guard type.history.isOn, data.objectValue != nil, !delivery.ids.isEmpty else { return nil }
        var event = event
        event.data = data
        event.previous = nil
        return KeptEvent(
            event: event,
            retention: type.history,
            ids: delivery.ids,
            unknownForms: delivery.unknownForms
        )
    }
}
