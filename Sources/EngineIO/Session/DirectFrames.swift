import NIOCore
import SocketIOWire

/// The frames of one write for a single client.
///
/// They are joined while the client is sent packets.
///
/// Each loop has one of these. It serves the client whose messages are being handled, because that is the one that gets
/// answers. When another client is sent something, the frames of the first one become a packet of their own.
final class DirectFrames {
    /// The session that the frames are for, if there are any.
    @exclusivity(unchecked) private(set) var owner: EngineSession?
    /// The buffer; `nil` while it is handed out.
    @exclusivity(unchecked) private var frames: ByteWriter?
    /// Whether somebody is appending right now.
    ///
    /// The values that are being encoded may send something themselves.
    @exclusivity(unchecked) private(set) var isOpen = false
    /// The packets that the owner was sent meanwhile.
    @exclusivity(unchecked) private var interjections: [EncodedPacket] = []

    /// A buffer that one big write has made larger than this is not kept.
    private static var largestKept: Int { 131_072 }

    /// The bytes that wait for a session.
    func bytes(of session: EngineSession) -> Int { self.owner === session ? self.frames?.count ?? 0 : 0 }

    /// Hands out the buffer to append to.
    ///
    /// It comes back with ``end(_:)``.
    ///
    /// - Returns: The buffer; `nil` if somebody is appending already.
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

    /// Takes the buffer back.
    ///
    /// If the frames have lost their owner, they are dropped.
    ///
    /// - Returns: The packets that the owner was sent meanwhile and gets behind these frames; `nil` if there are none.
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

    /// Hands out a session's frames for writing.
    ///
    /// They come back with ``giveBack(_:)``.
    func take(from session: EngineSession) -> ByteWriter? {
        guard self.owner === session, !self.isOpen else { return nil }
        self.owner = nil
        return self.frames.take()
    }

    /// Takes written frames back, to use their memory again.
    func giveBack(_ frames: consuming ByteWriter) {
        guard self.owner == nil, !self.isOpen, frames.capacity <= Self.largestKept else { return }
        self.frames = .some(frames)
    }

    /// Takes a session's frames away, as a buffer of their own.
    ///
    /// Nobody may be appending.
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
