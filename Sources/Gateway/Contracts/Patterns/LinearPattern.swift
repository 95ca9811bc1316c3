import SocketIOWire

/// A regular expression of ECMAScript, without what would need backtracking, compiled for matching in linear time.
///
/// It is a list of instructions (Thompson's automaton). A text is read once, and at each character all the places in the
/// list that the text so far can have led to are known. So the time is at most the length of the text multiplied by the
/// length of the list, whatever the text.
struct LinearPattern: Sendable {
    enum Instruction: Sendable {
        /// Goes on if the next character is in the set.
        case character(CharacterSet)
        /// Goes on at two places.
        case split(Int, Int)
        case jump(Int)
        case assertion(Assertion)
        case match
    }

    enum Assertion: Sendable {
        case start, end, wordBoundary, noWordBoundary

        func holds(between left: Unicode.Scalar?, and right: Unicode.Scalar?) -> Bool {
            switch self {
            case .start: left == nil
            case .end: right == nil
            case .wordBoundary: Self.isWord(left) != Self.isWord(right)
            case .noWordBoundary: Self.isWord(left) == Self.isWord(right)
            }
        }

        private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
            scalar.map { CharacterSet.word.contains($0) } ?? false
        }
    }

    /// The expression as it was written.
    let source: String
    let instructions: [Instruction]
    /// Whether a match can only begin at the beginning of the text.
    private let isAnchored: Bool

    /// Compiles an expression.
    ///
    /// - Throws: ``PatternError`` if it is no regular expression, or one that cannot be matched in linear time.
    init(_ source: String) throws(PatternError) {
        self.source = source
        self.instructions = try PatternCompiler.compile(source)
        if case .assertion(.start) = self.instructions[0] { self.isAnchored = true } else { self.isAnchored = false }
    }

    /// Whether the expression matches somewhere in the text.
    ///
    /// - Parameters:
    ///   - text: The text to search in.
    ///   - steps: How many places may still be looked at. What was used is subtracted.
    /// - Returns: `nil` if the steps are used up.
    func matches(_ text: String, steps: inout Int) -> Bool? {
        var current = Places(count: self.instructions.count)
        var next = Places(count: self.instructions.count)
        var scalars = text.unicodeScalars.makeIterator()
        var left: Unicode.Scalar?
        var right = scalars.next()
        while true {
            if left == nil || !self.isAnchored {
                if self.follow(0, into: &current, between: left, and: right) { return true }
            }
            steps -= 1 + current.list.count
            guard steps > 0 else { return nil }
            guard let character = right else { return false }
            if current.list.isEmpty, self.isAnchored { return false }
            left = character
            right = scalars.next()
            for place in current.list {
                guard case .character(let set) = self.instructions[place], set.contains(character) else { continue }
                if self.follow(place + 1, into: &next, between: left, and: right) { return true }
            }
            swap(&current, &next)
            next.removeAll()
        }
    }

    /// Adds a place, and all that can be reached from it without reading a character.
    ///
    /// - Returns: Whether the end of the expression can be reached so.
    private func follow(
        _ start: Int,
        into places: inout Places,
        between left: Unicode.Scalar?,
        and right: Unicode.Scalar?
    ) -> Bool {
        places.waiting.append(start)
        while let place = places.waiting.popLast() {
            guard places.insert(place) else { continue }
            switch self.instructions[place] {
            case .match:
                places.waiting.removeAll(keepingCapacity: true)
                return true
            case .jump(let target):
                places.waiting.append(target)
            case .split(let first, let second):
                places.waiting.append(second)
                places.waiting.append(first)
            case .assertion(let assertion):
                if assertion.holds(between: left, and: right) { places.waiting.append(place + 1) }
            case .character:
                places.list.append(place)
            }
        }
        return false
    }

    /// Places that wait for the next character, each once.
    private struct Places {
        var list: [Int] = []
        var waiting: [Int] = []
        /// In which round a place was seen last.
        private var seen: [Int]
        private var round = 1

        init(count: Int) { self.seen = Array(repeating: 0, count: count) }

        mutating func insert(_ place: Int) -> Bool {
            guard self.seen[place] != self.round else { return false }
            self.seen[place] = self.round
            return true
        }

        mutating func removeAll() {
            self.list.removeAll(keepingCapacity: true)
            self.round += 1
        }
    }
}

/// Why an expression was refused.
struct PatternError: Error, Sendable, Hashable {
    /// What is wrong, and where.
    let message: String
}
