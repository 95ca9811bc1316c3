/// What a new connection says before it may be used: `HELLO 3`, or on an older Redis `AUTH`, `CLIENT SETNAME`; then
/// `SELECT`.
///
/// One question at a time: a connection is made rarely, and each answer decides on the next question.
struct RESPHandshake {
    enum Action: Equatable {
        case send([String])
        case done
        case fail(RESPError)
    }

    private enum Step {
        case initial
        case hello
        case authenticating
        case naming
        case selecting
        case finished
    }

    private var step = Step.initial
    private let username: String?
    private let password: String?
    private let clientName: String?
    private let database: Int
    private let prefersRESP3: Bool
    /// 3 once `HELLO 3` was answered.
    private(set) var protocolVersion = 2

    init(configuration: RESPConfiguration, selectsDatabase: Bool) {
        self.username = configuration.username
        self.password = configuration.password
        self.clientName = configuration.clientName
        self.database = selectsDatabase ? configuration.database : 0
        self.prefersRESP3 = configuration.prefersRESP3
    }

    mutating func start() -> Action {
        guard self.prefersRESP3 else { return self.authenticate() }
        self.step = .hello
        var command = ["HELLO", "3"]
        if let password = self.password { command += ["AUTH", self.username ?? "default", password] }
        if let clientName = self.clientName { command += ["SETNAME", clientName] }
        return .send(command)
    }

    mutating func received(_ reply: RESPValue) -> Action {
        switch self.step {
        case .hello:
            guard case .error(let error) = reply else {
                self.protocolVersion = 3
                return self.select()
            }
            // Redis before 6 doesn't know HELLO, others know no version 3, an ACL may forbid it: RESP2 then. But if it
            // is the credentials that it refuses, there is nothing to gain by showing them again.
            switch error.serverCode {
            case "WRONGPASS", "NOAUTH": return self.refuse(error)
            default: return self.authenticate()
            }
        case .authenticating:
            if case .error(let error) = reply { return self.refuse(error) }
            return self.name()
        case .naming:
            // A name is a courtesy: a Redis that doesn't take it serves us all the same.
            return self.select()
        case .selecting:
            if case .error(let error) = reply {
                self.step = .finished
                let what = "selecting database \(self.database): \(error.message)"
                return .fail(
                    error.serverCode == "NOAUTH"
                        ? Self.authenticationError(error)
                        : RESPError(code: .connect, message: what, serverCode: error.serverCode)
                )
            }
            return self.finish()
        case .initial, .finished:
            return .fail(.violation("a reply to nothing"))
        }
    }

    private mutating func authenticate() -> Action {
        guard let password = self.password else { return self.name() }
        self.step = .authenticating
        // AUTH with a user is as old as users are (Redis 6).
        return .send(["AUTH"] + (self.username.map { [$0] } ?? []) + [password])
    }

    private mutating func name() -> Action {
        guard let clientName = self.clientName else { return self.select() }
        self.step = .naming
        return .send(["CLIENT", "SETNAME", clientName])
    }

    private mutating func select() -> Action {
        guard self.database != 0 else { return self.finish() }
        self.step = .selecting
        return .send(["SELECT", String(self.database)])
    }

    private mutating func finish() -> Action {
        self.step = .finished
        return .done
    }

    private mutating func refuse(_ error: RESPError) -> Action {
        self.step = .finished
        return .fail(Self.authenticationError(error))
    }

    static func authenticationError(_ error: RESPError) -> RESPError {
        RESPError(code: .authentication, message: error.message, serverCode: error.serverCode)
    }
}
