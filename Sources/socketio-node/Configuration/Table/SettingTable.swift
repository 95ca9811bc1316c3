/// Every setting of the node, each declared once.
///
/// Reading, the names in the environment and of flags, `config/node.yaml`, `docs/configuration.md`,
/// `config/node.schema.json`, what is hidden, and the difference of two configurations are all made from this table.
enum SettingTable {
    /// Variables that share the prefix and are no settings: the command line's own.
    static let otherVariables: Set<String> = ["SOCKETIO_CONFIG", "SOCKETIO_TOKEN", "SOCKETIO_URL", "SOCKETIO_TARGETS"]

    /// The groups of the file, in its order.
    static let declarations: [SettingDeclaration<NodeConfiguration>] = [
        Self.listen, Self.heartbeat, Self.limits, Self.cors, Self.adapter, Self.recovery, Self.gateway, Self.publish,
        Self.outgoing, Self.console, Self.logging, Self.shutdown,
    ]

    /// The same with their defaults.
    static let root: [SettingField] = {
        let defaults = NodeConfiguration()
        return Self.declarations.map { $0.field(of: defaults) }
    }()

    static let port = 0...65_535
}
