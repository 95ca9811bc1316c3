import OrderedCollections
public import SocketIOWire

/// Something that happened to an entry of a content type, as a back end reports it.
public struct LifecycleEvent: Sendable, Hashable {
    /// What happened: `create`, `update`, `delete`, `publish`, or a name of the publisher's choice.
    public var event: String
    /// The content type.
    public var schema: SchemaReference
    /// The entry, or a list of entries.
    public var data: JSONValue
    /// The entry as it was before.
    public var previous: JSONValue?
    /// Makes a repeated report harmless, because a node sends events with the same id only once.
    public var eventID: String?
    /// When it happened, in the publisher's words.
    public var at: JSONValue?

    /// The longest ``eventID`` that is read.
    static let maximumIDBytes = 256

    /// Names a content type or what happened to an entry of one.
    public init(
        event: String,
        schema: SchemaReference,
        data: JSONValue,
        previous: JSONValue? = nil,
        eventID: String? = nil,
        at: JSONValue? = nil
    ) {
        self.event = event
        self.schema = schema
        self.data = data
        self.previous = previous
        self.eventID = eventID
        self.at = at
    }

    /// Reads the object `{event, schema, data, previous?, eventId?, at?}`.
    ///
    /// - Throws: ``GatewayError`` that says which member is missing or wrong.
    public init(_ value: JSONValue) throws {
        guard case .object(let object) = value else {
            throw GatewayError(
                .invalidArguments,
                "A lifecycle event must be an object {event, schema, data}, not \(value.kindName)"
            )
        }
        guard let event = object["event"]?.stringValue else {
            throw GatewayError(.invalidArguments, "A lifecycle event needs a text in 'event', such as 'update'")
        }
        guard let schema = object["schema"].flatMap({ SchemaReference($0) }) else {
            throw GatewayError(
                .invalidArguments,
                "A lifecycle event needs a content type in 'schema': its uid, or an object with 'uid'"
            )
        }
        let eventID = object["eventId"] ?? .null
        guard eventID.isNull || eventID.stringValue != nil else {
            throw GatewayError(.invalidArguments, "A lifecycle event's 'eventId' must be a text")
        }
        // The length is limited because ids are remembered.
        guard (eventID.stringValue?.utf8.count ?? 0) <= Self.maximumIDBytes else {
            throw GatewayError(
                .invalidArguments,
                "A lifecycle event's 'eventId' may have at most \(Self.maximumIDBytes) bytes"
            )
        }
        self.init(
            event: event,
            schema: schema,
            data: object["data"] ?? .null,
            previous: object["previous"],
            eventID: eventID.stringValue,
            at: object["at"]
        )
    }
}

/// Names a content type, with or without the first half of the event's name.
public struct SchemaReference: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The content type's uid.
    public var uid: String
    /// Replaces the type's own name in the event's name.
    public var singularName: String?

    /// Names a content type or what happened to an entry of one.
    public init(uid: String, singularName: String? = nil) {
        self.uid = uid
        self.singularName = singularName
    }

    /// Names a content type or what happened to an entry of one.
    public init(stringLiteral value: String) {
        self.init(uid: value)
    }

    /// Reads a uid, or an object `{uid, singularName?}`.
    public init?(_ value: JSONValue) {
        switch value {
        case .string(let uid):
            self.init(uid: uid)
        case .object(let object):
            guard let uid = object["uid"]?.stringValue else { return nil }
            self.init(uid: uid, singularName: object["singularName"]?.stringValue)
        default:
            return nil
        }
    }
}

extension JSONValue {
    /// The kind of this value, for error messages.
    var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a text"
        case .binary: "bytes"
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// Whether the value is false to JavaScript.
    var isFalsy: Bool {
        switch self {
        case .null, .bool(false), .int(0), .string(""): true
        case .double(let number): number == 0 || number.isNaN
        case .bool, .int, .string, .binary, .array, .object: false
        }
    }
}
