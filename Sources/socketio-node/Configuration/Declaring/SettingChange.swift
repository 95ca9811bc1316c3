/// What it takes until a changed setting is in force.
enum SettingChange: String, Sendable, Hashable, CaseIterable {
    /// The value is made to change while the node runs.
    case live
    /// The value is part of what is built when the node starts.
    case restart
}
