import SocketIOWire

/// What the command line says.
struct BenchOptions {
    /// What connects several servers over Redis.
    enum Adapter: String, CaseIterable { case redis, sharded, streams }

    static let usage = """
        usage: bench-server PORT [REDIS_URL] [--adapter \(Adapter.allCases.map(\.rawValue).joined(separator: "|"))] \
        [--subscriptions rooms] [--recovery SECONDS] [--loops N] [--async]
        """

    var port: Int
    /// `nil`: this server alone.
    var redis: String?
    var adapter = Adapter.redis
    /// Whether the adapter `redis` subscribes to single rooms.
    var subscribesToRooms = false
    /// For how many seconds a client may be away; `nil` is not at all.
    var recovery: Int?
    var loops = 1
    /// Whether the handler of `echo` is asynchronous.
    var isAsync = false

    /// - Returns: `nil` for what cannot be understood.
    init?(_ arguments: [String]) {
        var words: [String] = []
        self.port = 0
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch UTF8Text(argument) {
            case "--async": self.isAsync = true
            case "--loops":
                guard let count = rest.popFirst().flatMap({ Int($0) }), count > 0 else { return nil }
                self.loops = count
            case "--recovery":
                guard let seconds = rest.popFirst().flatMap({ Int($0) }), (1...86_400).contains(seconds) else {
                    return nil
                }
                self.recovery = seconds
            case "--adapter":
                guard let adapter = rest.popFirst().flatMap({ Adapter(rawValue: $0) }) else { return nil }
                self.adapter = adapter
            case "--subscriptions":
                guard let kind = rest.popFirst().map({ UTF8Text($0) }), kind == "rooms" || kind == "pattern" else {
                    return nil
                }
                self.subscribesToRooms = kind == "rooms"
            case _ where argument.utf8.starts(with: "--".utf8): return nil
            default: words.append(argument)
            }
        }
        guard (1...2).contains(words.count), let port = Int(words[0]), (0...65_535).contains(port) else { return nil }
        self.port = port
        self.redis = words.count > 1 ? words[1] : nil
    }
}
