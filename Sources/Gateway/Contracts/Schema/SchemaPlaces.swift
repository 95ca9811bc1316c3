import OrderedCollections
import SocketIOWire

/// The parts of a value that a validation has looked at, each with a number.
struct SchemaPlaces {
    typealias Index = Int

    private enum Step {
        case whole
        case element(Int)
        case member(UTF8Text)
        /// The name of a member, as a value of its own.
        case name(UTF8Text)
    }

    private struct Place {
        let value: JSONValue
        let parent: Index
        let step: Step
        var firstPart: Index?
        var hash: Int?
    }

    private var list: [Place]

    init(_ value: JSONValue) { self.list = [Place(value: value, parent: 0, step: .whole)] }

    func value(at index: Index) -> JSONValue { self.list[index].value }

    /// The elements or members of the value at a place, in their order.
    mutating func parts(of index: Index) -> Range<Index> {
        let first = self.list[index].firstPart ?? self.list.count
        switch self.list[index].value {
        case .array(let elements):
            if self.list[index].firstPart == nil {
                self.list[index].firstPart = first
                for (number, element) in elements.enumerated() {
                    self.list.append(Place(value: element, parent: index, step: .element(number)))
                }
            }
            return first..<(first + elements.count)
        case .object(let members):
            if self.list[index].firstPart == nil {
                self.list[index].firstPart = first
                for (key, member) in members {
                    self.list.append(Place(value: member, parent: index, step: .member(key)))
                }
            }
            return first..<(first + members.count)
        default:
            return first..<first
        }
    }

    /// A place for the name of a member.
    mutating func name(_ key: UTF8Text, of index: Index) -> Index {
        self.list.append(Place(value: .string(key.string), parent: index, step: .name(key)))
        return self.list.count - 1
    }

    func pointer(to index: Index) -> JSONPointer {
        var steps: [Step] = []
        var index = index
        while index != 0 {
            steps.append(self.list[index].step)
            index = self.list[index].parent
        }
        return steps.reversed().reduce(JSONPointer.root) { pointer, step in
            switch step {
            case .whole: pointer
            case .element(let number): pointer.appending(number)
            case .member(let key), .name(let key): pointer.appending(key)
            }
        }
    }

    /// The number that equivalent values have in common; it is found once for each place.
    mutating func hash(at index: Index) -> Int {
        if let hash = self.list[index].hash { return hash }
        let hash: Int
        switch self.list[index].value {
        case .array:
            hash = JSONValue.equivalenceHash(ofElements: self.parts(of: index).map { self.hash(at: $0) })
        case .object(let members):
            let parts = self.parts(of: index).map { self.hash(at: $0) }
            hash = JSONValue.equivalenceHash(ofMembers: zip(members.keys, parts))
        case let value:
            hash = value.equivalenceHash
        }
        self.list[index].hash = hash
        return hash
    }
}
