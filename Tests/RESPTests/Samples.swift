import NIOCore

@testable import RESP

func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }

func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .milliseconds(milliseconds) }

/// The answer to `HELLO 3`.
func hello(mode: String = "standalone", role: String = "master") -> RESPValue {
    .map([
        RESPMapEntry(key: bulk("mode"), value: bulk(mode)), RESPMapEntry(key: bulk("role"), value: bulk(role)),
    ])
}

func push(_ texts: String..., count: Int? = nil) -> RESPValue {
    .push(texts.map(bulk) + (count.map { [.integer($0)] } ?? []))
}
