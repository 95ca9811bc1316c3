public import NIOCore

extension JSONValue {
    /// Reads JSON text.
    ///
    /// The grammar is exactly that of RFC 8259. As in JavaScript, the last one of equal keys counts, and a number that
    /// is too large for a double is infinite. Keys are equal if their bytes are equal. An escaped surrogate without its
    /// partner becomes U+FFFD, because a Swift string cannot hold one.
    ///
    /// - Parameters:
    ///   - bytes: One JSON value and white space around it.
    ///   - limits: What the text may ask for.
    /// - Throws: ``JSONError`` if the bytes are anything else.
    public init(parsing bytes: ByteBuffer, limits: JSONLimits = .standard) throws(JSONError) {
        var reader = JSONReader(bytes, limits: limits)
        self = try reader.readValue()
        try reader.expectEnd()
    }
}
