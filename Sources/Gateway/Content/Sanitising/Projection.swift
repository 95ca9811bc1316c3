import SocketIOWire

/// Everything that decides what an audience may see of a content type's entries.
///
/// Audiences with equal projections receive the same bytes, which are encoded once.
struct Projection: Sendable, Hashable {
    /// A rule for fields.
    ///
    /// It compares their names by their bytes.
    struct Rule: Sendable, Hashable {
        private let allow: Set<UTF8Text>?
        private let deny: Set<UTF8Text>

        /// - Parameters:
        ///   - allow: The only fields that the audience sees; `nil` stands for all.
        ///   - deny: Fields that it does not see in any case.
        init(allow: Set<String>?, deny: Set<String>) {
            self.allow = allow.map { Set($0.map { UTF8Text($0) }) }
            self.deny = Set(deny.map { UTF8Text($0) })
        }

        func permits(_ field: UTF8Text) -> Bool {
            !self.deny.contains(field) && (self.allow?.contains(field) ?? true)
        }
    }

    /// The types whose entries the audience may see as related entries.
    let visibleTargets: Set<UTF8Text>
    /// The rules for fields that may apply, by the uid of a type or component.
    let rules: [UTF8Text: Rule]
}
