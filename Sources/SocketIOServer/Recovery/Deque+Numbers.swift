import DequeModule

extension Deque<Int> {
    /// The index of the first number that is greater; the numbers are in order.
    func firstIndex(behind number: Int) -> Int {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle] > number { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
