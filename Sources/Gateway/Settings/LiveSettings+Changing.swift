import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
public import SocketIOWire

/// Why settings could not be changed.
public enum SettingsChangeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// They were changed by somebody else; the entity tag of what is there now.
    case conflict(entityTag: String)
    /// There is no such version in the history.
    case unknownVersion

    /// The text for people.
    public var description: String {
        switch self {
        case .conflict: "The settings were changed meanwhile; read them again."
        case .unknownVersion:
            "There is no such version; the history keeps the last \(SettingsDocument.keptVersions)."
        }
    }
}

extension LiveSettings {
    /// What stands for what a store holds: it changes with everything that is written there.
    static func entityTag(of stored: StoredSettings) -> String {
        let revision = stored.revision.utf8.map { byte in
            byte.isASCIIAlphanumeric ? byte : UInt8(ascii: "-")
        }
        return "\(stored.document?.version ?? 0)-\(String(decoding: revision.prefix(16), as: UTF8.self))"
    }

    /// The document, and which settings nodes go by.
    ///
    /// - Throws: `ClusterError` if the store cannot be asked.
    public func status() async throws -> SettingsStatus {
        let stored = try await self.store.read(unless: nil) ?? .nothing
        let state = self.state.withLockedValue { $0 }
        let error: String? =
            if let problem = stored.problem {
                problem
            } else if stored.revision == state.stored?.revision {
                state.error
            } else {
                nil
            }
        return SettingsStatus(
            document: stored.document,
            entityTag: Self.entityTag(of: stored),
            versionInForce: state.document?.version,
            error: error,
            pending: state.pending,
            nodes: self.nodes { $0.revision == stored.revision && $0.error == nil }
        )
    }

    /// The last versions, the newest first.
    ///
    /// - Throws: `ClusterError` if the store cannot be asked.
    public func history() async throws -> [SettingsDocument] { try await self.store.history() }

    /// Replaces the document, if it still is what the caller has seen.
    ///
    /// It is checked before anything is done. When this returns, it is in force here, and the report says on which other
    /// nodes it is.
    ///
    /// - Parameters:
    ///   - settings: The new document, a JSON object.
    ///   - entityTag: What stands for the document that is to be replaced; `nil` for any.
    ///   - author: Who asks.
    ///   - note: Why.
    /// - Returns: What has changed, and on which nodes it is in force.
    /// - Throws: ``SettingsRefusal``, ``SettingsChangeError``, or `ClusterError` if it is not known whether the document
    ///   was replaced.
    public func replace(
        with settings: JSONValue,
        ifMatch entityTag: String?,
        by author: String,
        note: String? = nil
    ) async throws -> SettingsReport {
        var bytes = ByteBuffer()
        bytes.writeJSON(settings)
        return try await self.write(bytes, ifMatch: entityTag, by: author, note: note)
    }

    /// Goes back to a former version, which becomes a new one.
    ///
    /// - Parameters:
    ///   - version: The version; without it the one before the current one, or the newest of the history if what is there
    ///     was not written by a node.
    ///   - entityTag: What stands for the document that is to be replaced; `nil` for any.
    ///   - author: Who asks.
    /// - Returns: What has changed, and on which nodes it is in force.
    /// - Throws: What ``replace(with:ifMatch:by:note:)`` throws.
    public func rollBack(
        to version: Int? = nil,
        ifMatch entityTag: String?,
        by author: String
    ) async throws -> SettingsReport {
        let history = try await self.store.history()
        let current = try await self.store.read(unless: nil)?.document
        let wanted: SettingsDocument? =
            if let version {
                history.first { $0.version == version }
            } else if let newest = history.first, newest.settings != current?.settings {
                newest
            } else {
                history.dropFirst().first
            }
        guard let wanted else { throw SettingsChangeError.unknownVersion }
        return try await self.write(
            wanted.settings,
            ifMatch: entityTag,
            by: author,
            note: "back to version \(wanted.version)"
        )
    }

