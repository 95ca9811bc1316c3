import NIOConcurrencyHelpers
public import NIOCore

/// Keeps the settings document that all nodes of a cluster share, and its former versions.
///
/// Anybody may have written anything there by hand. So a store tells what is there, and reading judges it.
public protocol SettingsStore: Sendable {
    /// What is there.
    ///
    /// - Parameter revision: The revision that the caller knows.
    /// - Returns: What is there; `nil` if it still has that revision.
    /// - Throws: `ClusterError` with the code `unreachable` if the store cannot be asked.
    func read(unless revision: String?) async throws -> StoredSettings?

    /// Replaces the document, puts it on top of the history, and tells all nodes by ``SignalTopic/settings``.
    ///
    /// - Parameters:
    ///   - settings: The new settings.
    ///   - author: Who asks for it.
    ///   - time: When, in milliseconds since 1970.
    ///   - note: Why, if that is known.
    ///   - revision: The revision that is to be replaced.
    /// - Returns: What is there now; `nil` if it has another revision than the one that was to be replaced. Then nothing
    ///   was done.
    /// - Throws: `ClusterError` with the code `unreachable` if it is not known whether it was done.
    func write(
        _ settings: ByteBuffer,
        by author: String,
        at time: Int,
        note: String?,
        replacing revision: String
    ) async throws -> StoredSettings?

    /// The last versions that were written, the newest first; at most ``SettingsDocument/keptVersions``.
    ///
    /// - Throws: `ClusterError` with the code `unreachable` if the store cannot be asked.
    func history() async throws -> [SettingsDocument]
}

extension SignalTopic {
    /// Settings: which ones are there, and which ones nodes go by.
    public static let settings = SignalTopic("settings")
}

/// One version of the settings that all nodes share.
public struct SettingsDocument: Sendable, Hashable {
    /// How many versions are kept.
    public static let keptVersions = 20
    /// The longest document, in bytes of JSON.
    public static let maximumBytes = 262_144

    /// Counts up with each change, from 1.
    public var version: Int
    /// The JSON of the settings, as it was written.
    public var settings: ByteBuffer
    /// Who wrote it.
    public var author: String
    /// When, in milliseconds since 1970.
    public var time: Int
    /// Why, if that is known.
    public var note: String?

    /// A version.
    public init(version: Int, settings: ByteBuffer, author: String, time: Int, note: String? = nil) {
        self.version = version
        self.settings = settings
        self.author = author
        self.time = time
        self.note = note
    }
}

/// What a store of settings holds.
public struct StoredSettings: Sendable, Hashable {
    /// Changes with everything that is written there, by whom and how ever.
    public var revision: String
    /// The document; `nil` if there is none, or if what is there is no document.
    public var document: SettingsDocument?
    /// Why what is there is no document; `nil` if it is one, or if there is nothing.
    public var problem: String?

    /// What a store holds.
    public init(revision: String, document: SettingsDocument? = nil, problem: String? = nil) {
        self.revision = revision
        self.document = document
        self.problem = problem
    }

    /// A store without a document.
    public static let nothing = StoredSettings(revision: "0")
}

/// The settings of a gateway that is alone, or of several gateways in one process.
public final class InMemorySettings: SettingsStore {
    private struct State {
        var stored = StoredSettings.nothing
        var history: [SettingsDocument] = []
        var last = 0
        var changes = 0
    }

    private let state = NIOLockedValueBox(State())
    private let signals: (any ClusterSignals)?

    /// Makes a store without a document.
    ///
    /// - Parameter signals: What is told of changes.
    public init(signals: (any ClusterSignals)? = nil) {
        self.signals = signals
    }

    /// What is there.
    public func read(unless revision: String?) async throws -> StoredSettings? {
        let stored = self.state.withLockedValue { $0.stored }
        return stored.revision == revision ? nil : stored
    }

    /// The last versions, the newest first.
    public func history() async throws -> [SettingsDocument] { self.state.withLockedValue { $0.history } }

    /// Replaces the document.
    public func write(
        _ settings: ByteBuffer,
        by author: String,
        at time: Int,
        note: String?,
        replacing revision: String
    ) async throws -> StoredSettings? {
        let written: StoredSettings? = self.state.withLockedValue { state in
            guard state.stored.revision == revision else { return nil }
            state.last += 1
            state.changes += 1
            let document = SettingsDocument(
                version: state.last,
                settings: settings,
                author: author,
                time: time,
                note: note
            )
            state.stored = StoredSettings(revision: "m\(state.changes)", document: document)
            state.history.insert(document, at: 0)
            if state.history.count > SettingsDocument.keptVersions { state.history.removeLast() }
            return state.stored
        }
        if let written { try? await self.signals?.send(.settings, ConfigurationAnnouncement.change(written.revision)) }
        return written
    }

    /// Puts something there as if it had been written by hand; no history tells of it.
    public func overwrite(_ settings: ByteBuffer) {
        self.state.withLockedValue { state in
            state.changes += 1
            let version = state.stored.document?.version ?? 0
            state.stored = StoredSettings(
                revision: "m\(state.changes)",
                document: SettingsDocument(version: version, settings: settings, author: "", time: 0)
            )
        }
    }
}
