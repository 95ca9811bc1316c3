import NIOCore
import Testing

@testable import Console

/// Tables that people open in programs which calculate.
@Suite struct CSVTests {
    private func row(_ cells: String...) -> String {
        var bytes = ByteBuffer()
        CSV.write(cells, into: &bytes)
        return String(buffer: bytes)
    }

    @Test func cellsAreQuoted() {
        #expect(self.row("a", "", "b,c", "d\"e", "f\r\ng") == "\"a\",\"\",\"b,c\",\"d\"\"e\",\"f\r\ng\"\r\n")
        #expect(self.row() == "\r\n")
    }

    @Test(arguments: [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "  @x", "\u{0}=1", "＝1", "＋1", "－1", "＠x",
        "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://x\")",
    ])
    func formulasAreDefused(cell: String) {
        let text = self.row(cell)
        #expect(text.hasPrefix("\"'"), "\(text)")
    }

    @Test(arguments: ["a=1", "1-1", "x@y", "io-role-public", "", " ", "é", "７", "'=1", "a\u{0}b"])
    func otherTextsStay(cell: String) {
        let text = self.row(cell)
        #expect(!text.hasPrefix("\"'") || cell.hasPrefix("'"))
        #expect(!text.utf8.contains(0))
    }

    /// Whatever the cells are, a reader finds as many again.
    @Test(arguments: ["\"", "\"\"", ",", "\",\"", "\r\n", "\"\r\n=", "a\"b"])
    func nothingEndsACell(cell: String) {
        let text = self.row(cell, cell)
        var (cells, isInside) = (1, false)
        for byte in text.utf8.dropLast(2) {
            if byte == UInt8(ascii: "\"") { isInside.toggle() }
            if byte == UInt8(ascii: ","), !isInside { cells += 1 }
        }
        #expect(cells == 2)
        #expect(!isInside)
    }

    @Test(arguments: [("a,b", "a?b"), ("x\r\ny", "x??y"), ("é", "??"), ("a b", "a?b"), ("node-1", "node-1")])
    func fieldsHaveNoSigns(name: String, text: String) { #expect(ConsoleRoute.fieldText(name) == text) }
}
