import DequeModule
import NIOCore

/// The messages that are kept for a Redis that is away, with their times.
///
/// The oldest come first.
struct HeldBatch {
    /// The messages that Redis has answered but not executed.
    ///
    /// They are older than the rest.
    private var returned = CommandQueue.Batch()
    private var returnedAt: NIODeadline?
    private var batch = CommandQueue.Batch()
    /// How many entries of the rest came at which time.
    ///
    /// Those of the same tenth of a second share one record.
    private var ages = Deque<(at: NIODeadline, count: Int)>()

    var count: Int { self.returned.entries.count + self.batch.entries.count }

    var oldest: NIODeadline? {
        guard let returnedAt = self.returnedAt else { return self.ages.first?.at }
        return self.ages.first.map { min($0.at, returnedAt) } ?? returnedAt
    }

    /// Appends an entry with the bytes that `write` writes.
    ///
    /// - Returns: How many bytes.
    mutating func append(
        _ entry: CommandQueue.Entry,
        at now: NIODeadline,
        _ write: (inout ByteBuffer) -> Void
    ) -> Int {
        let before = self.batch.bytes.readableBytes
        write(&self.batch.bytes)
        let length = self.batch.bytes.readableBytes - before
        self.batch.append(entry, length: length)
        if let last = self.ages.last, now - last.at < .milliseconds(100) {
            self.ages[self.ages.count - 1].count += 1
        } else {
            self.ages.append((now, 1))
        }
        return length
    }

    /// Adds entries that were sent before and come back, in the order in which they come back.
    mutating func putBack(_ entries: CommandQueue.Batch, at now: NIODeadline) {
        guard !entries.isEmpty else { return }
        self.returned.append(entries)
        self.returnedAt = self.returnedAt ?? now
    }

    mutating func removeAll() -> CommandQueue.Batch {
        defer { self = HeldBatch() }
        self.returned.append(self.batch)
        return self.returned
    }

    /// Takes out what came at that time or before.
    ///
    /// Only the entries of the result are of use.
    mutating func removeFirst(until time: NIODeadline) -> CommandQueue.Batch {
        var removed = CommandQueue.Batch()
        if let returnedAt = self.returnedAt, returnedAt <= time {
            removed = self.returned
            self.returned = CommandQueue.Batch()
            self.returnedAt = nil
        }
        var count = 0
        while let first = self.ages.first, first.at <= time {
            count += first.count
            self.ages.removeFirst()
        }
        for (entry, length) in self.batch.entries.prefix(count) {
            self.batch.bytes.moveReaderIndex(forwardBy: length)
            if entry.isPublish { self.batch.publishes -= 1 }
            removed.append(entry, length: length)
        }
        self.batch.entries.removeFirst(count)
        // The buffer keeps growing at its end, so the memory at its beginning is given back.
        if self.batch.bytes.readerIndex > self.batch.bytes.readableBytes { self.batch.bytes.discardReadBytes() }
        return removed
    }
}
