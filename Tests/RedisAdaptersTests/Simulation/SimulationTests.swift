import Foundation
import Testing

/// A cluster in one thread on virtual time, thousands of times, each time with other faults.
@Suite struct SimulationTests {
    /// `SIMULATION_SEEDS=FIRST-LAST` runs others; see `simulate`.
    static let seeds: ClosedRange<UInt64> = {
        let bounds = (ProcessInfo.processInfo.environment["SIMULATION_SEEDS"] ?? "").split(separator: "-")
            .compactMap { UInt64($0) }
        return bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]...bounds[1] : 1...500
    }()

    /// The shortest script that does the same, and what is wrong with it.
    private static func report(_ script: Script, _ mutation: Mutation? = nil) -> String {
        let shortest = script.shrunk { !Simulation.run($0, mutation).violations.isEmpty }
        let outcome = Simulation.run(shortest, mutation)
        return (["\(shortest)"] + outcome.violations.prefix(6) + outcome.trace.suffix(60)).joined(separator: "\n")
    }

    @Test func promisesHold() {
        var (runs, steps, failures) = (0, 0, 0)
        for seed in Self.seeds where failures < 3 {
            let outcome = Simulation.run(Script(seed: seed))
            runs += 1
            steps += outcome.steps
            guard !outcome.violations.isEmpty else { continue }
            failures += 1
            Issue.record("\(Self.report(Script(seed: seed)))")
        }
        // A simulation in which nothing happens proves nothing.
        #expect(steps > 200 * runs)
    }

    @Test func sameSeedSameRun() {
        for seed in UInt64(1)...40 {
            let (one, other) = (Simulation.run(Script(seed: seed)), Simulation.run(Script(seed: seed)))
            #expect(one.trace == other.trace, "seed \(seed)")
            #expect(one.steps == other.steps, "seed \(seed)")
        }
    }

    @Test(arguments: Mutation.allCases)
    func plantedFaultIsFound(_ mutation: Mutation) {
        let found = (UInt64(1)...1_000).first { !Simulation.run(Script(seed: $0), mutation).violations.isEmpty }
        #expect(found != nil, "nobody has noticed in 1,000 runs that something \(mutation)")
        // Without it nothing is wrong there.
        if let found { #expect(Simulation.run(Script(seed: found)).violations.isEmpty, "seed \(found)") }
    }

    @Test func failingScriptIsShortened() throws {
        let seed = try #require(
            (UInt64(1)...1_000).first { !Simulation.run(Script(seed: $0), .deliversTwice).violations.isEmpty }
        )
        let script = Script(seed: seed)
        let shortest = script.shrunk { !Simulation.run($0, .deliversTwice).violations.isEmpty }
        #expect(shortest.steps.count < script.steps.count)
        #expect(!Simulation.run(shortest, .deliversTwice).violations.isEmpty)
    }
}
