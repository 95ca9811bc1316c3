import Testing

@testable import Gateway

/// Regular expressions in linear time.
@Suite(.timeLimit(.minutes(1))) struct PatternTests {
    private func matches(_ pattern: String, _ text: String) throws -> Bool {
        var steps = 100_000_000
        let isFound = try LinearPattern(pattern).matches(text, steps: &steps)
        return try #require(isFound as Bool?)
    }

    @Test(
        arguments: [
            ("abc", "xxabcxx", true), ("^abc$", "abc", true), ("^abc$", "abcd", false), ("", "", true),
            ("^$", "", true),
            ("^$", "a", false), ("a|b|c", "c", true), ("^(a|bc)*$", "abcbca", true), ("^(a|bc)*$", "abcb", false),
            ("^a{2,3}$", "aa", true), ("^a{2,3}$", "aaaa", false), ("^a{2}$", "aaa", false), ("^a{2,}$", "aaaaa", true),
            ("^a{0}$", "", true), ("^(?:ab)+?$", "abab", true), ("^(?<name>a)$", "a", true), ("^[a-c]+$", "abcb", true),
            ("^[^a-c]+$", "xyz", true), ("^[^a-c]+$", "xaz", false), ("^[-a]+$", "-a-", true), ("^[a-]+$", "-a-", true),
            (#"^\d{4}-\d\d$"#, "2025-06", true), (#"^\D+$"#, "ab1", false), (#"^\w+$"#, "aZ_09", true),
            (#"^\w+$"#, "\u{E9}", false), (#"^\s$"#, "\u{FEFF}", true), (#"^\S$"#, "\u{A0}", false),
            (#"^[\w.]+@[\w.]+$"#, "a.b@c.d", true), (#"^[\D]+$"#, "abc", true), (#"^[\D1]+$"#, "ab1", true),
            (#"^[\D1]+$"#, "ab2", false), (#"\bfoo\b"#, "a foo b", true), (#"\bfoo\b"#, "afoo", false),
            (#"^\Bx"#, "x", false), ("^.$", "\n", false), ("^.$", "\u{1F600}", true),
            (#"^\u{1F600}$"#, "\u{1F600}", true),
            (#"^\uD83D\uDE00$"#, "\u{1F600}", true), (#"^\x41$"#, "A", true), (#"^\p{L}+$"#, "\u{E9}a", true),
            (#"^\p{Lu}$"#, "a", false), (#"^\P{L}$"#, "1", true), (#"^[\p{L}\d]+$"#, "a1", true),
            (#"^\/\-\.$"#, "/-.", true),
            ("^(a*)*$", "aaa", true), ("(^a)*b", "b", true), ("^(|a)+$", "aa", true), ("x$", "xy", false),
            ("a^b", "ab", false), ("^e\u{301}$", "\u{E9}", false), (#"^[\b]$"#, "\u{8}", true), ("[]", "a", false),
            ("^[^]$", "\n", true), ("(?:^|,)a", "b,a", true),
        ] as [(String, String, Bool)]
    )
    func findsWhatECMAScriptFinds(_ pattern: String, _ text: String, _ isFound: Bool) throws {
        #expect(try self.matches(pattern, text) == isFound)
    }

    @Test(
        arguments: [
            ("(", "without a ')'"), (")", "without a '('"), ("[a", "without a ']'"), ("*a", "nothing to repeat"),
            ("a**", "nothing to repeat"), ("a{2,1}", "wrong order"), ("a{x}", "needs a number"), ("a{1", "needs a '}'"),
            (#"\1"#, "refers back"), (#"(?<a>b)\k<a>"#, "refers back"), ("(?!a)", "looks ahead"),
            ("(?<=a)b", "looks behind"), ("(?<!a)b", "looks behind"), ("(?i)a", "unknown kind"),
            (#"\q"#, "means nothing"),
            (#"a\"#, "ends with a backslash"), ("[b-a]", "range without order"), (#"\p{Foo}"#, "not known"),
            (#"\uD83D"#, "half of a surrogate"), (#"\x4"#, "hexadecimal digits"), ("a{2000}", "more than 1000 times"),
            ("(a{100}){100}", "too large"), ("((a{99}){99}){99}", "too large"), ("(){1000}", "too large"),
            ("^*", "repeats an assertion"), (String(repeating: "(", count: 60), "inside of each other"),
            (String(repeating: "a", count: 3_000), "longer than 2,000"),
        ]
    )
    func othersAreRefused(_ pattern: String, _ part: String) {
        let error = #expect(throws: PatternError.self) { try LinearPattern(pattern) }
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    /// What takes others exponential time takes this at most the product of both lengths.
    @Test(arguments: ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])
    func timeGrowsWithTheTextOnly(_ pattern: String) throws {
        let compiled = try LinearPattern(pattern)
        var used: [Int] = []
        for count in [1_000, 2_000, 4_000] {
            var steps = 100_000_000
            let letter = pattern.hasPrefix("(x") ? "x" : "a"
            #expect(compiled.matches(String(repeating: letter, count: count) + "!", steps: &steps) == false)
            used.append(100_000_000 - steps)
        }
        #expect(used[2] <= 2 * used[1] + 100)
        #expect(used[1] <= 2 * used[0] + 100)
        #expect(used[0] <= 1_001 * (compiled.instructions.count + 1))
    }

    @Test func stepsAreLimited() throws {
        var steps = 100
        #expect(try LinearPattern("a$").matches(String(repeating: "a", count: 1_000) + "b", steps: &steps) == nil)
    }
}
