import NIOCore
import RESP

/// How far the streams have been read, for the logs of namespaces in which little happens.
extension StreamHubReading {
    /// How often members are told.
    private static let tellingInterval = TimeAmount.seconds(1)

    func tellLater() {
        guard self.telling == nil, self.members.values.contains(where: \.keepsLog) else { return }
        let generation = self.generation
        self.telling = self.bus.eventLoop.scheduleTask(in: Self.tellingInterval) { [weak hub = self.hub] in
            hub?.tell(generation)
        }
    }

    /// Tells those that keep a log how far it has been read: in most of it nothing may be theirs.
    func tell(_ generation: Int) {
        guard generation == self.generation, !self.positions.isEmpty else { return }
        self.telling = nil
        for member in self.members.values where member.keepsLog {
            guard let index = self.index(of: member.stream) else { continue }
            // Whatever is missing stands before the next entry that is read.
            if let place = self.missingBehind[index], self.positions[index] <= place { continue }
            member.logReached(self.positions[index])
        }
    }
}
