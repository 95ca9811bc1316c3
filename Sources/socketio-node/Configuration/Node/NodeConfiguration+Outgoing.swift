extension NodeConfiguration {
    /// How the node reaches other servers.
    struct Outgoing: Sendable {
        /// Addresses and networks besides those of the public Internet.
        var allow: [String] = []
        /// The file with the certificates that are trusted; `nil` for those that the system trusts.
        var caFile: String?
    }
}
