package import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Bytes that grow at their end, with one holder.
///
/// Everything that is sent is written with it. Nobody else can hold its memory, so a write is a comparison and a copy.
/// A `ByteBuffer` has to find out each time whether it is shared. The writer becomes a `ByteBuffer` when its bytes are
/// to be shared.
package struct ByteWriter: ~Copyable {
    private var memory: UnsafeMutableRawPointer
    package private(set) var capacity: Int
    /// Whether the memory was taken from the heap, and not lent.
    private var ownsMemory: Bool
    /// How many bytes have been written.
    package private(set) var count = 0

    /// The smallest piece of memory that is taken from the heap.
    private static var smallestCapacity: Int { 64 }

    /// Writes to the heap.
    package init(capacity: Int = 0) {
        self.capacity = max(capacity, Self.smallestCapacity)
        self.memory = Self.allocate(self.capacity)
        self.ownsMemory = true
    }

    /// Writes to memory that outlives the writer, and to the heap if that is not enough.
    init(lent memory: UnsafeMutableRawBufferPointer) {
        if let start = memory.baseAddress {
            self.memory = start
            self.capacity = memory.count
            self.ownsMemory = false
        } else {
            self.memory = Self.allocate(Self.smallestCapacity)
            self.capacity = Self.smallestCapacity
            self.ownsMemory = true
        }
    }

    /// Whether it uses no memory except its own and this.
    func outlives(nothingBut scratch: UnsafeMutableRawBufferPointer) -> Bool {
        self.ownsMemory || self.memory == scratch.baseAddress
    }

    deinit {
        if self.ownsMemory { free(self.memory) }
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
        guard let memory = malloc(capacity) else { fatalError("no memory for \(capacity) bytes") }
        return memory
    }

    // MARK: Room

    /// Makes sure that so many more bytes can be written without new memory.
    @inline(__always)
    package mutating func reserveCapacity(minimumWritableBytes count: Int) {
        if self.capacity &- self.count < count { self.grow(by: count) }
    }

    @inline(never)
    private mutating func grow(by count: Int) {
        let capacity = max(self.count + count, self.capacity * 2, Self.smallestCapacity)
        if self.ownsMemory {
            guard let memory = realloc(self.memory, capacity) else { fatalError("no memory for \(capacity) bytes") }
            self.memory = memory
        } else {
            let memory = Self.allocate(capacity)
            memory.copyMemory(from: self.memory, byteCount: self.count)
            self.memory = memory
            self.ownsMemory = true
        }
        self.capacity = capacity
    }

    /// Forgets what was written.
    package mutating func removeAll() { self.count = 0 }

    /// Keeps that many bytes and forgets what was written behind them.
    mutating func truncate(to count: Int) {
        if count < self.count { self.count = max(count, 0) }
    }

    // MARK: Writing

    /// Writes one byte.
    @inline(__always)
    package mutating func writeInteger(_ byte: UInt8) {
        self.reserveCapacity(minimumWritableBytes: 1)
        self.memory.storeBytes(of: byte, toByteOffset: self.count, as: UInt8.self)
        self.count &+= 1
    }

    /// Writes a constant.
    @inline(__always)
    package mutating func writeStaticString(_ string: StaticString) {
        self.writeBytes(UnsafeRawBufferPointer(start: string.utf8Start, count: string.utf8CodeUnitCount))
    }

    /// Writes the UTF-8 of a string.
    package mutating func writeString(_ string: String) {
        var string = string
        string.withUTF8 { self.writeBytes(UnsafeRawBufferPointer($0)) }
    }

    /// Writes bytes.
    ///
    /// They must not be this writer's own.
    @inline(__always)
    package mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        self.reserveCapacity(minimumWritableBytes: bytes.count)
        (self.memory + self.count).copyMemory(from: start, byteCount: bytes.count)
        self.count &+= bytes.count
    }

    /// Writes the readable bytes of a buffer.
    package mutating func writeImmutableBuffer(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { self.writeBytes($0) }
    }

    /// Writes the same byte again and again.
    mutating func writeRepeatingByte(_ byte: UInt8, count: Int) {
        guard count > 0 else { return }
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { output in
            for index in 0..<count { output[index] = byte }
            return count
        }
    }

    /// Lets a closure set the memory behind what was written.
    ///
    /// - Parameters:
    ///   - count: How much of it there must be.
    ///   - body: Sets bytes, and returns how many.
    @inline(__always)
    mutating func writeWithUnsafeMutableBytes(
        minimumWritableBytes count: Int,
        _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        self.reserveCapacity(minimumWritableBytes: count)
        let room = UnsafeMutableRawBufferPointer(start: self.memory + self.count, count: self.capacity - self.count)
        self.count += min(max(body(room), 0), room.count)
    }

    /// Leaves out bytes that are set later.
    @inline(__always)
    mutating func skip(_ count: Int) {
        self.reserveCapacity(minimumWritableBytes: count)
        self.count &+= count
    }

    /// Makes room for bytes between others.
    mutating func insertRoom(of count: Int, at index: Int) {
        precondition(count >= 0 && (0...self.count).contains(index), "the room is within what was written")
        self.reserveCapacity(minimumWritableBytes: count)
        let place = self.memory + index
        (place + count).copyMemory(from: place, byteCount: self.count - index)
        self.count += count
    }

    // MARK: Reading

    /// What was written.
    package borrowing func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R
    {
        try body(UnsafeRawBufferPointer(start: self.memory, count: self.count))
    }

    /// What was written from an index on, to be changed.
    @inline(__always)
    mutating func withUnsafeMutableBytes(from index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        precondition((0...self.count).contains(index), "only what was written can be changed")
        body(UnsafeMutableRawBufferPointer(start: self.memory + index, count: self.count - index))
    }

    /// A copy of what was written from an index on, in memory of exactly that size.
    package borrowing func makeBuffer(from index: Int = 0) -> ByteBuffer {
        let start = min(max(index, 0), self.count)
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: self.memory + start, count: self.count - start))
    }
}
