import Testing

@testable import socketio_node

@Suite(.timeLimit(.minutes(1)))
struct DescriptorPlanTests {
    private func plan(limit: Int?) throws -> DescriptorPlan {
        DescriptorPlan(try LoadedConfiguration(file: nil, yaml: nil, environment: [:], flags: []).node, limit: limit)
    }

    @Test(arguments: [(256, 32, 96), (1024, 128, 192), (1_048_576, 1000, 1064)])
    func publishersGetAPartOfWhatThereIs(limit: Int, publishers: Int, reserved: Int) throws {
        let plan = try self.plan(limit: limit)
        #expect(plan.publishConnections == publishers)
        #expect(plan.reserved == reserved)
    }

    @Test func withoutALimitNothingIsPlanned() throws {
        #expect(try self.plan(limit: nil).publishConnections == 1000)
    }
}
