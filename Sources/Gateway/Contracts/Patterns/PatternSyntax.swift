/// A regular expression as a tree.
indirect enum PatternSyntax: Sendable {
    case empty
    case character(CharacterSet)
    case assertion(LinearPattern.Assertion)
    case sequence([PatternSyntax])
    case alternatives([PatternSyntax])
    /// The part from `minimum` to `maximum` times; without a maximum if that is `nil`.
    case repeated(PatternSyntax, minimum: Int, maximum: Int?)
}

/// Makes a list of instructions of a regular expression.
enum PatternCompiler {
    /// The most instructions of an expression.
    static let maximumLength = 1_000

    static func compile(_ source: String) throws(PatternError) -> [LinearPattern.Instruction] {
        var parser = PatternParser(source)
        let syntax = try parser.parse()
        guard Self.length(of: syntax) < Self.maximumLength else {
            throw PatternError(
                message: "is too large: with its repetitions it has more than \(Self.maximumLength) parts"
            )
        }
        var instructions: [LinearPattern.Instruction] = []
        Self.append(syntax, to: &instructions)
        instructions.append(.match)
        return instructions
    }

    /// How many instructions a part needs, and no more than the limit.
    private static func length(of syntax: PatternSyntax) -> Int {
        let length: Int
        switch syntax {
        case .empty: length = 0
        case .character, .assertion: length = 1
        case .sequence(let parts): length = parts.reduce(0) { min(Self.maximumLength, $0 + Self.length(of: $1)) }
        case .alternatives(let parts):
            length = parts.reduce(0) { min(Self.maximumLength, $0 + 2 + Self.length(of: $1)) }
        case .repeated(let part, let minimum, let maximum):
            // Both factors are limited, so the product fits.
            let count = min(Self.maximumLength, maximum ?? (minimum + 1))
            length = count * (Self.length(of: part) + 1) + 1
        }
        return min(length, Self.maximumLength)
    }

    private static func append(_ syntax: PatternSyntax, to list: inout [LinearPattern.Instruction]) {
        switch syntax {
        case .empty:
            break
        case .character(let set):
            list.append(.character(set))
        case .assertion(let assertion):
            list.append(.assertion(assertion))
        case .sequence(let parts):
            for part in parts { Self.append(part, to: &list) }
        case .alternatives(let parts):
            var ends: [Int] = []
            for part in parts.dropLast() {
                let split = list.count
                list.append(.jump(0))
                Self.append(part, to: &list)
                ends.append(list.count)
                list.append(.jump(0))
                list[split] = .split(split + 1, list.count)
            }
            if let last = parts.last { Self.append(last, to: &list) }
            for end in ends { list[end] = .jump(list.count) }
        case .repeated(let part, let minimum, let maximum):
            for _ in 0..<minimum { Self.append(part, to: &list) }
            guard let maximum else {
                let split = list.count
                list.append(.jump(0))
                Self.append(part, to: &list)
                list.append(.jump(split))
                list[split] = .split(split + 1, list.count)
                return
            }
            var splits: [Int] = []
            for _ in minimum..<maximum {
                splits.append(list.count)
                list.append(.jump(0))
                Self.append(part, to: &list)
            }
            for split in splits { list[split] = .split(split + 1, list.count) }
        }
    }
}
