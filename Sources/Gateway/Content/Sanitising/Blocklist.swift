import SocketIOWire

/// Names of fields that hold secrets, in all types.
///
/// Only whole names count, in upper or lower case: `hashtags`, `tokenCount` and `secretary` are no secrets.
struct Blocklist: Sendable, Hashable {
    /// These are never sent, even if a content type declares them.
    static let defaultNames = [
        "password", "passwordHash", "resetPasswordToken", "registrationToken", "confirmationToken", "refreshToken",
        "accessToken", "privateKey", "private_key", "secretKey", "apiKey", "api_key", "secret",
    ]

    /// These are sent only if a content type declares them: the names are common, but the fields are often secrets.
    private static let undeclaredNames: Set<UTF8Text> = ["token", "salt", "hash"]

    private let names: Set<UTF8Text>
    private let patterns: [Glob]

    init(additionalNames: [String] = [], patterns: [String] = []) {
        self.names = Set((Self.defaultNames + additionalNames).map { UTF8Text($0.inSmallLetters) })
        self.patterns = patterns.map { Glob($0.inSmallLetters) }
    }

    /// Whether a field of this name is never sent.
    func blocks(_ name: UTF8Text) -> Bool { self.blocks(inSmallLetters: UTF8Text(name.string.inSmallLetters)) }

    private func blocks(inSmallLetters name: UTF8Text) -> Bool {
        self.names.contains(name) || self.patterns.contains { $0.matches(name.string) }
    }

    /// Whether a field of this name is not sent unless it is declared.
    func blocksUndeclared(_ name: UTF8Text) -> Bool {
        let name = UTF8Text(name.string.inSmallLetters)
        return Self.undeclaredNames.contains(name) || self.blocks(inSmallLetters: name)
    }
}
