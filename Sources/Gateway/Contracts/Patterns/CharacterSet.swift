/// The characters that one place of a pattern accepts.
struct CharacterSet: Sendable {
    /// Ranges of scalars, sorted and without overlaps.
    var ranges: [ClosedRange<UInt32>] = []
    /// General categories of Unicode: `L`, `Lu`.
    var categories: [(name: String, isInverted: Bool)] = []
    /// Whether all other characters are meant.
    var isInverted = false

    static let digit = CharacterSet(ranges: [0x30...0x39])
    static let word = CharacterSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = CharacterSet(ranges: [
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])
    private static let lineEnds: [ClosedRange<UInt32>] = [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029]
    /// What `.` stands for.
    static let anyButLineEnd = CharacterSet(ranges: Self.lineEnds, isInverted: true)

    init(ranges: [ClosedRange<UInt32>] = [], isInverted: Bool = false) {
        self.ranges = ranges
        self.isInverted = isInverted
    }

    init(category: String, isInverted: Bool) { self.categories = [(category, isInverted)] }

    static func scalar(_ scalar: Unicode.Scalar) -> CharacterSet { CharacterSet(ranges: [scalar.value...scalar.value]) }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        var isMember = self.isInRanges(scalar.value)
        if !isMember, !self.categories.isEmpty {
            let own = scalar.properties.generalCategory.abbreviation
            isMember = self.categories.contains { own.utf8.starts(with: $0.name.utf8) != $0.isInverted }
        }
        return isMember != self.isInverted
    }

    private func isInRanges(_ value: UInt32) -> Bool {
        var low = 0
        var high = self.ranges.count
        while low < high {
            let middle = (low + high) / 2
            if self.ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < self.ranges.count && self.ranges[low].contains(value)
    }

    /// Sorts the ranges, and joins those that overlap.
    mutating func normalize() {
        var joined: [ClosedRange<UInt32>] = []
        for range in self.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, range.lowerBound <= last.upperBound {
                joined[joined.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        self.ranges = joined
    }

    /// Adds another set's characters to a class, which must be normalised afterwards.
    mutating func formUnion(_ other: CharacterSet) {
        self.categories += other.categories
        if !other.isInverted {
            self.ranges += other.ranges
            return
        }
        // The gaps between the ranges.
        var next: UInt32 = 0
        for range in other.ranges {
            if range.lowerBound > next { self.ranges.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        self.ranges.append(next...0x10FFFF)
    }

    /// The names of general categories that a pattern may use, with their long forms.
    static func category(named name: String) -> String? {
        let bytes = Array(name.utf8)
        if let long = Self.longNames.first(where: { Array($0.long.utf8) == bytes }) { return long.short }
        return Self.shortNames.first { Array($0.utf8) == bytes }
    }

    private static let longNames: [(long: String, short: String)] = [
        ("Letter", "L"), ("Uppercase_Letter", "Lu"), ("Lowercase_Letter", "Ll"), ("Mark", "M"), ("Number", "N"),
        ("Decimal_Number", "Nd"), ("Punctuation", "P"), ("Symbol", "S"), ("Separator", "Z"),
    ]

    private static let shortNames = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp",
    ]
}

extension Unicode.GeneralCategory {
    /// The two letters by which Unicode calls the category.
    fileprivate var abbreviation: String {
        switch self {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}
