import EngineIO
import Foundation
import Gateway
import NIOCore
import SocketIOWire

extension TextRule {
    static let nonEmpty = TextRule(expectation: "a text that is not empty", pattern: #"[\s\S]"#, example: "a text") {
        !$0.isEmpty
    }

    /// Read, and refused with the reason, when all settings are known.
    static let redisURL = TextRule(
        expectation: "a URL such as redis://127.0.0.1:6379",
        pattern: "://",
        example: "redis://127.0.0.1:6379"
    ) {
        !$0.isEmpty
    }

    static let host = TextRule(
        expectation: "a host name or IP address to listen on, such as 127.0.0.1 or 0.0.0.0",
        pattern: #"^[^\s/]+$"#,
        example: "node-1.internal"
    ) {
        !$0.isEmpty && !$0.contains(where: { $0.isWhitespace || $0 == "/" })
    }

    /// As long as the other nodes take it for one.
    static let nodeAddress = TextRule(
        expectation: "an address such as node-1.internal:3000, of 256 bytes at most",
        pattern: #"^[\s\S]{1,256}$"#,
        example: "node-1.internal:3000"
    ) {
        (1...256).contains($0.utf8.count)
    }

    static let urlPath = TextRule(
        expectation: "a path that begins with /, such as /socket.io",
        pattern: "^/[!-<>@-~=]*$",
        example: "/live"
    ) { text in
        text.hasPrefix("/") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") }
    }

    static let origin = TextRule(
        expectation: "an origin as a browser sends it: in lower case, without path, wildcard or default port, such as "
            + "https://app.example.com, capacitor://localhost or null; or \"*\" for all",
        pattern: #"^(\*|null|[a-z][a-z0-9+.-]*://[^\s/]*)$"#,
        example: "https://app.example.com"
    ) { text in
        text.utf8.elementsEqual("*".utf8) || text.utf8.elementsEqual("null".utf8)
            || OriginText.isValid(Array(text.utf8))
    }

    static let httpMethod = TextRule(
        expectation: "an HTTP method in capitals, such as GET",
        pattern: "^[A-Z]+$",
        example: "PUT"
    ) { text in
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }

    static let headerName = TextRule(
        expectation: "the name of an HTTP header",
        pattern: "^[!-9;-~]+$",
        example: "X-Request-ID"
    ) { text in
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    }

    static let uid = TextRule(
        expectation: "a content type's uid, such as api::article.article",
        pattern: #"^(api|plugin)::[a-z0-9-]+\.[a-z0-9-]+$"#,
        example: "api::article.article"
    ) {
        ContentType.isValidUID($0)
    }

    static let contentTypeUID = TextRule(
        expectation: "a content type's uid, such as api::article.article, or \"*\"",
        pattern: #"^(\*|(api|plugin)::[a-z0-9-]+\.[a-z0-9-]+)$"#,
        example: "api::article.article"
    ) {
        $0 == ContentType.wildcardUID || ContentType.isValidUID($0)
    }

    static let slug = TextRule(
        expectation: "lower-case letters, digits, - and _ (at most 64), beginning with a letter",
        pattern: "^[a-z][a-z0-9_-]{0,63}$",
        example: "editor"
    ) { text in
        guard text.utf8.count <= 64, let first = text.utf8.first,
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
        else { return false }
        return text.utf8.allSatisfy { Self.isLowerAlphanumericOrDash($0) || $0 == UInt8(ascii: "_") }
    }

    static let fieldName = TextRule(
        expectation: "a field's name: letters, digits and _",
        pattern: "^[A-Za-z0-9_-]+$",
        example: "title"
    ) { text in
        !text.isEmpty && text.utf8.allSatisfy { Self.isWordCharacter($0) }
    }

