#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The limit of files that the process may have open.
///
/// Sockets count, too.
package enum FileDescriptors {
    /// How many there may be; `nil` if that is unknown or practically unlimited.
    package static var limit: Int? {
        guard let limits = Self.limits else { return nil }
        return limits.rlim_cur > 1 << 30 ? nil : Int(limits.rlim_cur)
    }

    /// Raises the limit as far as the system lets this process.
    ///
    /// - Returns: The limit before, if it has changed.
    package static func raiseLimit() -> Int? {
        guard var limits = Self.limits, limits.rlim_cur < limits.rlim_max else { return nil }
        let before = limits.rlim_cur
        limits.rlim_cur = limits.rlim_max
        #if canImport(Darwin)
        limits.rlim_cur = min(limits.rlim_max, rlim_t(OPEN_MAX))
        #endif
        return Self.set(&limits) ? Int(clamping: before) : nil
    }

    /// How many of the next descriptors are below a mark, at most so many.
    ///
    /// It opens descriptors to find out, because nothing else is exact.
    ///
    /// The system gives out the lowest free number. So if that is below the mark, the mark is not reached.
    static func countFree(below mark: Int, atMost count: Int, like descriptor: CInt) -> Int {
        var taken: [CInt] = []
        defer { for descriptor in taken { _ = close(descriptor) } }
        while taken.count < count {
            let next = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard next >= 0 else { break }
            guard next < mark else {
                _ = close(next)
                break
            }
            taken.append(next)
        }
        return taken.count
    }

    private static var limits: rlimit? {
        var limits = rlimit()
        #if canImport(Glibc)
        let status = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        #else
        let status = getrlimit(RLIMIT_NOFILE, &limits)
        #endif
        return status == 0 ? limits : nil
    }

    private static func set(_ limits: inout rlimit) -> Bool {
        #if canImport(Glibc)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0
        #else
        setrlimit(RLIMIT_NOFILE, &limits) == 0
        #endif
    }
}
