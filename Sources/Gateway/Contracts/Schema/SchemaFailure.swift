import OrderedCollections
import SocketIOWire

/// A rule that a value does not fulfil by itself, whatever its parts are.
enum SchemaFailure: Sendable {
    case never
    case type(SchemaTypes, wantsBytes: Bool, found: SchemaKind)
    case enumeration(keyword: String, count: Int)
    case below(SchemaNumber)
    case above(SchemaNumber)
    case notAbove(SchemaNumber)
    case notBelow(SchemaNumber)
    case noMultiple(SchemaNumber)
    case tooShort(Int)
    case tooLong(Int)
    case pattern(String)
    case format(SchemaFormat)
    case tooFewItems(Int)
    case tooManyItems(Int)
    case equalItems(Int, Int)
    case tooFewMembers(Int)
    case tooManyMembers(Int)
    case missing(UTF8Text)
    case missingBeside(UTF8Text, UTF8Text)
    case containsTooFew(Int)
    case containsTooMany(Int)
    case noAlternative(keyword: String, count: Int)
    case severalAlternatives
    case forbidden

    var keyword: String {
        switch self {
        case .never: "false"
        case .type: "type"
        case .enumeration(let keyword, _): keyword
        case .below: "minimum"
        case .above: "maximum"
        case .notAbove: "exclusiveMinimum"
        case .notBelow: "exclusiveMaximum"
        case .noMultiple: "multipleOf"
        case .tooShort: "minLength"
        case .tooLong: "maxLength"
        case .pattern: "pattern"
        case .format: "format"
        case .tooFewItems: "minItems"
        case .tooManyItems: "maxItems"
        case .equalItems: "uniqueItems"
        case .tooFewMembers: "minProperties"
        case .tooManyMembers: "maxProperties"
        case .missing: "required"
        case .missingBeside: "dependentRequired"
        case .containsTooFew: "contains"
        case .containsTooMany: "maxContains"
        case .noAlternative(let keyword, _): keyword
        case .severalAlternatives: "oneOf"
        case .forbidden: "not"
        }
    }

    /// What the value must be.
    ///
    /// The value itself is not repeated, because it may be a secret.
    var message: String {
        switch self {
        case .never: "is not allowed here"
        case .type(let types, let wantsBytes, let found):
            wantsBytes && found == .string
                ? "must be bytes, but is a string" : "must be of type \(types.words), but is \(found.words)"
        case .enumeration(_, let count):
            count == 1 ? "is not the only value that is allowed" : "is none of the \(count) values that are allowed"
        case .below(let limit): "must be at least \(limit)"
        case .above(let limit): "must be at most \(limit)"
        case .notAbove(let limit): "must be more than \(limit)"
        case .notBelow(let limit): "must be less than \(limit)"
        case .noMultiple(let divisor): "must be a multiple of \(divisor)"
        case .tooShort(let length): "must have at least \(length) characters"
        case .tooLong(let length): "must have at most \(length) characters"
        case .pattern(let pattern): "must match the pattern \(boundedText(pattern))"
        case .format(let format): format.words
        case .tooFewItems(let count): "must have at least \(count) elements"
        case .tooManyItems(let count): "must have at most \(count) elements"
        case .equalItems(let first, let second): "must have no equal elements, but \(first) and \(second) are equal"
        case .tooFewMembers(let count): "must have at least \(count) members"
        case .tooManyMembers(let count): "must have at most \(count) members"
        case .missing(let name): "must have the member '\(boundedText(name.string))'"
        case .missingBeside(let name, let other):
            "must have the member '\(boundedText(name.string))', because it has '\(boundedText(other.string))'"
        case .containsTooFew(let count): "must have at least \(count) elements that fit 'contains'"
        case .containsTooMany(let count): "must have at most \(count) elements that fit 'contains'"
        case .noAlternative(_, let count): "fits none of the \(count) alternatives"
        case .severalAlternatives: "fits more than one of the alternatives, and must fit exactly one"
        case .forbidden: "fits a schema that it must not fit"
        }
    }
}

extension SchemaNumber: CustomStringConvertible {
    var description: String {
        switch self {
        case .integer(let value): "\(value)"
        case .double(let value): "\(value)"
        }
    }
}
