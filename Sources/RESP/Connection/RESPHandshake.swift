/// The commands on a new connection before it may be used: `HELLO 3`, or on an older Redis `AUTH` and `CLIENT SETNAME`;
/// then `SELECT`; and if `HELLO` did not tell what Redis is, `ROLE` and `INFO cluster`.
///
/// It asks one question at a time. Connections are made rarely, and each answer decides about the next question.
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
    /// The version of RESP: 3 after an answer to `HELLO 3`.
    private(set) var protocolVersion = 2
    /// The last words of Redis that were no answer to the question.
    ///
    /// If the connection ends now, they are the reason.
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
        var reply = reply
        if case .error(let words) = reply {
            // What stands between here and Redis may repeat what it was told.
            let error = words.concealing(self.password)
            reply = .error(error)
            self.words = error
            // It does not help to repeat refused credentials, or to ask a Redis that is full.
            if error.endsHandshake { return self.refuse(error) }
        }
        switch self.step {
        case .hello:
            // Redis before 6 does not know HELLO, and other servers do not know version 3. Then it uses RESP2.
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
            // A name is not necessary. A Redis that does not accept it serves the client all the same.
            return self.askRole()
        case .askingRole:
            // The user may not have the right to ask.
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
        // AUTH with a user exists since Redis 6, as users do.
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

    /// Whether Redis refuses this connection in any case.
    fileprivate var endsHandshake: Bool {
        self.isAboutCredentials || self.isNotExecuted || self.hasServerCode("DENIED")
            || self.message.utf8.starts(with: "ERR max number of clients".utf8)
    }
}
