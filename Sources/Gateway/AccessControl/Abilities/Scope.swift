import SocketIOWire

/// A permission: an action on a content type, or one of the gateway's own verbs.
///
/// A scope is written `<uid>.<action>`, `<uid>.*`, `*.<action>` or `*`. Reading is the action `find` or `findOne`. The
/// verbs of the publish API are actions of the subject `io`: `io.emit`, `io.raw`, `io.rooms`, `io.sockets`,
/// `io.audiences`, `io.entities`, `io.monitor`, `io.settings`,
/// `io.tokens`. A holder of `io.sockets` may let sockets join rooms. The
/// gateway's own rooms decide what a socket may see, so they need `io.audiences` as well.
public struct Scope: Sendable, Hashable, CustomStringConvertible {
    /// A content type's uid, `io`, or `*`.
    public let subject: String
    /// An action's name or `*`.
    public let action: String

    /// The gateway's own verbs.
    public static let verbs = [
        "emit", "raw", "rooms", "sockets", "audiences", "entities", "monitor", "settings", "tokens",
    ]

    /// Everything.
    public static let all = Scope(subject: "*", action: "*")

    init(subject: String, action: String) {
        self.subject = subject
        self.action = action
    }

    /// Reads a scope, such as `Scope("api::article.article.create")!` for one that is written in the program; `nil` if the
    /// text has none of these four forms.
    public init?(_ text: String) {
        if UTF8Text(text) == "*" {
            self = .all
            return
        }
        guard let dot = text.utf8.lastIndex(of: UInt8(ascii: ".")) else { return nil }
        let subject = String(text[..<dot])
        let action = String(text[text.utf8.index(after: dot)...])
        guard UTF8Text(subject) == "*" || UTF8Text(subject) == "io" || ContentType.isValidUID(subject) else {
            return nil
        }
        guard !action.isEmpty, action.utf8.count <= 64 else { return nil }
        let isName = action.utf8.allSatisfy { byte in
            byte.isASCIIAlphanumeric || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: ":")
        }
        guard isName || UTF8Text(action) == "*" || UTF8Text(action) == "*:any" else { return nil }
        self.init(subject: subject, action: action)
    }

    /// The scope as it is written.
    public var description: String {
        self == .all ? "*" : "\(self.subject).\(self.action)"
    }
}
