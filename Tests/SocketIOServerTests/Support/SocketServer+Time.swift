import EngineIO
import NIOCore
import SocketIOServer

extension SocketServer {
    /// Lets time pass for all timers of the server's connections.
    func advanceTime(by amount: TimeAmount) async {
        for loop in self.engine.loops {
            try? await loop.eventLoop.submit { loop.timers.advance(by: amount) }.get()
        }
    }
}
