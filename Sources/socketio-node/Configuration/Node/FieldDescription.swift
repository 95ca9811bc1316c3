import Gateway

/// A field of a content type as the file describes it.
struct FieldDescription: Sendable {
    var type = ""
    var isPrivate = false
    var target: String?
    var component: String?
    var components: [String] = []
    var isRepeatable = false

    /// A field that was reported as wrong must not become an unknown one that may be kept: it is private.
    var field: Field {
        Field(
            type: self.type,
            isPrivate: self.isPrivate,
            isRepeatable: self.isRepeatable,
            target: self.target,
            components: self.component.map { [$0] } ?? self.components
        ) ?? Field(.json, isPrivate: true)
    }
}
