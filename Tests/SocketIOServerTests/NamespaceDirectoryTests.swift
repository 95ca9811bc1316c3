import Testing

@testable import SocketIOServer

struct NamespaceDirectoryTests {
    /// While the application is told of a namespace, another client must not get in without the middleware it adds.
    @Test func nobodyEntersBeforeANamespaceIsOpen() {
        let io = SocketServer()
        let namespace = io.of("/made")
        let directory = NamespaceDirectory(maximumChildren: 10, removesEmptyChildren: true)
        #expect(directory.insert(namespace, isClosed: true) === namespace)
        #expect(directory.existing("/made") === namespace)
        #expect(directory.enter("/made") == nil)
        directory.open(namespace)
        #expect(directory.enter("/made") === namespace)
    }
}
