import SocketIOAdapterTesting
import Testing

/// What every adapter has to do: the checks of `AdapterConformance` on every kind of cluster.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct AdapterConformanceTests {
    @Test(arguments: ClusterKind.allCases)
    func broadcastsReachTheRightClientsOnce(_ kind: ClusterKind) async throws {
        try await kind.check(.broadcastsReachTheRightClientsOnce)
    }

    @Test(arguments: ClusterKind.allCases)
    func orderIsKept(_ kind: ClusterKind) async throws {
        try await kind.check(.orderIsKept)
    }

    @Test(arguments: ClusterKind.allCases)
    func valuesArriveAsTheyAre(_ kind: ClusterKind) async throws {
        try await kind.check(.valuesArriveAsTheyAre)
    }

    @Test(arguments: ClusterKind.allCases)
    func localStaysLocal(_ kind: ClusterKind) async throws {
        try await kind.check(.localStaysLocal)
    }

    @Test(arguments: ClusterKind.allCases)
    func namespacesAreApart(_ kind: ClusterKind) async throws {
        try await kind.check(.namespacesAreApart)
    }

    @Test(arguments: ClusterKind.allCases)
    func acknowledgementsOfAllClients(_ kind: ClusterKind) async throws {
        try await kind.check(.acknowledgementsOfAllClients)
    }

    @Test(arguments: ClusterKind.allCases)
    func missingAcknowledgementsTellWhatDidArrive(_ kind: ClusterKind) async throws {
        try await kind.check(.missingAcknowledgementsTellWhatDidArrive)
    }

    @Test(arguments: ClusterKind.allCases)
    func socketsOfAllNodes(_ kind: ClusterKind) async throws {
        try await kind.check(.socketsOfAllNodes)
    }

    @Test(arguments: ClusterKind.allCases)
    func commandsToSocketsOfAllNodes(_ kind: ClusterKind) async throws {
        try await kind.check(.commandsToSocketsOfAllNodes)
    }

    @Test(arguments: ClusterKind.allCases)
    func remoteSockets(_ kind: ClusterKind) async throws {
        try await kind.check(.remoteSockets)
    }

    @Test(arguments: ClusterKind.allCases)
    func serverSideEvents(_ kind: ClusterKind) async throws {
        try await kind.check(.serverSideEvents)
    }

    @Test(arguments: ClusterKind.allCases)
    func nodeThatLeavesIsNotWaitedFor(_ kind: ClusterKind) async throws {
        try await kind.check(.nodeThatLeavesIsNotWaitedFor)
    }

    @Test(arguments: ClusterKind.allCases)
    func namespaceMadeLaterJoins(_ kind: ClusterKind) async throws {
        try await kind.check(.namespaceMadeLaterJoins)
    }

    /// Every check stands above.
    @Test func allChecksAreMade() {
        #expect(AdapterConformance.Check.allCases.count == 13)
    }
}
