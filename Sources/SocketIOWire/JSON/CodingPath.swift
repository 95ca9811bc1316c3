/// The way from the root of a value to a part of it.
///
/// It becomes keys only if an error needs them.
indirect enum CodingPath {
    case root
    case key(any CodingKey, in: CodingPath)
    case index(Int, in: CodingPath)

    /// The keys, the outermost one first.
    var keys: [any CodingKey] {
        var keys: [any CodingKey] = []
        var path = self
        while true {
            switch path {
            case .root:
                return keys.reversed()
            case .key(let key, in: let parent):
                keys.append(key)
                path = parent
            case .index(let index, in: let parent):
                keys.append(AnyCodingKey(intValue: index))
                path = parent
            }
        }
    }
}

/// A key of any name: of a dictionary, of an element of an array, or `super`.
struct AnyCodingKey: CodingKey {
    static let `super` = AnyCodingKey(stringValue: "super")

    let stringValue: String
    let intValue: Int?

    init(stringValue: String) {
        self.stringValue = stringValue
        self.intValue = nil
    }

    init(intValue: Int) {
        self.stringValue = "Index \(intValue)"
        self.intValue = intValue
    }
}
