extension Sequence {
    /// The first elements of what would be the sorted sequence.
    ///
    /// A page of many is found without sorting all of them.
    func smallest(_ count: Int, by areInOrder: (Element, Element) -> Bool) -> [Element] {
        var kept: [Element] = []
        for element in self {
            kept.append(element)
            guard kept.count >= 2 * count + 64 else { continue }
            kept.sort(by: areInOrder)
            kept.removeLast(kept.count - count)
        }
        kept.sort(by: areInOrder)
        return Array(kept.prefix(count))
    }
}
