/// A `DecodingError` in words: which part of a value does not fit a type, and why.
package struct DecodingProblem: CustomStringConvertible {
    /// The way to that part, with a missing key at its end: `items[2].count`; `nil` if it is the value as a whole.
    package let path: String?
    /// What is wrong there.
    package let reason: String

    package init(_ error: DecodingError) {
        var keys: [any CodingKey]
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            keys = context.codingPath
            self.reason = boundedText(context.debugDescription, to: 512)
        case .keyNotFound(let key, let context):
            keys = context.codingPath + [key]
            self.reason = "the key is missing"
        @unknown default:
            keys = []
            self.reason = boundedText("\(error)", to: 512)
        }
        self.path = keys.isEmpty ? nil : Self.path(keys)
    }

    package var description: String { self.path.map { "\($0): \(self.reason)" } ?? self.reason }

    /// A client chooses the keys of dictionaries, so only short ones are shown.
    private static func path(_ keys: [any CodingKey]) -> String {
        var path = ""
        for key in keys {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + boundedText(key.stringValue, to: 64)
            }
            // A path that is deeper than anybody would read.
            if path.utf8.count > 512 { return path + "…" }
        }
        return path
    }
}
