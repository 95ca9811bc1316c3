/// The keys of the streams that namespaces are spread over (streams adapter).
package struct StreamName: Sendable, Hashable {
    /// The key, or what all keys begin with.
    package let name: String
    /// How many streams official nodes read.
    package let count: Int

    /// Names of that many streams; fewer than one counts as one.
    package init(_ name: String, count: Int = 1) {
        self.name = name
        self.count = max(1, count)
    }

    /// The stream that a namespace's messages are added to.
    ///
    /// The remainder has the sign of the hash: official nodes write to `socket.io--1`, too, and don't read it.
    package func stream(of namespace: String) -> String {
        guard self.count > 1 else { return self.name }
        return "\(self.name)-\(Int(Self.hash(of: namespace)) % self.count)"
    }

    /// The streams that official nodes read.
    package var officialStreams: [String] {
        self.count > 1 ? (0..<self.count).map { "\(self.name)-\($0)" } : [self.name]
    }

    /// The streams that any namespace's messages may be in.
    package var allStreams: [String] {
        self.count > 1 ? (1 - self.count..<self.count).map { "\(self.name)-\($0)" } : [self.name]
    }

    /// JavaScript's `h = (h * 31 + c) | 0` over the UTF-16 of a text.
    static func hash(of text: String) -> Int32 {
        text.utf16.reduce(into: 0) { hash, unit in hash = hash &* 31 &+ Int32(unit) }
    }
}
