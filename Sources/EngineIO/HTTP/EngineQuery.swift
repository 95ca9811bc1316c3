/// The query parameters that mean something to the engine.
struct EngineQuery {
    /// `EIO`.
    var version: String?
    var transport: String?
    /// `sid`; an empty one counts as absent.
    var session: String?
    /// `b64`: the client cannot take raw bytes.
    var isTextOnly = false
    /// `j`: the digits of the JSON-P callback's index.
    var callback: String?

    /// Whether the client speaks protocol 4; everybody else is taken to speak protocol 3.
    var isVersion4: Bool { self.version == "4" }

    init(target: String) {
        for (name, value) in RequestTarget.query(of: target) {
            switch name {
            case "EIO": self.version = value
            case "transport": self.transport = value
            case "sid": self.session = value.isEmpty ? nil : value
            case "b64": self.isTextOnly = !value.isEmpty
            case "j": self.callback = value.filter { $0.isASCII && $0.isNumber }
            default: break
            }
        }
    }
}
