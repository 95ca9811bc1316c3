import SocketIOWire

/// Why a value cannot be prepared for an audience.
///
/// Then nothing is sent.
enum SanitisationError: Error, Hashable, CustomStringConvertible {
    /// A field leads to a type or component that is not configured.
    case unknownType(String)
    /// A text or number stands where the `strapi4` format needs an entry.
    case entryIsNoObject

    var description: String {
        switch self {
        case .unknownType(let uid): "A field leads to '\(uid)', which is not configured"
        case .entryIsNoObject: "Entry must be an object"
        }
    }
}

/// Reduces an entry to what an audience may see.
///
/// If in doubt, it sends less: it drops what nobody declared public, and after an error nothing is sent.
struct Sanitiser: Sendable {
    let schema: Schema
    let blocklist: Blocklist

    /// The greatest depth.
    ///
    /// Objects that are nested more deeply are dropped, with the key that leads to them.
    static let maximumDepth = 20

    /// The part of a value that may be sent.
    ///
    /// The value is an entry or a list of entries. Anything else is returned unchanged. The projection says what the
    /// audience may see, and the selection says which relations to keep.
    func sanitise(
        _ value: JSONValue,
        as type: ContentType,
        for projection: Projection,
        selection: Selection
    ) throws(SanitisationError) -> JSONValue {
        let pass = SanitisingPass(schema: self.schema, blocklist: self.blocklist, projection: projection)
        guard
            let result = try pass.entries(
                value,
                shape: Shape(type),
                branch: .init(fields: nil, selection: selection),
                depth: 0
            )
        else { return .null }
        return result
    }
}

extension JSONValue {
    var isContainer: Bool {
        switch self {
        case .object, .array: true
        case .null, .bool, .int, .double, .string, .binary: false
        }
    }
}
