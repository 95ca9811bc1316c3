import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The socket of a channel, to write small things without the channel's queue.
///
/// It is valid only while the channel is open, and only on its loop. Its owner must forget it when the channel becomes
/// inactive.
struct SocketDescriptor {
    static let none = SocketDescriptor(value: -1)

    private let value: CInt

    private init(value: CInt) { self.value = value }

    /// The channel's socket if it is a stream socket of the system; otherwise ``none``.
    ///
    /// `withUnsafeTransportIfAvailable` does the same. But its cast to a protocol with a given transport took a twentieth
    /// of what a new connection costs, because the runtime looks through the names of types each time.
    init(of channel: any Channel) {
        guard let core = channel._channelCore as? any NIOTransportAccessibleChannelCore else {
            self.value = -1
            return
        }
        self.value = Self.descriptor(of: core) ?? -1
    }

    private static func descriptor(of core: some NIOTransportAccessibleChannelCore) -> CInt? {
        (try? core.withUnsafeTransport { $0 as? CInt }) ?? nil
    }

    var isValid: Bool { self.value >= 0 }

    /// The system's number of the socket; `nil` if there is none.
    var descriptor: CInt? { self.isValid ? self.value : nil }

    /// Gives bytes to the kernel.
    ///
    /// - Returns: How many bytes the kernel took. It is 0 for any error. The channel will get the same error itself.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return 0 }
        #if canImport(Darwin)
        let sent = Darwin.write(self.value, start, bytes.count)
        #else
        let sent = Self.send(self.value, start, bytes.count)
        #endif
        return max(sent, 0)
    }

    /// Reads what has come, as far as there is room, and does not wait.
    ///
    /// - Returns: How many bytes it has read. It is 0 at the end of the stream and for any error. The channel will
    ///   notice both itself.
    func receive(into buffer: inout ByteBuffer) -> Int {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { room in
            max(recv(self.value, room.baseAddress, room.count, CInt(MSG_DONTWAIT)), 0)
        }
    }

    #if !canImport(Darwin)
    /// A broken connection is an error here, and no signal.
    private static func send(_ descriptor: CInt, _ start: UnsafeRawPointer, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.send(descriptor, start, count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
        #else
        Musl.send(descriptor, start, count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
        #endif
    }
    #endif
}
