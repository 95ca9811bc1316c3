import NIOHTTP1

/// What Node does with a header field that comes more than once.
enum FieldRepetition {
    /// The first one counts.
    case first
    /// The values are joined into one field.
    case list
    /// The same for `Cookie`.
    case cookies

    /// The rule for a field's name, in any case.
    init(of name: Bytes) {
        self =
            switch name.count {
            case 6 where name.equalsIgnoringCase("cookie"): .cookies
            case let count where Self.isSingle(name, count): .first
            default: .list
            }
    }

    /// Adds another value.
    func add(_ next: String, to value: inout String) {
        switch self {
        case .first: break
        case .list: value += ", " + next
        case .cookies: value += "; " + next
        }
    }

    private static func isSingle(_ name: Bytes, _ count: Int) -> Bool {
        switch count {
        case 3: name.equalsIgnoringCase("age")
        case 4:
            name.equalsIgnoringCase("host") || name.equalsIgnoringCase("from") || name.equalsIgnoringCase("etag")
        case 6: name.equalsIgnoringCase("server")
        case 7: name.equalsIgnoringCase("referer") || name.equalsIgnoringCase("expires")
        case 8: name.equalsIgnoringCase("location")
        case 10: name.equalsIgnoringCase("user-agent")
        case 11: name.equalsIgnoringCase("retry-after")
        case 12: name.equalsIgnoringCase("content-type") || name.equalsIgnoringCase("max-forwards")
        case 13: name.equalsIgnoringCase("authorization") || name.equalsIgnoringCase("last-modified")
        case 14: name.equalsIgnoringCase("content-length")
        case 17: name.equalsIgnoringCase("if-modified-since")
        case 19:
            name.equalsIgnoringCase("proxy-authorization") || name.equalsIgnoringCase("if-unmodified-since")
        default: false
        }
    }
}

extension HTTPHeaders {
    /// The value of a field as Node reads it.
    ///
    /// The name must be given in lower case.
    func field(_ name: StaticString) -> String? {
        var value: String?
        for (field, next) in self where field.withBytes({ $0.equalsIgnoringCase(name) }) {
            guard var joined = value else {
                value = next
                continue
            }
            field.withBytes { FieldRepetition(of: $0).add(next, to: &joined) }
            value = joined
        }
        return value
    }
}
