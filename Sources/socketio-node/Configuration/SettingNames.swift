/// Names of settings outside the file, and the nearest right name for a wrong one.
enum SettingNames {
    static let environmentPrefix = "SOCKETIO_"

    /// `adapter.redis.requestsTimeout` -> `SOCKETIO_ADAPTER_REDIS_REQUESTS_TIMEOUT`.
    static func environmentName(of path: String) -> String {
        var name = Self.environmentPrefix
        var previousIsLower = false
        for character in path {
            if character == "." {
                name += "_"
                previousIsLower = false
                continue
            }
            if character.isUppercase, previousIsLower { name += "_" }
            name += character.uppercased()
            previousIsLower = character.isLowercase || character.isNumber
        }
        return name
    }

    /// The candidate that differs by few enough letters to be what was meant.
    static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased())
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = Self.distance(wanted, Array(candidate.lowercased()))
            if distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(1, min(3, wanted.count / 3)) else { return nil }
        return best.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two words.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var current = [i + 1]
            for j in b.indices {
                var cost = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[b.count]
    }
}
