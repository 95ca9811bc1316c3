import Foundation

/// Numbers with units.
extension ConfigurationReader {
    /// `300ms`, `25s`, `2m`, `1h` or `0` in milliseconds.
    static func duration(_ text: String) -> Int? {
        if text == "0" { return 0 }
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        return Self.number(text, units: units)
    }

    /// `65536`, `64KiB`, `1MB`.
    static func bytes(_ text: String) -> Int? {
        if let value = Int(text) { return value }
        let units = [
            ("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024),
            ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ]
        return Self.number(text, units: units)
    }

    private static func number(_ text: String, units: [(String, Int)]) -> Int? {
        for (unit, factor) in units where text.hasSuffix(unit) {
            let digits = text.dropLast(unit.count).trimmingCharacters(in: .whitespaces)
            guard let number = Int(digits), number >= 0 else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        return nil
    }
}
