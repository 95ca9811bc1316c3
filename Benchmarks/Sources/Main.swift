import CCounters

/// Prints what one operation of each benchmark costs, a line for each: name, allocations, bytes allocated.
///
/// Under callgrind the operations are few, and callgrind writes a file for each benchmark; the lines then tell how many
/// operations there were. `Benchmarks/run` puts the two together.
@main
struct Main {
    static func main() async throws {
        let names = CommandLine.arguments.dropFirst()
        func isWanted(_ name: String) -> Bool { names.isEmpty || names.contains { name.hasPrefix($0) } }
        for benchmark in wireBenchmarks + serverBenchmarks where isWanted(benchmark.name) {
            try await Self.run(benchmark)
        }
        guard counters_has_instructions() else { return }
        for work in linearWork + gatewayWork where isWanted(work.name) {
            for size in [work.size, work.size * 2] {
                let body = try await work.prepare(size)
                body()
                counters_instructions_begin()
                body()
                counters_instructions_end("\(work.name)@\(size)")
            }
            print("linear\t\(work.name)\t\(work.size)")
        }
    }

    private static func run(_ benchmark: Benchmark) async throws {
        let body = try await benchmark.prepare()
        if counters_has_instructions() {
            let operations = max(10, benchmark.operations / 20)
            body(operations)
            counters_instructions_begin()
            body(operations)
            counters_instructions_end(benchmark.name)
            print("instructions\t\(benchmark.name)\t\(operations)")
            return
        }
        body(benchmark.operations)
        // The difference of a long and a short run: what beginning and ending cost falls out.
        let (short, shortBytes) = Self.count { body(benchmark.operations) }
        let (long, longBytes) = Self.count { body(benchmark.operations * 3) }
        let operations = Double(benchmark.operations * 2)
        let allocations = Double(long - short) / operations
        let bytes = Double(longBytes - shortBytes) / operations
        print("allocations\t\(benchmark.name)\t\(allocations)\t\(bytes)")
    }

    private static func count(_ body: () -> Void) -> (allocations: Int64, bytes: Int64) {
        let (allocations, bytes) = (counters_allocations(), counters_allocated_bytes())
        body()
        return (counters_allocations() - allocations, counters_allocated_bytes() - bytes)
    }
}
