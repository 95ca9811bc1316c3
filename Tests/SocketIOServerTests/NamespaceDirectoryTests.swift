import NIOConcurrencyHelpers
import Testing

@testable import EngineIO
@testable import SocketIOServer

struct NamespaceDirectoryTests {
    private static let nobody = NamespaceDirectory.Client(address: nil)

    private static func address(_ number: Int) -> NamespaceDirectory.Client {
        NamespaceDirectory.Client(address: IPAddress("10.0.0.\(number)").map(AddressGroup.init))
    }

    private static func directory(_ change: (inout SocketLimits) -> Void = { _ in }) -> NamespaceDirectory {
        var configuration = SocketServerConfiguration()
        change(&configuration.limits)
        let context = SocketServer(configuration: configuration).context
        return NamespaceDirectory(context: context, removesEmptyChildren: false, addressGroup: { _ in nil })
    }

    /// Makes a child, and its first socket; a server without clients is enough for that.
    private static func make(
        _ name: String,
        in directory: NamespaceDirectory,
        for client: NamespaceDirectory.Client = nobody,
        _ parent: ParentNamespace,
        _ io: SocketServer
    ) throws -> (child: Namespace, evicted: Namespace?) {
        guard case .reserved(let evicted) = directory.reserve(name, for: client) else {
            throw Unexpected()
        }
        let child = directory.insert(Namespace(name: name, context: io.context, parent: parent))
        directory.open(child)
        return (child, evicted)
    }

    private struct Unexpected: Error {}

    private static func parent(_ io: SocketServer) -> ParentNamespace { io.of { _, _ in true } }

    /// While the application is told of a namespace, another client must not get in without the middleware it adds.
    @Test func nobodyEntersBeforeANamespaceIsOpen() throws {
        let io = SocketServer()
        let directory = Self.directory()
        let opened = NIOLockedValueBox(0)
        guard case .reserved(nil) = directory.reserve("/a", for: Self.nobody) else { throw Unexpected() }
        guard case .exists = directory.reserve("/a", for: Self.nobody) else { throw Unexpected() }
        let child = directory.insert(Namespace(name: "/a", context: io.context, parent: Self.parent(io)))
        #expect(directory.existing("/a") === child)
        guard case .beingMade = directory.enter("/a", Self.nobody) else { throw Unexpected() }
        directory.whenMade("/a") { opened.withLockedValue { $0 += 1 } }
        #expect(opened.withLockedValue { $0 } == 0)
        directory.open(child)
        #expect(opened.withLockedValue { $0 } == 1)
        guard case .entered(let entered) = directory.enter("/a") else { throw Unexpected() }
        #expect(entered === child)
        directory.whenMade("/a") { opened.withLockedValue { $0 += 1 } }
        #expect(opened.withLockedValue { $0 } == 2)
    }

    /// The one that has been without clients for the longest time goes.
    @Test func idleChildrenMakeRoomInTheirOrder() throws {
        let io = SocketServer()
        let parent = Self.parent(io)
        let directory = Self.directory { $0.dynamicNamespaces = 3 }
        let children = try ["/a", "/b", "/c"].map { try Self.make($0, in: directory, parent, io).child }
        guard case .full = directory.reserve("/d", for: Self.nobody) else { throw Unexpected() }
        for index in [1, 0, 2] { #expect(directory.leave(children[index]) == nil) }
        guard case .unheld = directory.enter("/b") else { throw Unexpected() }
        guard case .entered = directory.enter("/b", Self.nobody) else { throw Unexpected() }
        #expect(try Self.make("/d", in: directory, parent, io).evicted === children[0])
        #expect(try Self.make("/e", in: directory, parent, io).evicted === children[2])
        guard case .full = directory.reserve("/f", for: Self.nobody) else { throw Unexpected() }
        #expect(Set(directory.namespaces.keys) == ["/b", "/d", "/e"])
        #expect(Set(parent.children.map(\.name)) == ["/b", "/d", "/e"])
    }

    /// Who takes more than its share is refused, and nobody else.
    @Test func anAddressHoldsItsShare() throws {
        let io = SocketServer()
        let parent = Self.parent(io)
        let directory = Self.directory { $0.dynamicNamespacesPerAddress = 2 }
        let (a, b) = (Self.address(1), Self.address(2))
        let first = try Self.make("/a", in: directory, for: a, parent, io).child
        let second = try Self.make("/b", in: directory, for: a, parent, io).child
        guard case .holdsTooMany = directory.reserve("/c", for: a) else { throw Unexpected() }
        let third = try Self.make("/c", in: directory, for: b, parent, io).child
        // It may enter what another one holds.
        guard case .entered = directory.enter("/c", a) else { throw Unexpected() }
        // But not take over what is nobody's, which was made one after the other.
        #expect(directory.leave(third) == nil)
        #expect(directory.heldCount == 3)
        #expect(directory.leave(third) == nil)
        #expect(directory.heldCount == 2)
        guard case .holdsTooMany = directory.enter("/c", a) else { throw Unexpected() }
        #expect(directory.leave(first) == nil)
        guard case .entered = directory.enter("/c", a) else { throw Unexpected() }
        for child in [second, third] { #expect(directory.leave(child) == nil) }
        #expect(directory.heldCount == 0)
    }

    /// The application may make a namespace of the same name itself meanwhile, which is no child.
    @Test func placeOfAChildThatIsNoneIsFreeAgain() throws {
        let io = SocketServer()
        let directory = Self.directory { $0.dynamicNamespaces = 1 }
        guard case .reserved = directory.reserve("/a", for: Self.address(1)) else { throw Unexpected() }
        let own = directory.insert(Namespace(name: "/a", context: io.context))
        directory.open(directory.insert(Namespace(name: "/a", context: io.context, parent: Self.parent(io))))
        #expect(directory.existing("/a") === own)
        #expect(directory.heldCount == 0)
        guard case .reserved(nil) = directory.reserve("/b", for: Self.address(1)) else { throw Unexpected() }
    }
}
