public import OrderedCollections

extension OrderedDictionary where Key == UTF8Text {
    /// The value of the key with exactly the string's bytes.
    @inlinable
    public subscript(key: String) -> Value? {
        get { self[UTF8Text(key)] }
        set { self[UTF8Text(key)] = newValue }
    }

    /// Removes the key with exactly the string's bytes.
    ///
    /// - Returns: Its value, or `nil` if there was no such key.
    @discardableResult
    public mutating func removeValue(forKey key: String) -> Value? { self.removeValue(forKey: UTF8Text(key)) }
}
