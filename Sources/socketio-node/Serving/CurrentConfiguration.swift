import NIOConcurrencyHelpers

/// The configuration that is in force now, for what reads it when it needs it.
final class CurrentConfiguration: Sendable {
    private let box: NIOLockedValueBox<NodeConfiguration>

    init(_ configuration: NodeConfiguration) { self.box = NIOLockedValueBox(configuration) }

    var value: NodeConfiguration { self.box.withLockedValue { $0 } }

    func replace(by configuration: NodeConfiguration) { self.box.withLockedValue { $0 = configuration } }
}
