import NIOHTTP1

extension HTTPRequestHead {
    /// Turns a target in absolute form, as proxies and some clients write it, into origin form (RFC 9112, section
    /// 3.2.2).
    ///
    /// The target's host replaces the value of `Host`, as the standard demands.
    mutating func normaliseTarget() {
        guard
            let (host, target) = self.uri.withBytes({ bytes -> (String, String)? in
                // This is so for nearly all targets.
                guard bytes.first != UInt8(ascii: "/"), let authority = RequestTarget.authority(of: bytes) else {
                    return nil
                }
                let rest = bytes.part(authority.upperBound..<bytes.count)
                return (bytes.part(authority).text, rest.first == UInt8(ascii: "/") ? rest.text : "/" + rest.text)
            })
        else { return }
        self.uri = target
        self.headers.replaceOrAdd(name: "Host", value: host)
    }
}

extension RequestTarget {
    /// The place of the host, with its port if there is one, in a target in absolute form; `nil` if it has another
    /// form.
    static func authority(of target: Bytes) -> Range<Int>? {
        guard let colon = target.firstIndex(of: UInt8(ascii: ":")), target.count > colon + 3,
            target.part(colon..<colon + 3).equals("://")
        else { return nil }
        let scheme = target.part(0..<colon)
        guard
            scheme.equalsIgnoringCase("http") || scheme.equalsIgnoringCase("ws") || scheme.equalsIgnoringCase("https")
                || scheme.equalsIgnoringCase("wss")
        else { return nil }
        var start = colon + 3
        var end = start
        while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?"),
            target[end] != UInt8(ascii: "#")
        {
            // Names and passwords are for proxies.
            if target[end] == UInt8(ascii: "@") { start = end + 1 }
            end += 1
        }
        return start < end ? start..<end : nil
    }
}
