import OrderedCollections
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct EntityMemoryTests {
    private func identity(_ ids: [(String, String)], owners: [EntityID]? = nil) -> EntityIdentity {
        EntityIdentity(uid: "api::a.a", ids: ids.map { .init(field: $0.0, text: $0.1) }, owners: owners)
    }

    @Test func pairsAreCompletedBothWays() {
        var memory = EntityMemory(capacity: 100)
        memory.learn(self.identity([("documentId", "abc"), ("id", "5")]))
        #expect(memory.completed(self.identity([("documentId", "abc")])).texts == ["abc", "5"])
        #expect(memory.completed(self.identity([("id", "5")])).texts == ["5", "abc"])
        // The same text in another field is another id.
        #expect(memory.completed(self.identity([("id", "abc")])).texts == ["abc"])
        #expect(memory.completed(self.identity([("documentId", "x")])).texts == ["x"])
        var elsewhere = self.identity([("id", "5")])
        elsewhere.uid = "api::b.b"
        #expect(memory.completed(elsewhere).texts == ["5"])
    }

    /// One document has an entry for each version and language, each with an id.
    @Test func aDocumentHasSeveralIDs() {
        var memory = EntityMemory(capacity: 100)
        for id in ["5", "6", "5"] { memory.learn(self.identity([("documentId", "abc"), ("id", id)])) }
        #expect(Set(memory.completed(self.identity([("documentId", "abc")])).texts) == ["abc", "5", "6"])
        // An event that names both is about that one.
        #expect(memory.completed(self.identity([("documentId", "abc"), ("id", "5")])).texts == ["abc", "5"])
    }

    @Test func ownersAreRememberedUntilOthersAreNamed() {
        var memory = EntityMemory(capacity: 100)
        memory.learn(self.identity([("documentId", "abc"), ("id", "5")], owners: [1]))
        memory.learn(self.identity([("id", "5"), ("documentId", "abc")]))
        #expect(memory.completed(self.identity([("id", "5")])).owners == [1])
        #expect(memory.owners(uid: "api::a.a", id: "abc", fields: ["id", "documentId"]) == [1])
        #expect(memory.owners(uid: "api::a.a", id: "x", fields: ["id", "documentId"]) == nil)
        #expect(memory.owners(uid: "api::b.b", id: "abc", fields: ["id", "documentId"]) == nil)
        memory.learn(self.identity([("id", "5")], owners: []))
        #expect(memory.completed(self.identity([("id", "5")])).owners == [])
        #expect(memory.owners(uid: "api::a.a", id: "abc", fields: ["id", "documentId"]) == [])
    }

    /// A publisher chooses how many owners an entry has, and how long their ids are.
    @Test func manyOwnersAreUnknown() {
        let most = EntityMemory.maximumOwners
        let few = (0..<most).map { EntityID.string("\($0)") }
        let long = [EntityID.string(String(repeating: "x", count: EntityMemory.maximumOwnerBytes + 1))]
        for (owners, isKnown) in [(few, true), (few + ["one more"], false), (few, true), (long, false)] {
            var memory = EntityMemory(capacity: 10)
            memory.learn(self.identity([("documentId", "abc"), ("id", "5")], owners: [1]))
            memory.learn(self.identity([("id", "5")], owners: owners))
            // The old ones are not taken for the owners, either.
            #expect(memory.owners(uid: "api::a.a", id: "abc", fields: ["documentId"]) == (isKnown ? owners : nil))
        }
    }

    @Test(arguments: 0..<20)
    func memoryIsBounded(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let capacity = Int.random(in: 0...20, using: &generator)
        var memory = EntityMemory(capacity: capacity)
        for _ in 0..<500 {
            let document = "d\(Int.random(in: 0..<40, using: &generator))"
            let id = String(Int.random(in: 0..<400, using: &generator))
            let identity = self.identity([("documentId", document), ("id", id)], owners: [1])
            memory.learn(identity)
            #expect(memory.count <= capacity)
            if capacity > 1 { #expect(memory.completed(self.identity([("id", id)])).texts.contains(document)) }
            let known = memory.completed(self.identity([("documentId", document)]))
            #expect(known.ids.count <= EntityMemory.maximumOthers + 1)
        }
    }

    @Test func identitiesAreReadFromEntries() {
        var type = ContentType(uid: "api::a.a", ownerField: "owner")
        let full = type.identity(of: ["id": 5, "documentId": "abc", "owner": ["id": 7]])
        #expect(full.texts == ["abc", "5"])
        #expect(full.owners == [7])
        for (owner, owners) in [
            (7, [7]), ("u", ["u"]), (["documentId": "u"], ["u"]), ([7, ["id": 8], [:]], [7, 8]), (.null, []), ([], []),
            ([:], []),
        ] as [(JSONValue, [EntityID])] {
            #expect(type.identity(of: ["id": 5, "owner": owner]).owners == owners)
        }
        #expect(type.identity(of: ["id": 5]).owners == nil)
        let strange = type.identity(of: ["id": "a b", "documentId": .null])
        #expect(strange.texts.isEmpty)
        #expect(strange.hasID(in: "id") && !strange.hasID(in: "documentId"))
        type.ownerField = nil
        #expect(type.identity(of: ["id": 5, "owner": 1]).owners == nil)
    }
}
