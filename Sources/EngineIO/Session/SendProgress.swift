/// How far the kernel is with the bytes that a session gave to its channel.
///
/// The counts start again at 0 after 4 GiB. Between two deadlines less is on its way.
struct SendProgress {
    /// How many bytes the channel got in all.
    private var handed: UInt32 = 0
    /// How many of them the kernel had taken at the last deadline.
    private var taken: UInt32 = 0
    /// Whether bytes were waiting then.
    private var isWatching = false

    /// The channel got more bytes.
    @inline(__always)
    mutating func handed(_ count: Int) { self.handed &+= UInt32(truncatingIfNeeded: count) }

    /// Remembers what the kernel has taken, while bytes wait.
    ///
    /// - Parameter buffered: How many bytes wait in the channel.
    mutating func watch(buffered: Int) {
        self.taken = self.handed &- UInt32(truncatingIfNeeded: buffered)
        self.isWatching = true
    }

    /// Nothing waits, or the client has shown that it is there.
    mutating func stopWatching() { self.isWatching = false }

    /// Whether the kernel has taken bytes since ``watch(buffered:)``.
    func hasTaken(buffered: Int) -> Bool {
        let taken = self.handed &- UInt32(truncatingIfNeeded: buffered)
        return self.isWatching && Int32(bitPattern: taken &- self.taken) > 0
    }
}
