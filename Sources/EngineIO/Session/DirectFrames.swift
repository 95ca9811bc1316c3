import NIOCore
import SocketIOWire

/// What is being written for one client alone: the frames of one write, put together as they are sent.
///
/// There is one of these for each loop. It serves the client whose messages are being handled, which is the one that
/// gets answers; when another client is sent something, what the first one has so far becomes a packet of its own.
final class DirectFrames {
    /// The session that the frames are for, if there are any.
    @exclusivity(unchecked) private(set) var owner: EngineSession?
    /// `nil` while they are handed out.
    @exclusivity(unchecked) private var frames: ByteWriter?
    /// Whether somebody is appending right now, whose values may send something themselves.
    @exclusivity(unchecked) private(set) var isOpen = false
    /// What the owner was sent meanwhile.
    @exclusivity(unchecked) private var interjections: [EncodedPacket] = []

    /// What one big write must not keep for ever.
    private static var largestKept: Int { 131_072 }

    /// The bytes that wait for a session.
    func bytes(of session: EngineSession) -> Int { self.owner === session ? self.frames?.count ?? 0 : 0 }

    /// Hands out what to append to; it comes back with ``end(_:)``.
    ///
    /// - Returns: `nil` if somebody is appending already.
    func begin(for session: EngineSession) -> ByteWriter? {
        guard !self.isOpen else { return nil }
        if self.owner !== session {
            self.owner?.sealDirect()
            self.owner = session
            self.frames?.removeAll()
        }
        self.isOpen = true
        return self.frames.take() ?? ByteWriter()
    }

    /// Takes back what was handed out; the frames are dropped if they have lost their owner.
    ///
    /// - Returns: What the owner was sent meanwhile and gets behind these frames; `nil` if that is nothing.
    func end(_ frames: consuming ByteWriter?) -> [EncodedPacket]? {
        self.isOpen = false
        if frames?.count ?? 0 == 0 { self.owner = nil }
        self.frames = frames
        guard !self.interjections.isEmpty else { return nil }
        defer { self.interjections = [] }
        return self.interjections
    }

    /// Keeps a packet until ``end(_:)``.
    func interject(_ packet: EncodedPacket) { self.interjections.append(packet) }

    /// Hands out a session's frames to be written; they come back with ``giveBack(_:)``.
    func take(from session: EngineSession) -> ByteWriter? {
        guard self.owner === session, !self.isOpen else { return nil }
        self.owner = nil
        return self.frames.take()
    }

    /// Takes written frames back: their memory is used again.
    func giveBack(_ frames: consuming ByteWriter) {
        guard self.owner == nil, !self.isOpen, frames.capacity <= Self.largestKept else { return }
        self.frames = .some(frames)
    }

    /// Takes a session's frames away, as a buffer of their own; not while somebody is appending.
    func seal(for session: EngineSession) -> ByteBuffer? {
        guard self.owner === session, !self.isOpen else { return nil }
        self.owner = nil
        return self.frames?.makeBuffer()
    }

    /// Drops a session's frames.
    func discard(for session: EngineSession) {
        guard self.owner === session else { return }
        self.owner = nil
        self.interjections = []
    }
}
