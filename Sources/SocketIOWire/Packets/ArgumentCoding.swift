import NIOCore

// Scalars only, until values have their own encoder and decoder.
extension JSONValue {
    init<T: Encodable>(encodingArgument value: T) throws {
        switch value {
        case let value as String: self = .string(value)
        case let value as Int: self = .int(value)
        case let value as Bool: self = .bool(value)
        case let value as Double: self = .double(value)
        default:
            throw EncodingError.invalidValue(value, .init(codingPath: [], debugDescription: "not a scalar"))
        }
    }

    func decodeArgument<T: Decodable>(_ type: T.Type) throws -> T {
        let value: Any? =
            switch self {
            case .string(let value) where T.self == String.self: value
            case .int(let value) where T.self == Int.self: value
            case .int(let value) where T.self == Double.self: Double(value)
            case .double(let value) where T.self == Double.self: value
            case .bool(let value) where T.self == Bool.self: value
            default: nil
            }
        guard let result = value as? T else {
            throw DecodingError.typeMismatch(type, .init(codingPath: [], debugDescription: "not a scalar"))
        }
        return result
    }
}
