import Gateway

extension NodeConfiguration {
    /// A directory of users.
    struct Lookup: Sendable {
        /// `nil` if there is none.
        var url: String?
        var token: String?
        var settings = GatewayConfiguration.UserLookup(url: "")

        /// The same as the gateway has it.
        var directory: GatewayConfiguration.UserLookup? {
            guard let url = self.url else { return nil }
            var directory = self.settings
            directory.url = url
            directory.token = self.token
            return directory
        }
    }
}
