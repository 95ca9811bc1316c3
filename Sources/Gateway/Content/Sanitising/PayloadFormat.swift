import OrderedCollections
import SocketIOWire

/// How an event's argument looks.
public enum PayloadFormat: String, Sendable, Hashable, CaseIterable {
    /// The entry itself. `IO.raw` sends its argument as it is.
    case flat
    /// `{data: entry, meta: {}}`. Raw events have `{data}`.
    case envelope
    /// `{data: {id, attributes}, meta: {}}`, and the same form for relations and media. Raw events have `{data}`.
    case strapi4

    /// The argument of an event about entries of a content type.
    func argument(
        _ value: JSONValue,
        type: ContentType,
        schema: Schema
    ) throws(SanitisationError) -> JSONValue {
        switch self {
        case .flat:
            return value
        case .envelope:
            return ["data": value, "meta": [:]]
        case .strapi4:
            let entry = try Strapi4(schema: schema).entry(value, shape: Shape(type))
            return ["data": entry, "meta": [:]]
        }
    }

    /// The argument of an event that has no content type.
    func rawArgument(_ value: JSONValue) -> JSONValue {
        self == .flat ? value : ["data": value]
    }
}

/// The response format of Strapi 4: `{id, attributes}`, and `{data}` around related entries.
private struct Strapi4 {
    let schema: Schema

    func entry(_ value: JSONValue, shape: Shape?) throws(SanitisationError) -> JSONValue {
        switch value {
        case .null:
            return .null
        case .array(let elements):
            return .array(
                try self.map(elements) { element throws(SanitisationError) in
                    try self.entry(element, shape: shape)
                }
            )
        case .object(let object):
            var result = JSONObject()
            result["id"] = object["id"]
            var attributes = try self.attributes(object, shape: shape)
            attributes["id"] = nil
            result["attributes"] = .object(attributes)
            return .object(result)
        case .bool, .int, .double, .string, .binary:
            throw .entryIsNoObject
        }
    }

    private func attributes(_ object: JSONObject, shape: Shape?) throws(SanitisationError) -> JSONObject {
        var result = JSONObject(minimumCapacity: object.count)
        for (key, value) in object {
            switch shape?.fields[key]?.kind {
            case .relation(let target):
                result[key] = ["data": try self.entry(value, shape: self.schema.declaredShape(target))]
            case .morph:
                result[key] = ["data": try self.morph(value)]
            case .media:
                result[key] = ["data": try self.entry(value, shape: self.schema.file)]
            case .component(let uid):
                result[key] = try self.component(value, shape: self.schema.declaredShape(uid))
            case .dynamicZone:
                result[key] = try self.dynamicZone(value)
            case .scalar, .json, .password, nil:
                result[key] = value
            }
        }
        return result
    }

    private func morph(_ value: JSONValue) throws(SanitisationError) -> JSONValue {
        guard case .array(let elements) = value else {
            return try self.entry(value, shape: value["__type"]?.stringValue.flatMap(self.schema.declaredShape))
        }
        return .array(try self.map(elements) { element throws(SanitisationError) in try self.morph(element) })
    }

    private func component(_ value: JSONValue, shape: Shape?) throws(SanitisationError) -> JSONValue {
        switch value {
        case .null:
            return .null
        case .array(let elements):
            return .array(
                try self.map(elements) { element throws(SanitisationError) in
                    try self.component(element, shape: shape)
                }
            )
        case .object(let object):
            return .object(try self.attributes(object, shape: shape))
        case .bool, .int, .double, .string, .binary:
            throw .entryIsNoObject
        }
    }

    private func dynamicZone(_ value: JSONValue) throws(SanitisationError) -> JSONValue {
        guard case .array(let elements) = value else { return .null }
        return .array(
            try self.map(elements) { element throws(SanitisationError) in
                let shape = element["__component"]?.stringValue.flatMap(self.schema.declaredShape)
                return try self.component(element, shape: shape)
            }
        )
    }

    private func map(
        _ elements: [JSONValue],
        _ transform: (JSONValue) throws(SanitisationError) -> JSONValue
    ) throws(SanitisationError) -> [JSONValue] {
        var result: [JSONValue] = []
        result.reserveCapacity(elements.count)
        for element in elements { result.append(try transform(element)) }
        return result
    }
}
