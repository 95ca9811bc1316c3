import OrderedCollections
import SocketIOWire

/// One validation of one value.
///
/// It asks first whether the value is valid, and only if it is not, what is wrong. A schema that several others refer to
/// is asked about each part of the value once, and its answer is kept: so the time is at most the number of schemas
/// multiplied by the number of parts.
struct SchemaValidation {
    /// How many schemas may wait for each other.
    ///
    /// Each of them takes room on the stack.
    static let maximumDepth = 600

    let nodes: [SchemaNode]
    let limits: JSONSchema.Limits
    var places: SchemaPlaces
    var steps: Int
    private var depth = 0
    /// Why the validation was given up.
    private(set) var stop: Stop?
    /// Answers, by schema and place.
    private var answers: [Question: Bool] = [:]
    /// Whether all answers are kept, and not only those of shared schemas.
    private var keepsAnswers = false
    var violations: [JSONSchema.Violation] = []

    enum Stop { case tooLarge, tooDeep }

    private struct Question: Hashable {
        let schema: SchemaNode.Index
        let place: SchemaPlaces.Index
    }

    init(of value: JSONValue, nodes: [SchemaNode], limits: JSONSchema.Limits) {
        self.nodes = nodes
        self.limits = limits
        self.places = SchemaPlaces(value)
        self.steps = limits.maximumSteps
    }

    mutating func run() -> [JSONSchema.Violation] {
        if self.isValid(0, at: 0), self.stop == nil { return [] }
        if self.stop == nil {
            self.keepsAnswers = true
            self.explain(0, at: 0)
        }
        switch self.stop {
        case .tooLarge?: self.add("maximumSteps", "is too large to be checked against its schema")
        case .tooDeep?: self.add("maximumDepth", "is nested too deeply to be checked against its schema")
        case nil: break
        }
        return self.violations
    }

    private mutating func add(_ keyword: String, _ message: String) {
        self.violations = [
            JSONSchema.Violation(path: .root, keyword: keyword, schemaPath: .root, message: message)
        ]
    }

    mutating func spend(_ count: Int) -> Bool {
        self.steps -= count
        if self.steps < 0 { self.stop = self.stop ?? .tooLarge }
        return self.stop == nil
    }

    /// Whether the value at a place is valid.
    ///
    /// If the validation was given up, the answer means nothing.
    mutating func isValid(_ schema: SchemaNode.Index, at place: SchemaPlaces.Index) -> Bool {
        guard self.spend(1) else { return false }
        guard self.depth < Self.maximumDepth else {
            self.stop = .tooDeep
            return false
        }
        self.depth += 1
        defer { self.depth -= 1 }
        guard self.keepsAnswers || self.nodes[schema].isShared else { return self.evaluate(schema, at: place) }
        let question = Question(schema: schema, place: place)
        if let answer = self.answers[question] { return answer }
        let answer = self.evaluate(schema, at: place)
        self.answers[question] = answer
        return answer
    }

    private mutating func evaluate(_ schema: SchemaNode.Index, at place: SchemaPlaces.Index) -> Bool {
        guard self.failure(of: schema, at: place) == nil else { return false }
        var isValid = true
        self.visitParts(of: schema, at: place) { validation, part, place in
            isValid = validation.isValid(part, at: place)
            return isValid
        }
        guard isValid else { return false }
        return self.combinationFailure(of: schema, at: place) == nil && self.stop == nil
    }

    /// Adds what is wrong with the value at a place, which is known to be invalid.
    ///
    /// Every schema that is asked here has a violation, so there are no more visits than violations and their paths.
    private mutating func explain(_ schema: SchemaNode.Index, at place: SchemaPlaces.Index) {
        guard self.depth < Self.maximumDepth else { return }
        self.depth += 1
        defer { self.depth -= 1 }
        if let failure = self.failure(of: schema, at: place) { self.report(failure, schema, at: place) }
        self.visitParts(of: schema, at: place) { validation, part, place in
            if !validation.isValid(part, at: place), validation.stop == nil { validation.explain(part, at: place) }
            return validation.stop == nil && validation.violations.count < validation.limits.maximumViolations
        }
        guard self.stop == nil, let failure = self.combinationFailure(of: schema, at: place) else { return }
        self.report(failure, schema, at: place)
        guard case .noAlternative = failure, let combined = self.nodes[schema].combined else { return }
        // If only one alternative is meant for values of this type, what it asks for says more.
        let meant = (combined.any + combined.one).filter { self.failure(of: self.target(of: $0), at: place) == nil }
        if meant.count == 1 { self.explain(meant[0], at: place) }
    }

    /// The schema that a mere reference stands for.
    private func target(of schema: SchemaNode.Index) -> SchemaNode.Index {
        var schema = schema
        while let next = self.nodes[schema].reference, self.nodes[schema].types == nil { schema = next }
        return schema
    }

    private mutating func report(_ failure: SchemaFailure, _ schema: SchemaNode.Index, at place: SchemaPlaces.Index) {
        guard self.violations.count < self.limits.maximumViolations else { return }
        let violation = JSONSchema.Violation(
            path: self.places.pointer(to: place).bounded(to: 256),
            keyword: failure.keyword,
            schemaPath: self.nodes[schema].path.bounded(to: 256),
            message: failure.message
        )
        // A schema that several ways lead to says the same each time.
        if !self.violations.contains(violation) { self.violations.append(violation) }
    }
}
