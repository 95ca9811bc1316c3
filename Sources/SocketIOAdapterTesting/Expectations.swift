extension AdapterConformance {
    /// The error of that type that something throws; `nil` if it throws none.
    static func error<Failure: Error>(_ type: Failure.Type, _ body: () async throws -> Void) async -> Failure? {
        do {
            try await body()
            return nil
        } catch {
            return error as? Failure
        }
    }
}

/// Fails a check unless a value is what it has to be.
func expect<Value: Equatable>(
    _ value: Value,
    _ expected: Value,
    file: String = #fileID,
    line: Int = #line
) throws {
    guard value == expected else {
        throw AdapterConformance.Failure(text: "\(value) instead of \(expected)", file: file, line: line)
    }
}

/// Fails a check if there is no value.
func require<Value>(_ value: Value?, file: String = #fileID, line: Int = #line) throws -> Value {
    guard let value else { throw AdapterConformance.Failure(text: "there is nothing", file: file, line: line) }
    return value
}

/// Fails a check unless something holds.
func require(_ isTrue: Bool, _ text: String, file: String = #fileID, line: Int = #line) throws {
    guard isTrue else { throw AdapterConformance.Failure(text: text, file: file, line: line) }
}
