import ArgumentParser
import Foundation
import Gateway

/// Makes API tokens and their hashes, and revokes tokens.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make API tokens for clients and back ends, and revoke tokens of all kinds.",
        subcommands: [TokenCreate.self, TokenHash.self, TokenRevoke.self]
    )
}

/// The salt that hashes are made with.
struct SaltOptions: ParsableArguments {
    // `.unconditional`: one salt in 64 begins with a dash.
    @Option(
        name: .long,
        parsing: .unconditional,
        help: "The salt; gateway.apiTokenSalt of the configuration if not given."
    )
    var salt: String?

    @OptionGroup var options: ConfigurationOptions

    /// - Returns: The salt, and whether it was made just now because there is none.
    func load() throws -> (salt: String, isNew: Bool) {
        if let salt = self.salt {
            guard TextRule.salt.accepts(salt) else {
                throw ValidationError("--salt: expected \(TextRule.salt.expectation)")
            }
            return (salt, false)
        }
        let loaded = try self.options.loadOrExit()
        if !loaded.node.gateway.apiTokenSalt.isEmpty { return (loaded.node.gateway.apiTokenSalt, false) }
        return (String(APIToken.makeKey().prefix(48)), true)
    }
}

/// Makes a key, and prints it once together with what goes into the configuration.
struct TokenCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a token: prints the key, and the entry of the configuration that accepts it.",
        discussion: "Example: socketio-node token create backend --scopes io.emit,io.raw --expires 2030-12-31"
    )

    @Argument(help: "The token's name: lower-case letters, digits, - and _.")
    var name: String

    @Option(help: "read-only, full-access or custom.")
    var type = "custom"

    @Option(help: "A custom token's scopes, separated by commas.")
    var scopes: String?

    @Option(help: "When it ends: a date such as 2030-12-31.")
    var expires: String?

    @Flag(help: "Print the key alone on the first line and the entry as one line of YAML on the second, for scripts.")
    var compact = false

    @OptionGroup var saltOptions: SaltOptions

    func validate() throws {
        guard TextRule.slug.accepts(self.name) else {
            throw ValidationError("The name must be \(TextRule.slug.expectation).")
        }
        guard let kind = APIToken.Kind(rawValue: self.type) else {
            throw ValidationError("--type must be read-only, full-access or custom.")
        }
        if kind == .custom, self.scopeList.isEmpty {
            throw ValidationError("A custom token needs --scopes, such as --scopes io.emit,io.raw.")
        }
        if kind != .custom, !self.scopeList.isEmpty {
            throw ValidationError("--scopes has no effect on a \(self.type) token.")
        }
        for scope in self.scopeList where !TextRule.scope.accepts(scope) {
            throw ValidationError("--scopes: '\(scope)' is wrong; expected \(TextRule.scope.expectation).")
        }
        if let expires = self.expires, !TextRule.date.accepts(expires) {
            throw ValidationError("--expires must be \(TextRule.date.expectation).")
        }
    }

    private var scopeList: [String] {
        self.scopes?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
    }

    func run() async throws {
        let (salt, isNew) = try self.saltOptions.load()
        let key = APIToken.makeKey()
        let hash = APIToken.hash(of: key, salt: salt)
        let scopes = self.scopeList.map { "\"\($0)\"" }.joined(separator: ", ")
        if self.compact {
            var entry = "\(self.name): {type: \(self.type), hash: \"\(hash)\""
            if !scopes.isEmpty { entry += ", scopes: [\(scopes)]" }
            if let expires = self.expires { entry += ", expiresAt: \"\(expires)\"" }
            print(key)
            print("{\(entry)}}")
            if isNew { throw CleanExit.message("# a new salt: \(salt)") }
            return
        }
        print("The token, shown this once:")
        print("")
        print(key)
        print("")
        print("The configuration that accepts it:")
        print("")
        print("gateway:")
        if isNew { print("  apiTokenSalt: \"\(salt)\"   # new, for there was none") }
        print("  apiTokens:")
        print("    \(self.name):")
        print("      type: \(self.type)")
        print("      hash: \"\(hash)\"")
        if !scopes.isEmpty { print("      scopes: [\(scopes)]") }
        if let expires = self.expires { print("      expiresAt: \"\(expires)\"") }
    }
}

/// Prints the hash of a key that exists already.
struct TokenHash: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash",
        abstract: "Print a token's hash; the token is read from standard input, so that no shell remembers it."
    )

    @OptionGroup var saltOptions: SaltOptions

    func run() async throws {
        let (salt, isNew) = try self.saltOptions.load()
        guard !isNew else {
            throw ValidationError("There is no salt: give --salt, or set gateway.apiTokenSalt in the configuration.")
        }
        guard let key = readLine(strippingNewline: true)?.trimmingCharacters(in: .whitespaces), !key.isEmpty else {
            throw ValidationError("Write the token to standard input.")
        }
        print(APIToken.hash(of: key, salt: salt))
    }
}
