/// Reads a regular expression of ECMAScript in its Unicode mode.
///
/// Two things are more lenient than there: any ASCII punctuation may be escaped, and `]` and `}` may stand for themselves.
struct PatternParser {
    private static let maximumDepth = 50

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ source: String) { self.scalars = Array(source.unicodeScalars) }

    mutating func parse() throws(PatternError) -> PatternSyntax {
        guard self.scalars.count <= 2_000 else {
            throw PatternError(message: "is longer than 2,000 characters")
        }
        let syntax = try self.alternatives()
        guard self.position == self.scalars.count else { throw self.error("has a ')' without a '('") }
        return syntax
    }

    private var next: Unicode.Scalar? { self.position < self.scalars.count ? self.scalars[self.position] : nil }

    private func error(_ message: String) -> PatternError {
        PatternError(message: "\(message) (at character \(self.position + 1))")
    }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard self.scalars[self.position...].starts(with: wanted) else { return false }
        self.position += wanted.count
        return true
    }

    private mutating func alternatives() throws(PatternError) -> PatternSyntax {
        self.depth += 1
        defer { self.depth -= 1 }
        guard self.depth <= Self.maximumDepth else {
            throw self.error("has more than \(Self.maximumDepth) groups inside of each other")
        }
        var parts = [try self.sequence()]
        while self.take("|") { parts.append(try self.sequence()) }
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() throws(PatternError) -> PatternSyntax {
        var parts: [PatternSyntax] = []
        while let next = self.next, next != "|", next != ")" { parts.append(try self.term()) }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func term() throws(PatternError) -> PatternSyntax {
        let atom = try self.atom()
        guard let (minimum, maximum) = try self.quantifier() else { return atom }
        if case .assertion = atom { throw self.error("repeats an assertion, which says nothing more") }
        // Which of several matches is found does not matter, so the lazy form is the same.
        _ = self.take("?")
        return .repeated(atom, minimum: minimum, maximum: maximum)
    }

    private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
        if self.take("*") { return (0, nil) }
        if self.take("+") { return (1, nil) }
        if self.take("?") { return (0, 1) }
        guard self.take("{") else { return nil }
        guard let minimum = try self.number() else {
            throw self.error("needs a number behind '{'; write '\\{' for a brace")
        }
        var maximum: Int? = minimum
        if self.take(",") { maximum = try self.number() }
        guard self.take("}") else { throw self.error("needs a '}' behind the numbers of a repetition") }
        if let maximum, maximum < minimum { throw self.error("has the numbers of a repetition in the wrong order") }
        return (minimum, maximum)
    }

    private mutating func number() throws(PatternError) -> Int? {
        var value: Int?
        while let next = self.next, ("0"..."9").contains(next) {
            self.position += 1
            value = (value ?? 0) * 10 + Int(next.value - 0x30)
            guard value ?? 0 <= PatternCompiler.maximumLength else {
                throw self.error("repeats a part more than \(PatternCompiler.maximumLength) times")
            }
        }
        return value
    }

    private mutating func atom() throws(PatternError) -> PatternSyntax {
        guard let next = self.next else { return .empty }
        self.position += 1
        switch next {
        case "^": return .assertion(.start)
        case "$": return .assertion(.end)
        case ".": return .character(.anyButLineEnd)
        case "(": return try self.group()
        case "[": return .character(try self.characterClass())
        case "\\": return try self.escape()
        case "*", "+", "?", "{":
            self.position -= 1
            throw self.error("has nothing to repeat before '\(next)'; write '\\\(next)' for the character itself")
        default: return .character(.scalar(next))
        }
    }

    private mutating func group() throws(PatternError) -> PatternSyntax {
        for (sign, meaning) in [
            ("?=", "looks ahead"), ("?!", "looks ahead"), ("?<=", "looks behind"), ("?<!", "looks behind"),
        ] where self.take(sign) {
            throw self.error("\(meaning), which cannot be matched in linear time; write it without '(\(sign)'")
        }
        if self.take("?<") {
            while let next = self.next, next != ">" { self.position += 1 }
            guard self.take(">") else { throw self.error("has a group's name without '>'") }
        } else if self.next == "?", !self.take("?:") {
            throw self.error("has a group of an unknown kind")
        }
        let syntax = try self.alternatives()
        guard self.take(")") else { throw self.error("has a '(' without a ')'") }
        return syntax
    }

    private mutating func escape() throws(PatternError) -> PatternSyntax {
        switch self.next {
        case "b":
            self.position += 1
            return .assertion(.wordBoundary)
        case "B":
            self.position += 1
            return .assertion(.noWordBoundary)
        case "k":
            throw self.error("refers back to a group, which cannot be matched in linear time")
        default:
            return .character(try self.escapedSet())
        }
    }

    /// What stands behind a backslash, outside and inside of a class.
    private mutating func escapedSet() throws(PatternError) -> CharacterSet {
        guard let next = self.next else { throw self.error("ends with a backslash") }
        self.position += 1
        switch next {
        case "d": return .digit
        case "D": return CharacterSet(ranges: CharacterSet.digit.ranges, isInverted: true)
        case "w": return .word
        case "W": return CharacterSet(ranges: CharacterSet.word.ranges, isInverted: true)
        case "s": return .space
        case "S": return CharacterSet(ranges: CharacterSet.space.ranges, isInverted: true)
        case "p", "P": return try self.category(isInverted: next == "P")
        case "1"..."9": throw self.error("refers back to a group, which cannot be matched in linear time")
        default: return .scalar(try self.escapedScalar(next))
        }
    }

    private mutating func escapedScalar(_ letter: Unicode.Scalar) throws(PatternError) -> Unicode.Scalar {
        switch letter {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "f": return "\u{0C}"
        case "v": return "\u{0B}"
        case "0": return "\0"
        case "x": return try self.hexadecimal(digits: 2)
        case "c":
            guard let control = self.next, control.isASCII, control.properties.isAlphabetic,
                let scalar = Unicode.Scalar(control.value % 32)
            else { throw self.error("needs a letter behind '\\c'") }
            self.position += 1
            return scalar
        case "u":
            guard self.take("{") else { return try self.utf16() }
            var value: UInt32 = 0
            while let digit = self.next.flatMap(\.hexadecimalValue), value <= 0x10FFFF {
                value = value * 16 + digit
                self.position += 1
            }
            guard self.take("}"), let scalar = Unicode.Scalar(value) else {
                throw self.error("has no character's number")
            }
            return scalar
        default:
            let isLetterOrDigit = letter.properties.isAlphabetic || ("0"..."9").contains(letter)
            guard letter.isASCII, !isLetterOrDigit else {
                throw self.error("escapes '\(letter)', which means nothing")
            }
            return letter
        }
    }

    private mutating func hexadecimal(digits: Int) throws(PatternError) -> Unicode.Scalar {
        guard let scalar = Unicode.Scalar(try self.hexadecimalValue(digits: digits)) else {
            throw self.error("has half of a surrogate pair, which is no character")
        }
        return scalar
    }

    private mutating func hexadecimalValue(digits: Int) throws(PatternError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = self.next.flatMap(\.hexadecimalValue) else {
                throw self.error("needs \(digits) hexadecimal digits here")
            }
            value = value * 16 + digit
            self.position += 1
        }
        return value
    }

    /// Four digits, or twice four for a surrogate pair.
    private mutating func utf16() throws(PatternError) -> Unicode.Scalar {
        let first = try self.hexadecimalValue(digits: 4)
        guard (0xD800..<0xDC00).contains(first), self.take("\\u") else {
            guard let scalar = Unicode.Scalar(first) else {
                throw self.error("has half of a surrogate pair, which is no character")
            }
            return scalar
        }
        let second = try self.hexadecimalValue(digits: 4)
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw self.error("has half of a surrogate pair, which is no character") }
        return scalar
    }

    private mutating func category(isInverted: Bool) throws(PatternError) -> CharacterSet {
        guard self.take("{") else { throw self.error("needs '{' behind '\\p'") }
        var name = ""
        while let next = self.next, next != "}" {
            name.unicodeScalars.append(next)
            self.position += 1
        }
        guard self.take("}"), let category = CharacterSet.category(named: name) else {
            throw self.error("names a property that is not known; general categories are, such as \\p{L} and \\p{Lu}")
        }
        return CharacterSet(category: category, isInverted: isInverted)
    }

    // MARK: Classes

    private mutating func characterClass() throws(PatternError) -> CharacterSet {
        var set = CharacterSet()
        let isInverted = self.take("^")
        while !self.take("]") {
            guard self.next != nil else { throw self.error("has a '[' without a ']'") }
            let first = try self.classMember()
            guard case .scalar(let lower) = first, self.next == "-", self.position + 1 < self.scalars.count,
                self.scalars[self.position + 1] != "]"
            else {
                set.formUnion(first.set)
                continue
            }
            self.position += 1
            guard case .scalar(let upper) = try self.classMember(), lower <= upper else {
                throw self.error("has a range without order in a class")
            }
            set.ranges.append(lower.value...upper.value)
        }
        set.normalize()
        set.isInverted = isInverted
        return set
    }

    private enum ClassMember {
        case scalar(Unicode.Scalar)
        case characters(CharacterSet)

        var set: CharacterSet {
            switch self {
            case .scalar(let scalar): .scalar(scalar)
            case .characters(let set): set
            }
        }
    }

    private mutating func classMember() throws(PatternError) -> ClassMember {
        guard let next = self.next else { throw self.error("has a '[' without a ']'") }
        self.position += 1
        guard next == "\\" else { return .scalar(next) }
        switch self.next {
        case "b":
            self.position += 1
            return .scalar("\u{08}")
        case "d", "D", "w", "W", "s", "S", "p", "P":
            return .characters(try self.escapedSet())
        case .some(let letter) where !("1"..."9").contains(letter):
            self.position += 1
            return .scalar(try self.escapedScalar(letter))
        default:
            throw self.error("escapes nothing in a class")
        }
    }
}

extension Unicode.Scalar {
    fileprivate var hexadecimalValue: UInt32? {
        switch self.value {
        case 0x30...0x39: self.value - 0x30
        case 0x41...0x46: self.value - 0x41 + 10
        case 0x61...0x66: self.value - 0x61 + 10
        default: nil
        }
    }
}
