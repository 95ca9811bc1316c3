extension Unicode.Scalar {
    /// The lower-case letter of an upper-case one, if no other letter shares it.
    ///
    /// The Kelvin sign shares its lower-case letter with `K`, so it stays as it is. Otherwise two different names would
    /// become one.
    var small: Unicode.Scalar {
        if self.isASCII { return ("A"..."Z").contains(self) ? Unicode.Scalar(UInt8(self.value) | 0x20) : self }
        guard self.properties.changesWhenLowercased else { return self }
        let letters = self.properties.lowercaseMapping.unicodeScalars
        guard letters.count == 1, let letter = letters.first,
            letter.properties.uppercaseMapping.unicodeScalars.elementsEqual([self])
        else { return self }
        return letter
    }
}

extension String {
    /// The text in lower case, scalar by scalar.
    var inSmallLetters: String {
        if self.utf8.allSatisfy({ $0 < 0x80 }) { return self.lowercased() }
        var text = ""
        text.reserveCapacity(self.utf8.count)
        for scalar in self.unicodeScalars { text.unicodeScalars.append(scalar.small) }
        return text
    }
}
