import NIOConcurrencyHelpers
package import SocketIOWire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes the ids of a server's sessions and sockets.
///
/// It gets the system's random numbers for twenty ids at a time. One by one, they would cost a connection four calls of
/// the kernel. It forgets at once what an id was made of.
package final class IDSource: Sendable {
    private let generator = NIOLockedValueBox(Generator())

    package init() {}

    /// An id that is no secret.
    package func makeConnectionID() -> ConnectionID {
        self.generator.withLockedValue { ConnectionID(counter: $0.nextCounter(), using: &$0) }
    }

    /// An id that is a secret.
    package func makeSessionID() -> SessionID {
        self.generator.withLockedValue { SessionID(counter: $0.nextCounter(), using: &$0) }
    }

    private struct Generator: RandomNumberGenerator {
        private static let wordCount = 32

        private var counter: UInt32 = 0
        private var words = [UInt64](repeating: 0, count: Self.wordCount)
        private var used = Self.wordCount

        mutating func nextCounter() -> UInt32 {
            defer { self.counter &+= 1 }
            return self.counter
        }

        mutating func next() -> UInt64 {
            if self.used == self.words.count { self.fill() }
            defer {
                self.words[self.used] = 0
                self.used += 1
            }
            return self.words[self.used]
        }

        private mutating func fill() {
            self.used = 0
            #if !canImport(Darwin)
            let isFilled = self.words.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) == 0 }
            if isFilled { return }
            #endif
            var system = SystemRandomNumberGenerator()
            for index in self.words.indices { self.words[index] = system.next() }
        }
    }
}
