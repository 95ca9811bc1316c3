import CCounters

/// Something that is counted: what one operation costs, repeated often.
struct Benchmark: Sendable {
    /// What the thresholds call it.
    let name: String
    /// How often the operation is done for one count.
    var operations = 1000
    /// Makes everything ready, and what does the operation so many times.
    ///
    /// When that returns, everything that the operations led to has happened.
    let prepare: @Sendable () async throws -> (Int) -> Void
}

/// Work whose amount must grow like the size of its input, and no faster.
struct LinearWork: Sendable {
    let name: String
    /// The size that is compared with the double of it.
    var size = 20_000
    /// Makes an input of a size, and what works on it.
    let prepare: @Sendable (Int) async throws -> () -> Void
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
}

/// Keeps the optimiser from leaving out what makes this.
@inline(never)
@_optimize(none)
func use<T>(_ value: borrowing T) {}

/// Ends the process: a benchmark that does not work as expected counts nothing.
func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}
