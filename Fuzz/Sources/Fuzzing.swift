import CFuzzSupport
import Dispatch
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Something to fuzz: a function that takes any bytes and stops the process if something is wrong.
struct Target: Sendable {
    let name: String
    let run: @Sendable (ByteBuffer) -> Void
}

private let targets = [
    jsonTarget, codableTarget, packetTarget, enginePacketTarget, payloadTarget, version3Target, messagePackTarget,
    clusterTarget, envelopeTarget, streamTarget, webSocketTarget, inflateTarget, respTarget, requestTarget,
    plainHeadTarget, decoderTarget, proxyHeaderTarget, serverTarget, publishTarget, publishBodyTarget,
]

/// The target that `SOCKETIO_FUZZ_TARGET` names.
private let chosen: Target = {
    let name = getenv("SOCKETIO_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets.first(where: { $0.name == name }) else {
        print("SOCKETIO_FUZZ_TARGET must be one of: \(targets.map(\.name).joined(separator: " "))")
        exit(2)
    }
    atexit { printMeasured() }
    return target
}()

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen.run(ByteBuffer(bytes: UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// Stops the process if a condition is not met.
///
/// Then libFuzzer keeps the input.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    guard !condition else { return }
    printMeasured()
    fatalError(message())
}

// MARK: Measuring

/// How many bytes of memory each byte of input may take at the same time.
enum Memory {
    /// For what the server does with every input: it checks it and passes it on.
    static let passingOn = 10
    /// For JSON text made of MessagePack: `nil` is one byte there and five here, in a buffer that doubles.
    static let transcoding = 32
    /// For a tree of values, which exists only if somebody asks for it: `0,` becomes an element of 24 bytes, in an
    /// array that doubles.
    static let values = 64
}

/// How long an input may take, in microseconds of processor time.
private let longestTime: Int64 = 50_000
/// How many bytes even the shortest input may take.
private let bytesBesides = 65_536

/// The greatest measured values.
///
/// libFuzzer calls the targets from one thread only.
nonisolated(unsafe) private var largest = (bytesForEach: Int64(0), microseconds: Int64(0))

/// Prints them for Fuzz/run at the end.
///
/// An input that takes too much does not count.
private func printMeasured() {
    print("MEASURED \(largest.bytesForEach) bytes for each, \(largest.microseconds) µs")
    fflush(nil)
}

/// Runs what the server does with an input, and stops the process if that takes too much memory or time.
///
/// The checks that a target makes afterwards are not measured.
///
/// - Parameters:
///   - count: The input's bytes.
///   - bytesForEach: How much memory each of them may take.
///   - besides: How much more may be needed.
///   - body: The code to measure.
/// - Returns: Its result.
func measured<Result>(
    _ count: Int,
    bytesForEach: Int = Memory.passingOn,
    besides: Int = 0,
    _ body: () -> Result
) -> Result {
    fuzz_measure_begin()
    let result = body()
    let time = fuzz_measure_microseconds()
    let peak = fuzz_measure_peak_bytes()
    let allowed = Int64(bytesBesides + besides + bytesForEach * count)
    require(peak <= allowed, "\(count) bytes took \(peak) bytes of memory; \(allowed) are allowed")
    require(time <= longestTime, "\(count) bytes took \(time) µs")
    // For a shorter input the constant part would hide the rest.
    if count >= 1024 { largest.bytesForEach = max(largest.bytesForEach, (peak - Int64(besides)) / Int64(count)) }
    largest.microseconds = max(largest.microseconds, time)
    return result
}

// MARK: Inputs

extension ByteBuffer {
    /// Takes the first byte, which chooses how to run a target.
    ///
    /// It is 0 if the input is empty.
    mutating func takeChoice() -> UInt8 { self.readInteger() ?? 0 }

    /// The same bytes in pieces, to be fed one after the other.
    ///
    /// The choice decides where they are cut.
    func pieces(_ choice: UInt8) -> [ByteBuffer] {
        // Each piece has memory of its own, so that reading behind its end is noticed.
        func copy(_ length: Int, _ rest: inout ByteBuffer) -> ByteBuffer {
            ByteBuffer(bytes: rest.readBytes(length: min(length, rest.readableBytes)) ?? [])
        }
        var rest = self
        var pieces: [ByteBuffer] = []
        switch choice {
        case 0...15:
            while rest.readableBytes > 0 { pieces.append(copy(Int(choice) + 1, &rest)) }
        case 16...31:
            var state = UInt32(choice) &* 2_654_435_761
            while rest.readableBytes > 0 {
                state = state &* 1_664_525 &+ 1_013_904_223
                pieces.append(copy(1 + Int(state >> 24), &rest))
            }
        default:
            pieces.append(copy(Int(choice), &rest))
            if rest.readableBytes > 0 { pieces.append(copy(rest.readableBytes, &rest)) }
        }
        return pieces
    }
}

// MARK: Asynchronous targets

/// Runs what is asynchronous to its end, because libFuzzer knows functions only.
func waiting(_ body: @escaping @Sendable () async -> Void) {
    let ended = DispatchSemaphore(value: 0)
    Task {
        await body()
        ended.signal()
    }
    ended.wait()
}
