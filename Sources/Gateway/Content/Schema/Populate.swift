import SocketIOWire

/// Which relations of an entry stay in its events.
///
/// It only removes, and fetches nothing. So a relation that the publisher left out stays out.
public enum Populate: Sendable, Hashable {
    /// Every relation of the entry itself, none of the related entries.
    case all
    /// No relation.
    case none
    /// The relations on these paths, such as `author` or `author.company`. A last step `*` takes every relation there.
    case paths([String])
    /// For each relation, which of the related entry's fields stay.
    case tree([String: Node])

    /// What stays of a related entry.
    public struct Node: Sendable, Hashable {
        /// The fields that stay; `nil` stands for all.
        ///
        /// Ids always stay.
        public var fields: Set<String>?
        /// The related entry's own relations; `nil` stands for none.
        public var populate: Populate?

        /// A selection of fields and relations.
        public init(fields: Set<String>? = nil, populate: Populate? = nil) {
            self.fields = fields
            self.populate = populate
        }
    }
}

/// A prepared ``Populate``: which relations to follow at one place of an entry.
indirect enum Selection: Sendable, Hashable {
    /// Nothing is removed, here and below.
    case everything
    /// The named relations. With `others` also all others, but not their own relations.
    case some([UTF8Text: Branch], others: Bool)

    static let nothing = Selection.some([:], others: false)

    struct Branch: Sendable, Hashable {
        var fields: Set<UTF8Text>?
        var selection: Selection

        static let everything = Branch(fields: nil, selection: .everything)
        static let nothingBelow = Branch(fields: nil, selection: .nothing)
    }

    init(_ populate: Populate?) {
        switch populate {
        case nil: self = .everything
        case .all: self = .some([:], others: true)
        case .some(.none): self = .nothing
        case .paths(let paths):
            self = .nothing
            for path in paths {
                self.insert(path.utf8.split(separator: UInt8(ascii: ".")).map { UTF8Text(Substring($0)) }[...])
            }
        case .tree(let nodes):
            let branches = nodes.map { name, node in
                let fields = node.fields.map { Set($0.map { UTF8Text($0) }) }
                let below = node.populate.map { Selection($0) } ?? .nothing
                return (UTF8Text(name), Branch(fields: fields, selection: below))
            }
            self = .some(Dictionary(uniqueKeysWithValues: branches), others: false)
        }
    }

    private mutating func insert(_ path: ArraySlice<UTF8Text>) {
        guard let first = path.first, case .some(var branches, let others) = self else { return }
        if first == "*" {
            self = .some(branches, others: true)
            return
        }
        var branch = branches[first] ?? .nothingBelow
        branch.selection.insert(path.dropFirst())
        branches[first] = branch
        self = .some(branches, others: others)
    }

    /// The selection below a relation; `nil` if the relation is not selected.
    func relation(_ key: UTF8Text) -> Branch? {
        switch self {
        case .everything: .everything
        case .some(let branches, let others): branches[key] ?? (others ? .nothingBelow : nil)
        }
    }

    /// The selection below a component or file, which need not be selected themselves.
    func embedded(_ key: UTF8Text) -> Branch {
        switch self {
        case .everything: .everything
        case .some(let branches, _): branches[key] ?? .nothingBelow
        }
    }
}
