import Metrics
import MetricsTestKit
import SocketIOServer
import SocketIOTestSupport
import Testing

/// What the counters know, and when.
@Suite(.timeLimit(.minutes(1))) struct EventCountTests {
    /// A namespace in which little happens is counted as exactly as one in which much does.
    @Test(arguments: [1, 3, 63, 64, 65, 200]) func eventsAreCountedWithinASecond(_ count: Int) async throws {
        let metrics = TestMetrics()
        try await TestServer(
            metrics: metrics,
            setUp: { io in io.of("/quiet").on("x") { (_: Socket, number: Int) in number } }
        ).run { io, address in
            let client = try await TestClient.connect(to: address)
            _ = try await client.connect("/quiet")
            for number in 1...count {
                try await client.send("42/quiet,\(number)[\"x\",\(number)]")
                #expect(await client.next() == .text("43/quiet,\(number)[\(number)]"))
            }
            await io.advanceTime(by: .seconds(1))
            let counter = try metrics.expectCounter("socketio_events_total", [("namespace", "/quiet")])
            #expect(counter.totalValue == Int64(count))
            await io.advanceTime(by: .seconds(10))
            #expect(counter.totalValue == Int64(count))
        }
    }
}