    private func write(
        _ settings: ByteBuffer,
        ifMatch entityTag: String?,
        by author: String,
        note: String?
    ) async throws -> SettingsReport {
        guard settings.readableBytes <= SettingsDocument.maximumBytes else {
            throw SettingsRefusal(problems: [SettingsDocument.tooLong(settings.readableBytes)])
        }
        let time = Int(self.io.context.now() * 1000)
        let (stored, proposal, clients) = try await self.applying.run {
            let before = try await self.store.read(unless: nil) ?? .nothing
            if let entityTag, UTF8Text(entityTag) != UTF8Text(Self.entityTag(of: before)) {
                throw SettingsChangeError.conflict(entityTag: Self.entityTag(of: before))
            }
            let draft = SettingsDocument(
                version: (before.document?.version ?? 0) + 1,
                settings: settings,
                author: author,
                time: time,
                note: note
            )
            do {
                let proposal = try await self.source.propose(draft)
                try await self.io.check(proposal.configuration)
            } catch {
                throw SettingsRefusal(error)
            }
            let written = try await self.store.write(
                settings,
                by: author,
                at: time,
                note: note,
                replacing: before.revision
            )
            guard let written else {
                let now = try await self.store.read(unless: nil) ?? .nothing
                throw SettingsChangeError.conflict(entityTag: Self.entityTag(of: now))
            }
            let (proposal, clients) = try await self.bring(written)
            return (written, proposal, clients)
        }
        let isDone: @Sendable (ConfigurationAnnouncement) -> Bool = { $0.revision == stored.revision }
        await self.waitForOthers(isDone)
        return self.report(stored, proposal, clients) { isDone($0) && $0.error == nil }
    }

    /// Reads everything again: what this node has of its own, and the document.
    ///
    /// - Parameter everywhere: Whether all other nodes are to do the same.
    /// - Returns: What has changed here, and which nodes have done it.
    /// - Throws: ``SettingsRefusal`` if it is wrong, or `ClusterError` if the document could never be read. What is in
    ///   force stays then.
    public func reload(everywhere: Bool) async throws -> SettingsReport {
        let id = APIToken.hexadecimal((0..<8).map { _ in UInt8.random(in: .min ... .max) })
        let (stored, proposal, clients) = try await self.applying.run {
            let stored = try await self.whatIsThere()
            let (proposal, clients) = try await self.bring(stored, done: [id])
            return (stored, proposal, clients)
        }
        let isDone: @Sendable (ConfigurationAnnouncement) -> Bool = { $0.reloads.contains(id) }
        if everywhere {
            do {
                try await self.io.context.sharing.signals.send(.settings, ConfigurationAnnouncement.reload(id))
                await self.waitForOthers(isDone)
            } catch is ClusterError {
                // The others could not be asked. The report says that they have not done it.
            }
        }
        return self.report(stored, proposal, clients) { isDone($0) && $0.error == nil }
    }

    private func waitForOthers(_ isDone: @escaping @Sendable (ConfigurationAnnouncement) -> Bool) async {
        await self.io.watch.wait(atMost: self.io.configuration.clusterTimeout) { nodes in
            nodes.allSatisfy { $0.announcement.revision == nil || isDone($0.announcement) }
        }
    }

    private func report(
        _ stored: StoredSettings,
        _ proposal: SettingsProposal,
        _ clients: ReloadReport,
        isInForce: (ConfigurationAnnouncement) -> Bool
    ) -> SettingsReport {
        SettingsReport(
            version: stored.document?.version,
            entityTag: Self.entityTag(of: stored),
            changes: proposal.changes,
            pending: proposal.pending,
            clients: clients,
            nodes: self.nodes(isInForce)
        )
    }

    /// This node and all other live nodes.
    private func nodes(_ isInForce: (ConfigurationAnnouncement) -> Bool) -> [SettingsNode] {
        ([self.io.watch.own] + self.io.watch.nodes.map(\.announcement)).map { node in
            SettingsNode(
                id: node.node.string,
                name: node.name,
                digest: node.digest.string,
                version: node.version,
                isInForce: isInForce(node),
                error: node.error
            )
        }
    }
}
