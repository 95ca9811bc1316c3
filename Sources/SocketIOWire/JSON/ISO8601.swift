/// Points in time as JavaScript's `Date` writes them: ISO 8601 in UTC with milliseconds.
enum ISO8601 {
    /// The greatest date that JavaScript has, in milliseconds from 1970.
    private static let greatest = 8_640_000_000_000_000
    private static let millisecondsPerDay = 86_400_000

    /// The date as `1970-01-01T00:00:00.000Z`; `nil` if JavaScript has no such date.
    ///
    /// Years outside of 0...9999 have a sign and six digits.
    static func string(milliseconds: Int) -> String? {
        guard milliseconds >= -self.greatest, milliseconds <= self.greatest else { return nil }
        let (day, time) = self.floored(milliseconds, by: self.millisecondsPerDay)
        let (year, month, dayOfMonth) = self.civil(day: day)
        return String(unsafeUninitializedCapacity: 28) { output in
            var count = 0
            func append(_ byte: UInt8) {
                output[count] = byte
                count += 1
            }
            func append(_ number: Int, digits: Int) {
                var divisor = 1
                for _ in 1..<digits { divisor *= 10 }
                while divisor > 0 {
                    append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
                    divisor /= 10
                }
            }
            if (0...9999).contains(year) {
                append(year, digits: 4)
            } else {
                append(year < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
                append(abs(year), digits: 6)
            }
            append(UInt8(ascii: "-"))
            append(month, digits: 2)
            append(UInt8(ascii: "-"))
            append(dayOfMonth, digits: 2)
            append(UInt8(ascii: "T"))
            append(time / 3_600_000, digits: 2)
            append(UInt8(ascii: ":"))
            append(time / 60_000 % 60, digits: 2)
            append(UInt8(ascii: ":"))
            append(time / 1000 % 60, digits: 2)
            append(UInt8(ascii: "."))
            append(time % 1000, digits: 3)
            append(UInt8(ascii: "Z"))
            return count
        }
    }

    /// The milliseconds from 1970 of a date (`2024-01-02`), or of a date and a time in UTC or with an offset
    /// (`2024-01-02T03:04:05.678+01:00`); `nil` for anything else.
    ///
    /// Seconds and their fraction may be missing. Digits behind the milliseconds are cut off.
    static func milliseconds(of text: String) -> Int? {
        var parser = Parser(text.utf8)
        guard let day = parser.readDay() else { return nil }
        var result = day * self.millisecondsPerDay
        if !parser.isAtEnd {
            guard let time = parser.readTimeOfDay(), parser.isAtEnd else { return nil }
            result += time
        }
        return result >= -self.greatest && result <= self.greatest ? result : nil
    }

    private struct Parser {
        private var rest: Substring.UTF8View

        init(_ text: String.UTF8View) { self.rest = text[...] }

        var isAtEnd: Bool { self.rest.isEmpty }

        /// The number of days from 1970 to a year, month and day.
        mutating func readDay() -> Int? {
            let year: Int?
            if let sign = self.readSign() {
                year = self.readNumber(digits: 6).map { $0 * sign }
            } else {
                year = self.readNumber(digits: 4)
            }
            guard let year, self.read(UInt8(ascii: "-")), let month = self.readNumber(digits: 2),
                self.read(UInt8(ascii: "-")), let dayOfMonth = self.readNumber(digits: 2), (1...12).contains(month)
            else { return nil }
            let day = ISO8601.day(year: year, month: month, dayOfMonth: dayOfMonth)
            // Without this check the 31st of February would become another day.
            let (_, _, actual) = ISO8601.civil(day: day)
            return actual == dayOfMonth ? day : nil
        }

        /// The milliseconds, with the offset from UTC subtracted.
        mutating func readTimeOfDay() -> Int? {
            guard self.read(UInt8(ascii: "T")) || self.read(UInt8(ascii: "t")) || self.read(UInt8(ascii: " ")),
                let hours = self.readNumber(digits: 2), self.read(UInt8(ascii: ":")),
                let minutes = self.readNumber(digits: 2)
            else { return nil }
            var milliseconds = 0
            if self.read(UInt8(ascii: ":")) {
                guard let seconds = self.readNumber(digits: 2), seconds < 60 else { return nil }
                milliseconds = seconds * 1000
                if self.read(UInt8(ascii: ".")) {
                    guard let fraction = self.readFraction() else { return nil }
                    milliseconds += fraction
                }
            }
            guard hours < 24 || (hours == 24 && minutes == 0 && milliseconds == 0), minutes < 60 else { return nil }
            milliseconds += hours * 3_600_000 + minutes * 60_000
            if self.read(UInt8(ascii: "Z")) || self.read(UInt8(ascii: "z")) { return milliseconds }
            guard let sign = self.readSign(), let offsetHours = self.readNumber(digits: 2), offsetHours < 24 else {
                return nil
            }
            _ = self.read(UInt8(ascii: ":"))
            guard let offsetMinutes = self.readNumber(digits: 2), offsetMinutes < 60 else { return nil }
            return milliseconds - sign * (offsetHours * 3_600_000 + offsetMinutes * 60_000)
        }

        /// The milliseconds, from the digits after the point.
        private mutating func readFraction() -> Int? {
            var milliseconds = 0
            var weight = 100
            guard let first = self.rest.first, first &- UInt8(ascii: "0") < 10 else { return nil }
            while let byte = self.rest.first, byte &- UInt8(ascii: "0") < 10 {
                self.rest.removeFirst()
                milliseconds += Int(byte - UInt8(ascii: "0")) * weight
                weight /= 10
            }
            return milliseconds
        }

        private mutating func readSign() -> Int? {
            if self.read(UInt8(ascii: "+")) { return 1 }
            return self.read(UInt8(ascii: "-")) ? -1 : nil
        }

        private mutating func read(_ byte: UInt8) -> Bool {
            guard self.rest.first == byte else { return false }
            self.rest.removeFirst()
            return true
        }

        private mutating func readNumber(digits: Int) -> Int? {
            var value = 0
            for _ in 0..<digits {
                guard let byte = self.rest.popFirst(), byte &- UInt8(ascii: "0") < 10 else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
    }

    /// The proleptic Gregorian date of a day counted from 1970 (Howard Hinnant's `civil_from_days`).
    private static func civil(day: Int) -> (year: Int, month: Int, dayOfMonth: Int) {
        let (era, dayOfEra) = self.floored(day + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// The inverse of ``civil(day:)`` (`days_from_civil`).
    private static func day(year: Int, month: Int, dayOfMonth: Int) -> Int {
        let (era, yearOfEra) = self.floored(month <= 2 ? year - 1 : year, by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + dayOfMonth - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func floored(_ value: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
