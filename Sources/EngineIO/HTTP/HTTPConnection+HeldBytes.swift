import NIOCore
import SocketIOWire

/// The bytes that the connection keeps, for the budgets of its loop.
extension HTTPConnection: ByteHolder {
    func heldBytes(of kind: ByteBudget.Kind) -> Int {
        switch kind {
        case .queued: return self.mayHaveBacklog ? self.bufferedBytes : 0
        case .request:
            guard case .receiving(let exchange) = self.state else { return 0 }
            return exchange.body.readableBytes
        }
    }

    func giveUp(_ kind: ByteBudget.Kind) {
        switch (kind, self.state) {
        case (.request, .receiving(let exchange)):
            exchange.body = ByteBuffer()
            self.writeAndClose("503 Service Unavailable")
        case (.request, _): break
        case (.queued, _): self.closeNow()
        }
    }
}
