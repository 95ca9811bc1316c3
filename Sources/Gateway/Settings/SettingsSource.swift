import NIOCore
public import SocketIOWire

/// Makes configurations of what a node has of its own and of the settings that all nodes share.
///
/// An application has its own form of settings. This is where it says what they mean.
public protocol SettingsSource: Sendable {
    /// The configuration that a document leads to.
    ///
    /// It changes nothing.
    ///
    /// It is called with each document, and again with the same one when somebody asks to read everything again. Then what
    /// the node has of its own may have changed, such as a file.
    ///
    /// - Parameter document: The settings that all nodes share; `nil` if there are none.
    /// - Returns: What would be put into force.
    /// - Throws: ``SettingsRefusal`` or ``GatewayError`` with everything that is wrong.
    func propose(_ document: SettingsDocument?) async throws -> SettingsProposal
}

/// A configuration that could be put into force.
public struct SettingsProposal: Sendable {
    /// What the gateway would go by.
    public var configuration: GatewayConfiguration
    /// What differs from what is in force.
    public var changes: [SettingsChange]
    /// The keys whose values are not in force until this node starts anew.
    public var pending: [String]
    /// What else is to be the same on all nodes; the digest is made of it, too.
    public var others: String
    /// Puts into force what is not the gateway's.
    ///
    /// It cannot fail.
    public var apply: @Sendable () async -> Void

    /// A proposal.
    public init(
        configuration: GatewayConfiguration,
        changes: [SettingsChange] = [],
        pending: [String] = [],
        others: String = "",
        apply: @escaping @Sendable () async -> Void = {}
    ) {
        self.configuration = configuration
        self.changes = changes
        self.pending = pending
        self.others = others
        self.apply = apply
    }
}

/// A setting whose value changes.
public struct SettingsChange: Sendable, Hashable {
    /// The key, such as `gateway.roles.editor.scopes`.
    public var key: String
    /// Whether the new value is in force only when the node starts anew.
    public var needsRestart: Bool

    /// A change.
    public init(key: String, needsRestart: Bool = false) {
        self.key = key
        self.needsRestart = needsRestart
    }
}

/// Why settings are refused: everything that is wrong with them.
public struct SettingsRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence for each problem.
    public var problems: [String]

    /// A refusal.
    public init(problems: [String]) { self.problems = problems }

    /// All problems in one line.
    public var description: String { self.problems.joined(separator: "; ") }

    /// What is wrong, whatever was thrown.
    init(_ error: any Error) {
        switch error {
        case let refusal as SettingsRefusal: self = refusal
        case let error as GatewayError where !error.problems.isEmpty:
            self.init(problems: error.problems.map(\.description))
        default: self.init(problems: ["\(error)"])
        }
    }
}

/// Settings that a closure understands.
///
/// ```swift
/// import Gateway
///
/// func follow(_ io: IO) async throws -> LiveSettings {
///     try await io.follow(
///         SettingsClosure { settings in
///             var configuration = GatewayConfiguration()
///             configuration.rooms.enablePrivateRooms = settings?["privateMessages"]?.boolValue ?? false
///             return configuration
///         }
///     )
/// }
/// ```
public struct SettingsClosure: SettingsSource {
    private let configure: @Sendable (JSONValue?) async throws -> GatewayConfiguration

    /// Settings that a closure understands.
    ///
    /// It gets the JSON of the document, and `nil` if there is none.
    public init(_ configure: @escaping @Sendable (JSONValue?) async throws -> GatewayConfiguration) {
        self.configure = configure
    }

    /// The configuration that the closure makes.
    public func propose(_ document: SettingsDocument?) async throws -> SettingsProposal {
        SettingsProposal(configuration: try await self.configure(try document?.value()))
    }
}

extension SettingsDocument {
    /// The settings as JSON.
    ///
    /// - Throws: ``SettingsRefusal`` if they are no JSON object, or too long.
    public func value() throws(SettingsRefusal) -> JSONValue {
        guard self.settings.readableBytes <= Self.maximumBytes else {
            throw SettingsRefusal(problems: [Self.tooLong(self.settings.readableBytes)])
        }
        let value: JSONValue
        do {
            value = try JSONValue(parsing: self.settings)
        } catch {
            throw SettingsRefusal(problems: ["the settings are not JSON: \(error)"])
        }
        guard value.objectValue != nil else {
            throw SettingsRefusal(problems: ["the settings are no JSON object; expected {\"gateway\": {…}}"])
        }
        return value
    }

    static func tooLong(_ count: Int) -> String {
        "the settings have \(count) bytes; there may be \(Self.maximumBytes)"
    }
}
