/// One thing that is wrong with a configuration.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// Where it is: `roles[1].type`.
    public var path: String
    /// The value that stands there.
    ///
    /// It never shows a secret.
    public var value: String
    /// What would be right.
    public var advice: String

    /// A problem at a path.
    public init(path: String, value: String, advice: String) {
        self.path = path
        self.value = value
        self.advice = advice
    }

    /// Path, value and advice in one line.
    public var description: String { "\(self.path): '\(self.value)': \(self.advice)" }
}
