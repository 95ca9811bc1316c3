import OrderedCollections
import SocketIOWire

/// Why a client's wish is refused: the `error` of its acknowledgement.
///
/// Clients compare the texts.
struct ClientRefusal: Error, Hashable {
    let message: String
    /// The milliseconds after which the same wish may be granted; `nil` if waiting does not help.
    let retryAfterMilliseconds: Int?

    init(_ message: String, retryAfterMilliseconds: Int? = nil) {
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// `{success: false, error, retryAfter?}`.
    var answer: JSONValue {
        var object: JSONObject = ["success": false, "error": .string(self.message)]
        object["retryAfter"] = self.retryAfterMilliseconds.map { .int($0) }
        return .object(object)
    }

    static let invalidPayload = ClientRefusal("Invalid payload")
    static let notAuthenticated = ClientRefusal("Not authenticated")
    static func rateLimitExceeded(retryAfterMilliseconds: Int) -> ClientRefusal {
        ClientRefusal("Rate limit exceeded", retryAfterMilliseconds: retryAfterMilliseconds)
    }
    /// The server or the cluster has failed.
    ///
    /// The text says what happened.
    static func internalError(_ reason: String) -> ClientRefusal { ClientRefusal("Internal error: \(reason)") }

    // Credentials
    static let foreignToken = ClientRefusal("Token belongs to another user")

    // Rooms
    static let invalidRoomName = ClientRefusal("Invalid room name")
    static let invalidRoomCharacters = ClientRefusal("Room name contains invalid characters")
    static let reservedRoom = ClientRefusal("Room name is reserved")
    static let privateRoomsDisabled = ClientRefusal("Private rooms are disabled")
    static let joinDenied = ClientRefusal("Permission denied")
    static func maximumRooms(_ count: Int) -> ClientRefusal { ClientRefusal("Maximum rooms (\(count)) reached") }

    // Private messages
    static let privateMessagesDisabled = ClientRefusal("Private messages are disabled")
    static let invalidParameters = ClientRefusal("Invalid parameters")
    static let invalidMessageLength = ClientRefusal("Invalid message length")
    static let targetNotFound = ClientRefusal("Target socket not found")

    // Entity subscriptions
    static let subscriptionsDisabled = ClientRefusal("Entity subscriptions are disabled")
    static let missingEntity = ClientRefusal("Invalid parameters: uid and id are required")
    static let invalidUID = ClientRefusal("Invalid content type uid format")
    static let invalidEntityID = ClientRefusal("Invalid entity id")
    static let typeNotAllowed = ClientRefusal("Content type not allowed for entity subscriptions")
    static func maximumSubscriptions(_ count: Int) -> ClientRefusal {
        ClientRefusal("Maximum subscriptions (\(count)) reached")
    }
    static let typeNotFound = ClientRefusal("Content type not found")
    static let noAccess = ClientRefusal("Permission denied: no access to this content type")
    static let noEntityAccess = ClientRefusal("Permission denied: no access to this entity")
    static func unknownIDField(_ fields: [String]) -> ClientRefusal {
        ClientRefusal("Invalid entity id: entities of this type are known by \(fields.joined(separator: ", "))")
    }
    static let entityNotFound = ClientRefusal("Entity not found")
    static let verificationFailed = ClientRefusal("Entity verification failed")
    static let socketNotFound = ClientRefusal("Socket not found")
}
