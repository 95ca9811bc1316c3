import Gateway
import OrderedCollections

extension Populate {
    /// `"*"`, `none`, a list of paths, or a map of relations to `true`, to one of these forms, or to
    /// `{fields, populate}`.
    init?(_ setting: Setting) {
        switch setting.value {
        case .text("*"), .bool(true): self = .all
        case .text, .bool: self = .none
        case .list(let paths): self = .paths(paths.compactMap(\.text))
        case .members(let members):
            self = .tree(
                members.compactMapValues { member in
                    switch member.value {
                    case .bool(false), .text("none"): nil
                    case .bool(true): Node()
                    case .members(let inner) where inner["fields"] != nil || inner["populate"] != nil:
                        Node(
                            fields: inner["fields"].map { Set($0.texts) },
                            populate: inner["populate"].flatMap { Populate($0) }
                        )
                    default: Node(populate: Populate(member))
                    }
                }.reduce(into: [:]) { $0[$1.key] = $1.value }
            )
        case .integer, .unset: return nil
        }
    }
}
