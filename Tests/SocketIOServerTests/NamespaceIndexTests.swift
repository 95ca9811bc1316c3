import NIOConcurrencyHelpers
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// Which rooms a node has somebody in, as adapters hear of it.
struct NamespaceIndexTests {
    /// Keeps account of what it is told, and that it makes sense.
    private final class Observer: RoomObserver {
        let rooms = NIOLockedValueBox<[Room: Bool]>([:])

        func roomAppeared(_ room: Room, isPrivate: Bool) {
            let old = self.rooms.withLockedValue { $0.updateValue(isPrivate, forKey: room) }
            #expect(old == nil, "\(room) appeared twice")
        }

        func roomVanished(_ room: Room) {
            let old = self.rooms.withLockedValue { $0.removeValue(forKey: room) }
            #expect(old != nil, "\(room) vanished without having appeared")
        }
    }

    @Test func roomsAppearOnceAndVanishWithTheLast() throws {
        let index = NamespaceIndex()
        let observer = Observer()
        let id = try #require(SocketID("abcdefghijklmnopqrst"))
        index.insert(id)
        #expect(index.roomCreated("early"))
        index.observe(observer)
        #expect(observer.rooms.withLockedValue { $0 } == [id.room: true, "early": false])
        // On two loops, and expected by somebody who is away.
        #expect(index.roomCreated("r"))
        #expect(!index.roomCreated("r"))
        index.expect(["r", id.room])
        #expect(!index.roomDeleted("r"))
        #expect(index.roomDeleted("r"))
        index.remove(id)
        #expect(Set(observer.rooms.withLockedValue { $0.keys }) == ["early", "r", id.room])
        index.expectNoLonger(["r", id.room])
        #expect(index.roomDeleted("early"))
        #expect(observer.rooms.withLockedValue { $0.isEmpty })
        index.observe(nil)
        #expect(index.roomCreated("later"))
        #expect(observer.rooms.withLockedValue { $0.isEmpty })
    }

    /// Whatever happens, the observer knows the rooms that the index says have members.
    @Test(arguments: 0..<50)
    func observerKnowsWhatTheIndexKnows(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let index = NamespaceIndex()
        let observer = Observer()
        index.observe(observer)
        let ids = try (0..<3).map { try #require(SocketID("abcdefghijklmnopqr\($0)x")) }
        let rooms: [Room] = ["a", "b"] + ids.map(\.room)
        var created: [Room: Int] = [:]
        var expected: [Room: Int] = [:]
        var connected: Set<SocketID> = []
        for _ in 0..<200 {
            let room = rooms[Int(random.next() % UInt64(rooms.count))]
            let id = ids[Int(random.next() % 3)]
            switch random.next() % 6 {
            case 0:
                _ = index.roomCreated(room)
                created[room, default: 0] += 1
            case 1 where created[room, default: 0] > 0:
                _ = index.roomDeleted(room)
                created[room, default: 0] -= 1
            case 2:
                index.expect([room])
                expected[room, default: 0] += 1
            case 3 where expected[room, default: 0] > 0:
                index.expectNoLonger([room])
                expected[room, default: 0] -= 1
            case 4:
                index.insert(id)
                connected.insert(id)
            case 5:
                index.remove(id)
                connected.remove(id)
            default: break
            }
            let there = rooms.filter { room in
                created[room, default: 0] > 0 || expected[room, default: 0] > 0
                    || connected.contains { $0.room == room }
            }
            #expect(Set(observer.rooms.withLockedValue { $0.keys }) == Set(there))
            for room in rooms { #expect(index.hasMembers(of: room) == there.contains(room)) }
        }
    }
}
