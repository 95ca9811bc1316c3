#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How much memory the process may use.
///
/// It is the least of the machine's memory, the limits of the process's control groups and their parents, and its
/// resource limits.
package enum ProcessMemory {
    /// The bytes.
    ///
    /// They are found out once.
    package static let limit = Self.limit(
        physical: Self.physical,
        resourceLimits: Self.resourceLimits,
        controlGroups: Self.contents(of: "/proc/self/cgroup"),
        reading: Self.contents
    )

    /// The value for machines that tell nothing.
    ///
    /// They have at least that much.
    private static let assumed = 1_073_741_824

    /// Takes the least of the limits.
    ///
    /// - Parameters:
    ///   - physical: The memory of the machine; `nil` if that is not known.
    ///   - resourceLimits: The limits of the process's resources.
    ///   - controlGroups: The text of `/proc/self/cgroup`. It has a line for each hierarchy: number, controllers and
    ///     path, with colons between them.
    ///   - read: Reads a file; `nil` if there is none.
    /// - Returns: The bytes that the process may use.
    static func limit(
        physical: Int?,
        resourceLimits: [Int],
        controlGroups: [UInt8]?,
        reading read: (String) -> [UInt8]?
    ) -> Int {
        var limits = resourceLimits
        if let physical { limits.append(physical) }
        for line in (controlGroups ?? []).split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let path = String(decoding: parts[2], as: UTF8.self)
            if parts[1].isEmpty {
                limits += Self.limits(below: "/sys/fs/cgroup", path, ["memory.max", "memory.high"], read)
            } else if parts[1].split(separator: UInt8(ascii: ",")).contains(where: { $0.elementsEqual("memory".utf8) })
            {
                limits += Self.limits(below: "/sys/fs/cgroup/memory", path, ["memory.limit_in_bytes"], read)
            }
        }
        return max(limits.filter { $0 > 0 }.min() ?? Self.assumed, 1)
    }

    /// The limits of a group and its parents.
    ///
    /// A container sees its own group as the root.
    private static func limits(
        below root: String,
        _ path: String,
        _ names: [String],
        _ read: (String) -> [UInt8]?
    ) -> [Int] {
        var limits: [Int] = []
        var folders = path.utf8.split(separator: UInt8(ascii: "/")).prefix(64).map { String(Substring($0)) }
        while true {
            let folder = ([root] + folders).joined(separator: "/")
            for name in names {
                if let bytes = read("\(folder)/\(name)"), let limit = Self.number(bytes) { limits.append(limit) }
            }
            guard folders.popLast() != nil else { return limits }
        }
    }

    /// A decimal number with the end of a line behind it; `nil` for `max`, and for a number that fits no integer.
    private static func number(_ bytes: [UInt8]) -> Int? {
        var number = 0
        var isEmpty = true
        for byte in bytes {
            if byte == UInt8(ascii: "\n") { break }
            guard byte.isDigit else { return nil }
            let (product, overflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = product.addingReportingOverflow(Int(byte - 0x30))
            guard !overflows, !overflowsToo else { return nil }
            number = sum
            isEmpty = false
        }
        return isEmpty ? nil : number
    }

    private static var physical: Int? {
        let (pages, size) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        guard pages > 0, size > 0 else { return nil }
        return pages.multipliedReportingOverflow(by: size).overflow ? nil : pages * size
    }

    private static var resourceLimits: [Int] {
        #if canImport(Glibc)
        let resources = [__rlimit_resource_t(RLIMIT_AS.rawValue), __rlimit_resource_t(RLIMIT_DATA.rawValue)]
        #else
        let resources = [RLIMIT_AS, RLIMIT_DATA]
        #endif
        return resources.compactMap { resource in
            var limit = rlimit()
            guard getrlimit(resource, &limit) == 0 else { return nil }
            return Int(exactly: limit.rlim_cur)
        }
    }

    private static func contents(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }
}
