import NIOCore
import SocketIOServer
import SocketIOWire

// What the nodes of a simulated cluster do.

extension Simulation {
    func broadcast(_ node: SimulatedNode, _ options: BroadcastOptions, isForNewRoom: Bool = false) {
        let (_, arguments) = self.history.publish(by: node.number, options, isForNewRoom: isForNewRoom)
        node.adapter.publish(Broadcast(arguments: arguments, options: options))
    }

    func publishAwaited(_ node: SimulatedNode, _ options: BroadcastOptions, keeps: Bool) {
        node.run { [history, number = node.number] adapter in
            let (event, arguments) = history.publish(by: number, options)
            let outcome = await adapter.publish(
                [ClusterOperation(.emit(arguments), options: options)],
                whileUnreachable: keeps ? .queue : .refuse,
                timeout: Self.timeout
            )
            history.events[event].outcome = "\(outcome)"
            history.trace.append("event \(event) was \(outcome)")
        }
    }

    func broadcastWithAcknowledgements(_ node: SimulatedNode, _ options: BroadcastOptions) {
        let index = self.history.questions.count
        self.ask(node, .acknowledgements, options) { [history, number = node.number] adapter in
            let (_, arguments) = history.publish(by: number, options)
            let audience = try await adapter.publishWithAck(
                Broadcast(arguments: arguments, options: options),
                timeout: Self.timeout,
                onClientCount: { _ in history.questions[index].reports += 1 },
                onAcknowledgement: { history.questions[index].acknowledgements.append($0?.stringValue ?? "nobody") }
            )
            return [String(audience.nodes)]
        }
    }

    func ask(
        _ node: SimulatedNode,
        _ kind: Question.Kind,
        _ options: BroadcastOptions,
        wanted: String? = nil,
        _ body: @escaping @Sendable (any Adapter) async throws -> [String]
    ) {
        var question = Question(node: node.number, kind: kind, options: options, start: self.world.now)
        question.wanted = wanted
        self.history.questions.append(question)
        let index = self.history.questions.count - 1
        node.run { [history, world] adapter in
            let outcome: Question.Outcome
            do {
                outcome = .answered(try await body(adapter).sorted())
            } catch let error as ClusterError {
                let isIncomplete = error.code == .timeout || error.code == .incomplete
                outcome = .failed(isIncomplete: isIncomplete, missing: error.missing.count, message: error.message)
            } catch {
                outcome = .failed(isIncomplete: false, missing: 0, message: "\(error)")
            }
            history.questions[index].end = world.now
            history.questions[index].outcome = outcome
            // Messages name nodes by ids that differ.
            if case .answered(let values) = outcome {
                history.trace.append("\(world.now) \(kind) \(index): \(values)")
            } else {
                history.trace.append("\(world.now) \(kind) \(index) failed")
            }
        }
    }
}
