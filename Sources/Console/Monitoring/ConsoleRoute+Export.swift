import Gateway
import NIOCore
import OrderedCollections
import SocketIOWire

extension ConsoleRoute {
    /// The connections as files, page by page.
    static func exports(_ io: IO) -> [ConsoleRoute] {
        [
            ConsoleRoute(.get, "io/export/connections.json", parameters: Self.socketParameters) { request in
                let page = await io.monitoring.sockets(try Self.socketQuery(request, io))
                return .json(
                    Self.answer(
                        .array(page.value.sockets),
                        missing: page.missing,
                        ["cursor": page.value.next.map { .string($0) } ?? .null]
                    ),
                    headers: Self.headers(of: page, file: "connections.json")
                )
            },
            ConsoleRoute(.get, "io/export/connections.csv", parameters: Self.socketParameters) { request in
                let page = await io.monitoring.sockets(try Self.socketQuery(request, io))
                return .bytes(
                    Self.table(of: page.value.sockets),
                    contentType: "text/csv; charset=utf-8; header=present",
                    headers: Self.headers(of: page, file: "connections.csv")
                )
            },
        ]
    }

    /// Where to go on, and who is missing: a file of rows has no place for that.
    private static func headers(
        of page: ClusterReport<SocketPage>,
        file: String
    ) -> [(name: String, value: String)] {
        var headers = [(name: "Content-Disposition", value: "attachment; filename=\"\(file)\"")]
        headers.append((name: "X-Complete", value: page.isComplete ? "true" : "false"))
        if let next = page.value.next { headers.append((name: "X-Next-Cursor", value: Self.fieldText(next))) }
        if !page.missing.isEmpty {
            let names = page.missing.map { Self.fieldText($0) }.joined(separator: ", ")
            headers.append((name: "X-Missing-Nodes", value: names))
        }
        return headers
    }

    /// A name that other nodes have given, without what would end a field or a name.
    static func fieldText(_ text: String) -> String {
        let bytes = text.utf8.prefix(128).map { byte in
            (0x21...0x7E).contains(byte) && byte != UInt8(ascii: ",") ? byte : UInt8(ascii: "?")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let columns: [(name: String, value: @Sendable (JSONValue) -> JSONValue?)] = [
        ("id", { $0["id"] }), ("node", { $0["node"] }), ("userId", { $0["userId"] }),
        ("username", { $0["user"]?["username"] }), ("email", { $0["user"]?["email"] }), ("role", { $0["role"] }),
        ("tokenId", { $0["tokenId"] }), ("address", { $0["address"] }), ("connectedAt", { $0["connectedAt"] }),
        ("transport", { $0["transport"] }), ("queuedBytes", { $0["queuedBytes"] }), ("roomCount", { $0["roomCount"] }),
        (
            "rooms",
            { socket in
                socket["rooms"]?.arrayValue.map { rooms in
                    .string(rooms.compactMap(\.stringValue).joined(separator: " "))
                }
            }
        ), ("userAgent", { $0["userAgent"] }),
    ]

    static func table(of sockets: [JSONValue]) -> ByteBuffer {
        var bytes = ByteBuffer()
        CSV.write(Self.columns.map(\.name), into: &bytes)
        for socket in sockets {
            CSV.write(
                Self.columns.map { column in
                    switch column.value(socket) {
                    case .string(let text)?: text
                    case .int(let number)?: String(number)
                    case .double(let number)?: String(number)
                    case .bool(let flag)?: flag ? "true" : "false"
                    default: ""
                    }
                },
                into: &bytes
            )
        }
        return bytes
    }
}

/// Rows of cells, as RFC 4180 has them.
enum CSV {
    /// Writes a row.
    static func write(_ cells: [String], into bytes: inout ByteBuffer) {
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.writeInteger(UInt8(ascii: ",")) }
            self.write(cell, into: &bytes)
        }
        bytes.writeString("\r\n")
    }

    /// Writes a cell, which is always quoted.
    ///
    /// A program for tables takes a cell that begins with one of some signs for a formula, and may do what it says. Clients
    /// choose names, so such a cell gets an apostrophe, which makes it text.
    private static func write(_ cell: String, into bytes: inout ByteBuffer) {
        bytes.writeInteger(UInt8(ascii: "\""))
        if Self.beginsFormula(cell.utf8) { bytes.writeInteger(UInt8(ascii: "'")) }
        for byte in cell.utf8 {
            if byte == UInt8(ascii: "\"") { bytes.writeInteger(byte) }
            // No program agrees with another on what a zero is.
            bytes.writeInteger(byte == 0 ? UInt8(ascii: "?") : byte)
        }
        bytes.writeInteger(UInt8(ascii: "\""))
    }

    /// Some programs skip white space before they look for a formula.
    private static func beginsFormula(_ cell: String.UTF8View) -> Bool {
        var rest = cell[...]
        while let byte = rest.first {
            switch byte {
            case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 0x09, 0x0A, 0x0D:
                return true
            case UInt8(ascii: " "), 0: rest = rest.dropFirst()
            // The wide forms of the four signs: U+FF1D, U+FF0B, U+FF0D, U+FF20.
            case 0xEF: return Self.wideSigns.contains { rest.starts(with: $0) }
            default: return false
            }
        }
        return false
    }

    private static let wideSigns: [[UInt8]] = [
        [0xEF, 0xBC, 0x9D], [0xEF, 0xBC, 0x8B], [0xEF, 0xBC, 0x8D], [0xEF, 0xBC, 0xA0],
    ]
}
