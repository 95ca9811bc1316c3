/// A pattern in which `*` stands for any number of characters.
///
/// All other characters stand for themselves.
struct Glob: Sendable, Hashable {
    private let parts: [[UInt8]]

    init(_ pattern: String) {
        self.parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
    }

    /// Whether the pattern matches the whole text.
    ///
    /// The time is linear in the text for each part of the pattern.
    func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard self.parts.count > 1 else { return self.parts[0] == bytes }
        let first = self.parts[0]
        let last = self.parts[self.parts.count - 1]
        guard bytes.count >= first.count + last.count, bytes.starts(with: first),
            bytes.suffix(last.count).elementsEqual(last)
        else { return false }
        var position = first.count
        let end = bytes.count - last.count
        for part in self.parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = Self.find(part, in: bytes, from: position, to: end) else { return false }
            position = found + part.count
        }
        return true
    }

    private static func find(_ part: [UInt8], in bytes: [UInt8], from start: Int, to end: Int) -> Int? {
        guard end - start >= part.count else { return nil }
        for index in start...(end - part.count) where bytes[index..<(index + part.count)].elementsEqual(part) {
            return index
        }
        return nil
    }
}
