import Crypto
import SocketIOWire

import struct EngineIO.IPAddress

/// To whom what a client does is counted.
struct LimitSubjects: Sendable, Hashable {
    var user: UTF8Text?
    /// `nil` where it is not known, as for a program that publishes.
    var address: UTF8Text?
    var token: UTF8Text?
    var tenant: UTF8Text?

    /// A client whose credentials are not known, or do not matter.
    init(address: String) {
        self.address = Self.group(of: address)
    }

    /// A program or a client with a known principal.
    init(_ principal: Principal, address: String? = nil) {
        self.address = address.map { Self.group(of: $0) }
        switch principal {
        case .visitor: break
        case .user(let user, _), .operator(let user):
            self.user = Self.short(user.id.text)
            self.tenant = user.tenant.map { Self.short($0) }
        case .token(let token):
            self.token = Self.short(token.id)
            self.tenant = token.tenant.map { Self.short($0) }
        }
    }

    /// Who the limits of an action apply to.
    func subject(_ scope: LimitScope, _ action: LimitedAction) -> UTF8Text? {
        switch scope {
        case .user: self.user
        case .token: self.token
        case .tenant: self.tenant
        case .address: self.countsAddress(action) ? self.address : nil
        }
    }

    /// Whether an action counts for the address.
    ///
    /// Many users may share an address, and each has limits. So what their clients ask for does not count there.
    private func countsAddress(_ action: LimitedAction) -> Bool {
        switch action {
        case .connections, .failedLogins, .events, .bytes: true
        case .joins, .subscriptions, .privateMessages, .clusterQuestions, .publishes:
            self.user == nil && self.token == nil
        }
    }

    /// What a provider gives to one customer: an IPv4 address, however it is written, or the 64 bits of an IPv6 network.
    private static func group(of text: String) -> UTF8Text {
        guard let address = IPAddress(text) else { return "unreadable" }
        guard address.high == 0, address.low >> 32 == 0xFFFF else {
            return UTF8Text("\(String(address.high, radix: 16))::/64")
        }
        return UTF8Text(address.description)
    }

    /// A text that peers choose may have any length.
    private static func short(_ text: String) -> UTF8Text {
        guard text.utf8.count > 64 else { return UTF8Text(text) }
        let digest = SHA256.hash(data: Array(text.utf8))
        let digits = digest.reduce(into: "") { $0 += String($1 >> 4, radix: 16) + String($1 & 15, radix: 16) }
        return UTF8Text("sha256:" + digits)
    }
}
