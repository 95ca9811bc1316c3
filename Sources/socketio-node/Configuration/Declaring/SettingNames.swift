import Gateway

/// Names of settings outside the file, and the nearest right name for a wrong one.
enum SettingNames {
    static let environmentPrefix = "SOCKETIO_"

    /// `adapter.redis.requestsTimeout` -> `SOCKETIO_ADAPTER_REDIS_REQUESTS_TIMEOUT`.
    static func environmentName(of path: String) -> String {
        var name = Self.environmentPrefix
        var previousIsLower = false
        for character in path {
            if character == "." {
                name += "_"
                previousIsLower = false
                continue
            }
            if character.isUppercase, previousIsLower { name += "_" }
            name += character.uppercased()
            previousIsLower = character.isLowercase || character.isNumber
        }
        return name
    }

    /// The candidate that differs by few enough letters to be what was meant.
    static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        Spelling.nearest(to: name, among: candidates)
    }
}
