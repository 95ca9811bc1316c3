extension CORSConfiguration.Origin {
    /// Whether pages of that origin are allowed.
    func allows(_ origin: String) -> Bool {
        switch self {
        case .any: true
        case .fixed(let fixed): fixed == "*" || fixed.hasSameBytes(as: origin)
        case .list(let allowed): allowed.contains { $0.hasSameBytes(as: origin) }
        case .matching(let matches): matches(origin)
        }
    }
}

extension EngineConfiguration {
    /// Whether a page may have a session.
    ///
    /// - Parameters:
    ///   - origin: The page's, as the request's `Origin` says; `nil` if it says nothing.
    ///   - host: The server's, as the request's `Host` says.
    ///   - cors: The cross-origin headers that are in force.
    /// - Returns: Whether it may; always `true` if the server does not check origins.
    package func allowsPage(of origin: String?, host: String?, cors: CORSConfiguration?) -> Bool {
        guard self.refusesForeignOrigins, let origin else { return true }
        if cors?.origin.allows(origin) ?? false { return true }
        guard let host else { return false }
        return origin.withBytes { origin in host.withBytes { Self.isOwn(origin, host: $0) } }
    }

    /// Whether a page may have a session, as this configuration says.
    package func allowsPage(of origin: String?, host: String?) -> Bool {
        self.allowsPage(of: origin, host: host, cors: self.cors)
    }

    /// Whether an origin has the server's own host and port.
    ///
    /// The scheme does not count, because TLS may end at a load balancer.
    private static func isOwn(_ origin: Bytes, host: Bytes) -> Bool {
        let (isSecure, authority): (Bool, Bytes)
        if origin.begins(with: "https://") {
            (isSecure, authority) = (true, origin.part(8..<origin.count))
        } else if origin.begins(with: "http://") {
            (isSecure, authority) = (false, origin.part(7..<origin.count))
        } else {
            return false
        }
        guard !authority.isEmpty else { return false }
        return authority.equalsIgnoringCase(host.withoutPort(isSecure ? ":443" : ":80"))
            || authority.equalsIgnoringCase(host)
    }
}

extension Bytes {
    /// The host, without a port that browsers leave out.
    fileprivate func withoutPort(_ port: StaticString) -> Bytes {
        let length = self.count - port.utf8CodeUnitCount
        return length >= 0 && self.part(length..<self.count).equals(port) ? self.part(0..<length) : self
    }
}
