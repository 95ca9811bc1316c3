import SocketIOTestSupport
import Testing

@testable import SocketIOServer

struct ArrivalQueueTests {
    /// The same as an array in which everything is looked for.
    @Test func valuesKeepTheirOrderWhoeverGoes() {
        var queue = ArrivalQueue<Int>()
        var model: [Int] = []
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<5_000 {
            let value = Int.random(in: 0..<20, using: &generator)
            if Bool.random(using: &generator) {
                queue.append(value)
                if !model.contains(value) { model.append(value) }
            } else {
                #expect(queue.remove(value) == model.contains(value))
                model.removeAll { $0 == value }
            }
            #expect(queue.first == model.first)
            #expect(queue.count == model.count)
        }
        while let first = queue.first {
            #expect(first == model.removeFirst())
            queue.remove(first)
        }
        #expect(model.isEmpty && queue.isEmpty)
    }
}
