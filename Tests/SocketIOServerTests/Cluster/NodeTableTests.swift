import NIOCore
import SocketIOWire
import Testing

@testable import SocketIOServer

/// Who is there, as leases tell it.
struct NodeTableTests {
    /// Lets expectations change the value that they look at.
    private final class Table {
        private var table: NodeTable

        init(own: UTF8Text, duration: TimeAmount) { self.table = NodeTable(own: own, duration: duration) }

        var nodes: [ClusterNode] { self.table.nodes }
        func peers(of namespace: UTF8Text) -> [ClusterPeer] { self.table.peers(of: namespace) }
        func heard(_ lease: Lease, at now: NIODeadline) -> NodeTable.Change { self.table.heard(lease, at: now) }
        func look(at now: NIODeadline) -> Bool { self.table.look(at: now) }
        func excuse(at now: NIODeadline) { self.table.excuse(at: now) }
    }

    private static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(100 + seconds) }

    private static func lease(_ node: UTF8Text, _ version: Int, _ namespaces: [UTF8Text: UTF8Text]?) -> Lease {
        Lease(node: node, address: "10.0.0.7:3000", version: version, namespaces: namespaces)
    }

    @Test func nodesComeFallSilentSpeakAndGo() {
        let table = Table(own: "me", duration: .seconds(4))
        #expect(table.heard(Self.lease("me", 1, ["/": "x"]), at: Self.at(0)) == .init())
        #expect(table.heard(Self.lease("a", 1, ["/": "a1", "/b": "a2"]), at: Self.at(0)).isVisible)
        #expect(table.peers(of: "/").map(\.nodeID) == ["a1"])
        #expect(table.peers(of: "/b").first?.node == ClusterNode(id: "a", address: "10.0.0.7:3000"))
        #expect(table.peers(of: "/c").isEmpty)
        // A beat says nothing new.
        #expect(table.heard(Self.lease("a", 1, nil), at: Self.at(3)) == .init())
        #expect(!table.look(at: Self.at(7)))
        #expect(table.look(at: Self.at(8)))
        #expect(table.peers(of: "/").map(\.isSilent) == [true])
        #expect(table.heard(Self.lease("a", 1, nil), at: Self.at(9)).isVisible)
        #expect(table.peers(of: "/").map(\.isSilent) == [false])
        var goodbye = Self.lease("a", 2, [:])
        goodbye.isGoodbye = true
        #expect(table.heard(goodbye, at: Self.at(10)).isVisible)
        #expect(table.nodes.isEmpty)
        // One that says nothing for long is forgotten.
        _ = table.heard(Self.lease("b", 1, ["/": "b1"]), at: Self.at(10))
        #expect(table.look(at: Self.at(15)))
        #expect(table.look(at: Self.at(91)))
        #expect(table.nodes.isEmpty)
    }

    @Test func whoIsNotKnownIsAsked() {
        let table = Table(own: "me", duration: .seconds(4))
        #expect(table.heard(Self.lease("a", 3, nil), at: Self.at(0)).isUnknown)
        #expect(table.peers(of: "/").isEmpty)
        #expect(!table.heard(Self.lease("a", 3, ["/": "a1"]), at: Self.at(1)).isUnknown)
        // It serves other namespaces now.
        #expect(table.heard(Self.lease("a", 4, nil), at: Self.at(2)).isUnknown)
        var hello = Self.lease("b", 1, ["/": "b1"])
        hello.isHello = true
        #expect(table.heard(hello, at: Self.at(2)).isAsked)
    }

    /// A node that was frozen has heard nobody: nobody is silent by that.
    @Test func whoWasFrozenExcusesTheOthers() {
        let table = Table(own: "me", duration: .seconds(4))
        _ = table.heard(Self.lease("a", 1, ["/": "a1"]), at: Self.at(0))
        table.excuse(at: Self.at(60))
        #expect(!table.look(at: Self.at(60)))
        #expect(table.look(at: Self.at(65)))
    }

    /// Whoever may publish leases can't fill the memory with them.
    @Test func whatAllSayIsBounded() {
        let table = Table(own: "me", duration: .seconds(4))
        let many = Dictionary(uniqueKeysWithValues: (0..<1_000).map { (UTF8Text("/\($0)"), UTF8Text("x")) })
        for number in 0..<200 { _ = table.heard(Self.lease(UTF8Text("n\(number)"), 1, many), at: Self.at(0)) }
        #expect(table.peers(of: "/0").count == 50)
        for number in 0..<11_000 { _ = table.heard(Self.lease(UTF8Text("m\(number)"), 1, nil), at: Self.at(0)) }
        #expect(table.nodes.count == 10_000)
        // What is forgotten makes room.
        #expect(table.look(at: Self.at(100)))
        _ = table.heard(Self.lease("new", 1, many), at: Self.at(100))
        #expect(table.peers(of: "/0").map(\.nodeID) == ["x"])
    }

    /// A node that serves more names the first of them.
    @Test func leaseOfManyNamespaces() {
        let many = Dictionary(uniqueKeysWithValues: (0..<3_000).map { (UTF8Text("/\($0)"), UTF8Text("x")) })
        #expect(Lease(parsing: Self.lease("a", 1, many).message)?.namespaces?.count == 1_000)
    }

    @Test func leasesAreReadAsTheyAreWritten() throws {
        var lease = Self.lease("a\u{0301}", 7, ["/": "x", "/\u{e9}": "y"])
        lease.isHello = true
        #expect(Lease(parsing: lease.message) == lease)
        let beat = Self.lease("a", 7, nil)
        #expect(Lease(parsing: beat.message) == beat)
    }

    /// Anybody may publish anything there.
    @Test(arguments: [
        "", "{", "[]", "1", #"{"lease":2,"node":"a","version":1}"#, #"{"lease":1,"node":5,"version":1}"#,
        #"{"lease":1,"node":"a"}"#, #"{"lease":1,"node":"a","version":"1"}"#,
        #"{"lease":1,"node":"a","version":1,"namespaces":{"/":1}}"#,
        #"{"lease":1,"node":"a","version":1,"namespaces":{"/":[[[[[[]]]]]]}}"#,
        #"{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[]}},"uid":"x","nsp":"/"}"#,
    ])
    func othersAreIgnored(_ text: String) { #expect(Lease(parsing: ByteBuffer(string: text)) == nil) }

    @Test func longNamesAreIgnored() {
        let long = String(repeating: "x", count: 300)
        let text = #"{"lease":1,"node":"\#(long)","version":1}"#
        #expect(Lease(parsing: ByteBuffer(string: text)) == nil)
    }
}
