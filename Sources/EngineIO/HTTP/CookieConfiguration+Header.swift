import SocketIOWire

extension CookieConfiguration {
    /// The value of the `Set-Cookie` field for a session, attributes in the order of the `cookie` package.
    func headerValue(for id: SessionID) -> String {
        // The characters of a session id need no percent-encoding.
        var value = "\(self.name)=\(id.secret)"
        if let maxAge = self.maxAge { value += "; Max-Age=\(maxAge)" }
        if let domain = self.domain { value += "; Domain=\(domain)" }
        if let path = self.path { value += "; Path=\(path)" }
        if let expires = self.expires { value += "; Expires=\(HTTPDate.string(fromSeconds: expires))" }
        if self.httpOnly { value += "; HttpOnly" }
        if self.secure { value += "; Secure" }
        if self.partitioned { value += "; Partitioned" }
        if let priority = self.priority { value += "; Priority=\(priority.rawValue)" }
        if let sameSite = self.sameSite { value += "; SameSite=\(sameSite.rawValue)" }
        return value
    }
}
