import Testing

@testable import socketio_node

@Suite(.timeLimit(.minutes(1)))
struct DescriptorPlanTests {
    private func plan(limit: Int?) throws -> DescriptorPlan {
        DescriptorPlan(try LoadedConfiguration(file: nil, yaml: nil, environment: [:], flags: []).node, limit: limit)
    }

    @Test(arguments: [(256, 32, 128), (1024, 128, 224), (1_048_576, 1000, 1096)])
    func publishersGetAPartOfWhatThereIs(limit: Int, publishers: Int, reserved: Int) throws {
        let plan = try self.plan(limit: limit)
        #expect(plan.publishConnections == publishers)
        #expect(plan.reserved == reserved)
    }

    @Test func withoutALimitNothingIsPlanned() throws {
        #expect(try self.plan(limit: nil).publishConnections == 1000)
    }
}
