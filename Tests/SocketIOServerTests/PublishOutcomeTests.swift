import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// What a sender is told about the other nodes, and what that means for this node's clients.
@Suite(.timeLimit(.minutes(1))) struct PublishOutcomeTests {
    @Test(arguments: [PublishOutcome.published, .queued, .localOnly, .unconfirmed(reason: "lost")])
    func clientsGetWhatTheAdapterTook(outcome: PublishOutcome) async throws {
        let adapter = Telling(outcome)
        try await TestServer(adapter: adapter).run { io, address in
            let client = try await TestClient.join(at: address)
            #expect(await io.to(Room(client.id)).publish("x", 1) == outcome)
            #expect(await io.everybody.publish("y", values: [2, 3]) == outcome)
            #expect(await client.next() == .text("42[\"x\",1]"))
            #expect(await client.next() == .text("42[\"y\",2,3]"))
            #expect(adapter.policies == [.queue, .queue])
        }
    }

    @Test func nobodyGetsWhatWasRefused() async throws {
        let adapter = Telling(.refused(reason: "full"))
        try await TestServer(adapter: adapter).run { io, address in
            let client = try await TestClient.join(at: address)
            #expect(await io.everybody.publish("x", whileUnreachable: .refuse) == .refused(reason: "full"))
            #expect(adapter.policies == [.refuse])
            #expect(try await client.hasNothingMore())
        }
    }

    @Test func operationsAreOneQuestionAndAllOrNothing() async throws {
        for isAccepted in [true, false] {
            let adapter = Telling(isAccepted ? .published : .refused(reason: "full"))
            try await TestServer(adapter: adapter).run { io, address in
                let client = try await TestClient.join(at: address)
                let own = io.to(Room(client.id)).options
                let outcome = await io.sockets.perform(
                    [
                        ClusterOperation(.join(["room"]), options: own),
                        ClusterOperation(.emit(["x"]), options: BroadcastOptions(rooms: ["room"])),
                        ClusterOperation(.leave(["room"]), options: own),
                        ClusterOperation(.emit(["never"]), options: BroadcastOptions(rooms: ["room"])),
                        ClusterOperation(.disconnect(closingConnection: false), options: own),
                    ],
                    whileUnreachable: .queue,
                    timeout: .seconds(1)
                )
                #expect(outcome.isAccepted == isAccepted)
                #expect(adapter.policies.count == 1)
                if isAccepted {
                    #expect(await client.next() == .text("42[\"x\"]"))
                    #expect(await client.next() == .text("41"))
                } else {
                    #expect(try await client.hasNothingMore())
                }
            }
        }
    }

    @Test func localOperationsAskNobody() async throws {
        let adapter = Telling(.refused(reason: "full"))
        try await TestServer(adapter: adapter).run { io, address in
            let client = try await TestClient.join(at: address)
            #expect(await io.local.publish("x") == .localOnly)
            #expect(await client.next() == .text("42[\"x\"]"))
            #expect(adapter.policies.isEmpty)
        }
    }

    @Test func aServerAloneHasNobodyToTell() async throws {
        try await TestServer().run { io, _ in #expect(await io.everybody.publish("x") == .localOnly) }
    }

    @Test(arguments: ["connect", "disconnecting"])
    func reservedNamesAreRefused(name: String) async throws {
        let adapter = Telling(.published)
        try await TestServer(adapter: adapter).run { io, _ in
            #expect(await io.everybody.publish(name, values: []).isAccepted == false)
            #expect(await io.everybody.publish(name).isAccepted == false)
            #expect(adapter.policies.isEmpty)
        }
    }

    @Test func theWorseOutcomeCounts() {
        let inOrder: [PublishOutcome] = [
            .localOnly, .published, .queued, .unconfirmed(reason: "x"), .refused(reason: "x"),
        ]
        for (index, better) in inOrder.enumerated() {
            for worse in inOrder[index...] {
                #expect(better.combined(with: worse) == worse)
                #expect(worse.combined(with: better) == worse)
            }
        }
    }
}

/// An adapter that says what it was told to say, and remembers how it was asked.
private final class Telling: AdapterFactory {
    private let outcome: PublishOutcome
    private let asked = NIOLockedValueBox<[UnreachablePolicy]>([])

    init(_ outcome: PublishOutcome) { self.outcome = outcome }

    var policies: [UnreachablePolicy] { self.asked.withLockedValue { $0 } }

    func makeAdapter(for host: any AdapterHost) -> any Adapter { Told(factory: self) }

    private struct Told: LonelyAdapter {
        let factory: Telling

        func publish(
            _ operations: [ClusterOperation],
            whileUnreachable policy: UnreachablePolicy,
            timeout: TimeAmount
        ) async -> PublishOutcome {
            self.factory.asked.withLockedValue { $0.append(policy) }
            return self.factory.outcome
        }
    }
}
