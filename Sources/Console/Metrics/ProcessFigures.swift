// On Linux the members of `stat` belong to this module.
import CoreFoundation
import EngineIO
import SocketIOWire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the process uses of the machine.
///
/// A figure that the system does not tell is left out.
enum ProcessFigures {
    @Sendable static func now() -> [(name: UTF8Text, value: Double)] {
        let figures: [(UTF8Text, Double?)] = [
            ("process_cpu_seconds_total", self.cpuSeconds),
            ("process_resident_memory_bytes", self.residentBytes.map(Double.init)),
            ("process_open_fds", self.openDescriptors.map(Double.init)),
            ("process_max_fds", FileDescriptors.limit.map(Double.init)),
        ]
        return figures.compactMap { name, value in value.map { (name, $0) } }
    }

    /// The processor's time that the process has used, its own and the system's for it.
    private static var cpuSeconds: Double? {
        var usage = rusage()
        #if canImport(Glibc)
        let status = getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
        let status = getrusage(RUSAGE_SELF, &usage)
        #endif
        guard status == 0 else { return nil }
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
    }

    private static var residentBytes: Int? {
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = fread(&bytes, 1, bytes.count, file)
        // The second number is that of the resident pages.
        let numbers = bytes.prefix(count).split(separator: UInt8(ascii: " "))
        guard numbers.count > 1 else { return nil }
        return Int(String(decoding: numbers[1], as: UTF8.self)).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    }

    /// How many descriptors are open.
    ///
    /// Linux tells that as the size of the folder since 6.2. Before that, they are counted one by one.
    private static var openDescriptors: Int? {
        var status = stat()
        guard stat("/proc/self/fd", &status) == 0 else { return nil }
        if status.st_size > 0 { return Int(status.st_size) }
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without `.`, `..` and the folder's own.
        return max(0, count - 3)
    }
}
