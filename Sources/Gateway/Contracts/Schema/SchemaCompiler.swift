import OrderedCollections
import SocketIOWire

/// Makes a list of nodes of a document, and tells everything that is wrong with it.
struct SchemaCompiler {
    static let maximumProblems = 20

    let document: JSONValue
    let limits: JSONSchema.Limits
    var nodes: [SchemaNode] = []
    private(set) var problems: [JSONSchemaError.Problem] = []
    /// The nodes by their place, so that each schema is compiled once.
    private var indices: [JSONPointer: SchemaNode.Index] = [:]
    private var references: [(from: SchemaNode.Index, to: String, path: JSONPointer)] = []
    /// Whether the document has more schemas than it may have.
    ///
    /// That is told once.
    private var isExhausted = false

    init(_ document: JSONValue, limits: JSONSchema.Limits) {
        self.document = document
        self.limits = limits
    }

    mutating func compile() throws(JSONSchemaError) -> [SchemaNode] {
        _ = self.schema(self.document, at: .root, depth: 0)
        // Following a reference may find a schema with further ones.
        while let reference = self.references.popLast() {
            self.resolve(reference.to, from: reference.from, reference.path)
        }
        if self.problems.isEmpty { self.checkChains() }
        guard self.problems.isEmpty else { throw JSONSchemaError(problems: self.problems) }
        return self.nodes
    }

    mutating func report(_ path: JSONPointer, _ message: String) {
        guard self.problems.count < Self.maximumProblems else { return }
        self.problems.append(JSONSchemaError.Problem(path: path.bounded(to: 256), message: message))
    }

    /// Compiles the schema at a place.
    ///
    /// - Returns: Its node, which is worth nothing if there are problems.
    mutating func schema(_ value: JSONValue, at path: JSONPointer, depth: Int) -> SchemaNode.Index {
        if let index = self.indices[path] { return index }
        guard self.nodes.count < self.limits.maximumSchemas, depth <= self.limits.maximumDepth else {
            if !self.isExhausted {
                let reason =
                    depth > self.limits.maximumDepth
                    ? "lies deeper than \(self.limits.maximumDepth) schemas; use $defs and $ref"
                    : "is one too many: a document may have \(self.limits.maximumSchemas) schemas"
                self.report(path, reason)
            }
            self.isExhausted = true
            return 0
        }
        let index = self.nodes.count
        self.nodes.append(SchemaNode(path: path))
        self.indices[path] = index
        switch value {
        case .bool(let isAlways): self.nodes[index].isNever = !isAlways
        case .object(let members): self.keywords(members, of: index, at: path, depth: depth)
        default: self.report(path, "must be a schema: an object, true or false")
        }
        return index
    }

    // MARK: References

    mutating func refer(_ target: String, from index: SchemaNode.Index, at path: JSONPointer) {
        self.references.append((index, target, path))
    }

    private mutating func resolve(_ target: String, from index: SchemaNode.Index, _ path: JSONPointer) {
        guard target.utf8.first == UInt8(ascii: "#") else {
            self.report(path, "refers to another document; copy that schema into $defs and write '#/$defs/NAME'")
            return
        }
        let fragment = String(decoding: target.utf8.dropFirst(), as: UTF8.self)
        guard let tokens = JSONPointer.tokens(ofFragment: fragment) else {
            self.report(path, "must be '#' or '#/' with a JSON Pointer, such as '#/$defs/NAME'")
            return
        }
        guard let (value, place) = self.lookUp(tokens) else {
            self.report(path, "refers to a schema that is not there: '\(boundedText(target))'")
            return
        }
        let found = self.schema(value, at: place, depth: 0)
        guard !self.isExhausted else { return }
        self.nodes[found].isShared = true
        self.nodes[index].reference = found
    }

    private func lookUp(_ tokens: [UTF8Text]) -> (JSONValue, JSONPointer)? {
        var value = self.document
        var place = JSONPointer.root
        for token in tokens {
            switch value {
            case .object(let members):
                guard let member = members[token] else { return nil }
                value = member
                place = place.appending(token)
            case .array(let elements):
                guard let index = Int(token.string), String(index) == token.string, elements.indices.contains(index)
                else { return nil }
                value = elements[index]
                place = place.appending(index)
            default:
                return nil
            }
        }
        return (value, place)
    }

    // MARK: Chains

    /// Checks that no schema asks itself about the same value, and none asks too many others.
    ///
    /// It visits the nodes in depth-first order with a list of its own, because the chains are what may be too long.
    private mutating func checkChains() {
        /// The longest chain that begins at a node; zero while it is not known.
        var lengths = Array(repeating: 0, count: self.nodes.count)
        var isOpen = Array(repeating: false, count: self.nodes.count)
        for start in self.nodes.indices where lengths[start] == 0 {
            var path = [start]
            while let index = path.last {
                if !isOpen[index] {
                    isOpen[index] = true
                    for next in self.nodes[index].subschemasOfSameValue where lengths[next] == 0 {
                        guard !isOpen[next] else {
                            self.report(
                                self.nodes[next].path,
                                "refers to itself for the same value, so that checking would never end"
                            )
                            return
                        }
                        path.append(next)
                    }
                } else {
                    path.removeLast()
                    // A node may have been put on the list several times.
                    guard lengths[index] == 0 else { continue }
                    lengths[index] = 1 + (self.nodes[index].subschemasOfSameValue.map { lengths[$0] }.max() ?? 0)
                }
            }
        }
        guard let longest = lengths.indices.max(by: { lengths[$0] < lengths[$1] }),
            lengths[longest] > self.limits.maximumDepth
        else { return }
        self.report(
            self.nodes[longest].path,
            "asks \(lengths[longest]) schemas one after the other about the same value; "
                + "the limit is \(self.limits.maximumDepth)"
        )
    }
}
