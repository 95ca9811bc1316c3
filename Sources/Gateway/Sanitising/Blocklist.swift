/// Names of fields that hold secrets wherever they stand.
///
/// Whole names, whatever their case: `hashtags`, `tokenCount` and `secretary` are no secrets.
struct Blocklist: Sendable, Hashable {
    /// Never sent, also if a content type declares them.
    static let defaultNames = [
        "password", "passwordHash", "resetPasswordToken", "registrationToken", "confirmationToken", "refreshToken",
        "accessToken", "privateKey", "private_key", "secretKey", "apiKey", "api_key", "secret",
    ]

    /// Too common to be refused to who declares them, too often secrets to be let out undeclared.
    private static let undeclaredNames: Set<String> = ["token", "salt", "hash"]

    private let names: Set<String>
    private let patterns: [Glob]

    init(additionalNames: [String] = [], patterns: [String] = []) {
        self.names = Set((Self.defaultNames + additionalNames).map { $0.lowercased() })
        self.patterns = patterns.map { Glob($0.lowercased()) }
    }

    /// Whether a field of this name is never sent.
    func blocks(_ name: String) -> Bool {
        let name = name.lowercased()
        return self.names.contains(name) || self.patterns.contains { $0.matches(name) }
    }

    /// Whether a field that nobody declared is not sent.
    func blocksUndeclared(_ name: String) -> Bool {
        Self.undeclaredNames.contains(name.lowercased()) || self.blocks(name)
    }
}
