/// What a new connection says before it may be used: `HELLO 3`, or on an older Redis `AUTH`, `CLIENT SETNAME`; then
/// `SELECT`; and where `HELLO` did not tell what Redis is, `ROLE` and `INFO cluster`.
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
        case askingRole
        case askingMode
        case selecting
        case finished
    }

    private var step = Step.initial
    private let username: String?
    private let password: String?
    private let clientName: String?
    private let database: Int
    private let prefersRESP3: Bool
    private var isRoleKnown = false
    /// 3 once `HELLO 3` was answered.
    private(set) var protocolVersion = 2
    /// What Redis said last that was not what was asked for.
    ///
    /// If the connection ends now, that is why.
    private(set) var words: RESPError?

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
        if case .error(let error) = reply {
            self.words = error
            // Nothing is gained by showing credentials again that were refused, or by asking a Redis that is full.
            if error.endsHandshake { return self.refuse(error) }
        }
        switch self.step {
        case .hello:
            // Redis before 6 doesn't know HELLO, others know no version 3: RESP2 then.
            if case .error = reply { return self.authenticate() }
            self.protocolVersion = 3
            let role = ServerRole(reply)
            if let refusal = role.refusal { return self.fail(refusal) }
            self.isRoleKnown = role != .unknown
            return self.askRole()
        case .authenticating:
            if case .error(let error) = reply { return self.refuse(error) }
            return self.name()
        case .naming:
            // A name is a courtesy: a Redis that doesn't take it serves us all the same.
            return self.askRole()
        case .askingRole:
            // A user may not be allowed to ask.
            if let refusal = ServerRole(reply).refusal { return self.fail(refusal) }
            self.step = .askingMode
            return .send(["INFO", "cluster"])
        case .askingMode:
            if let refusal = ServerRole(info: reply).refusal { return self.fail(refusal) }
            return self.select()
        case .selecting:
            if case .error(let error) = reply {
                return self.fail(
                    RESPError(
                        code: .connect,
                        message: "selecting database \(self.database): \(error.message)",
                        serverCode: error.serverCode
                    )
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
        guard let clientName = self.clientName else { return self.askRole() }
        self.step = .naming
        return .send(["CLIENT", "SETNAME", clientName])
    }

    private mutating func askRole() -> Action {
        guard !self.isRoleKnown else { return self.select() }
        self.step = .askingRole
        return .send(["ROLE"])
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

    private mutating func fail(_ error: RESPError) -> Action {
        self.step = .finished
        return .fail(error)
    }

    private mutating func refuse(_ error: RESPError) -> Action {
        let isAboutCredentials = self.step == .authenticating || error.isAboutCredentials
        return self.fail(
            RESPError(
                code: isAboutCredentials ? .authentication : .connect,
                message: error.message,
                serverCode: error.serverCode
            )
        )
    }
}

extension RESPError {
    fileprivate var isAboutCredentials: Bool { self.hasServerCode("WRONGPASS") || self.hasServerCode("NOAUTH") }

    /// Whether Redis will not have this connection, whatever it says next.
    fileprivate var endsHandshake: Bool {
        self.isAboutCredentials || self.isNotExecuted || self.hasServerCode("DENIED")
            || self.message.utf8.starts(with: "ERR max number of clients".utf8)
    }
}