    static let componentName = TextRule(
        expectation: "a component's name, such as shared.seo",
        pattern: #"^[a-z0-9-]+\.[a-z0-9-]+$"#,
        example: "shared.seo"
    ) { text in
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(Self.isLowerAlphanumericOrDash) }
    }

    static let namespaceName = TextRule(
        expectation: "a namespace's name without its slash, such as admin: at most 128 bytes, without commas",
        pattern: "^[^/,][^,]{0,127}$",
        example: "admin"
    ) { text in
        let bytes = Array(text.utf8)
        return (1...128).contains(bytes.count) && bytes[0] != UInt8(ascii: "/") && !bytes.contains(UInt8(ascii: ","))
    }

    static let scope = TextRule(
        expectation: "a scope: <uid>.<action>, <uid>.*, *.<action>, *, or one of "
            + Scope.verbs.map { "io.\($0)" }.joined(separator: ", "),
        pattern: #"^(\*|(\*|io|(api|plugin)::[a-z0-9-]+\.[a-z0-9-]+)\.([A-Za-z0-9_:-]+|\*|\*:any))$"#,
        example: "api::article.article.find"
    ) { text in
        guard let scope = Scope(text) else { return false }
        return scope.subject != "io" || scope.action == "*" || Scope.verbs.contains(scope.action)
    }

    static let room = TextRule(
        expectation: "a room's name of 1 to 128 characters",
        pattern: #"[\s\S]"#,
        example: "newsroom"
    ) { text in
        !text.isEmpty && text.count <= 128
    }

    static let action = TextRule(
        expectation: "an action's name, such as create, or *",
        pattern: #"^(\*|[A-Za-z0-9_-]+)$"#,
        example: "create"
    ) { text in
        text == "*" || (!text.isEmpty && text.utf8.allSatisfy(Self.isWordCharacter))
    }

    /// Where a hash is expected, somebody may have put the token.
    static let tokenHash = TextRule(
        expectation: "128 hexadecimal digits, as `socketio-node token hash` prints them",
        pattern: "^[0-9A-Fa-f]{128}$",
        example: String(repeating: "0f", count: 64),
        hidesValue: true
    ) { text in
        text.utf8.count == 128 && text.utf8.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
    }

    /// HMAC keys shorter than the digest weaken it, and the JWT library refuses them.
    static let jwtSecret = TextRule(
        expectation: "a secret of at least 32 bytes (make one with `openssl rand -base64 48`)",
        pattern: #"^[\s\S]{8,}$"#,
        example: "of thirty-two bytes or more, and by chance"
    ) { $0.utf8.count >= 32 }

    static let httpURL = TextRule(
        expectation: "a URL such as https://api.example.com/hooks/socketio",
        pattern: "^[Hh][Tt][Tt][Pp][Ss]?://",
        example: "https://api.example.com/hooks/socketio",
        hidesValue: true
    ) {
        OutgoingURL($0) != nil
    }

    static let jsonObject = TextRule(
        expectation: "an object in JSON, such as {\"type\": \"object\"}",
        pattern: #"^\s*\{[\s\S]*\}\s*$"#,
        example: #"{"type":"object"}"#
    ) {
        (try? JSONValue(parsing: ByteBuffer(string: $0)))?.objectValue != nil
    }

    static let webhookSecret = TextRule(
        expectation: "whsec_ and 24 to 64 bytes in Base64 (make one with `echo whsec_$(openssl rand -base64 32)`)",
        pattern: #"^[\s\S]{8,}$"#,
        example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    ) {
        Webhook.isSecret($0)
    }

    static let salt = TextRule(
        expectation: "a salt of at least 16 bytes (make one with `openssl rand -base64 24`)",
        pattern: #"^[\s\S]{4,}$"#,
        example: "of sixteen bytes or more, and by chance"
    ) { $0.utf8.count >= 16 }

    static let date = TextRule(
        expectation: "a date, such as 2030-01-31 or 2030-01-31T12:00:00Z",
        pattern: "^[0-9]{4,}-",
        example: "2030-01-31"
    ) {
        Self.parseDate($0) != nil
    }

    /// Checked by the gateway, which knows the forms.
    static let address = TextRule(
        expectation: "an IP address or a network such as 10.0.0.0/8 or fd00::/8",
        pattern: #"^([0-9.]+|[0-9A-Fa-f:.]+(%[^/]*)?)(/[0-9]{1,3})?$"#,
        example: "10.0.0.0/8"
    ) {
        AddressRange($0) != nil
    }

    /// A date or a point in time of ISO 8601; a date alone means its first moment in UTC.
    static func parseDate(_ text: String) -> Date? {
        if let date = try? Date(text, strategy: .iso8601) { return date }
        if let date = try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)) {
            return date
        }
        return try? Date(text, strategy: .iso8601.year().month().day())
    }

    private static func isLowerAlphanumericOrDash(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func isWordCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
