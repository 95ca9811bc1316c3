import NIOCore

/// Something that one event loop alone touches, which others may ask it to.
struct LoopConfined<Value>: Sendable {
    let eventLoop: any EventLoop
    private let box: NIOLoopBoundBox<Value>

    init(_ value: sending Value, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.box = NIOLoopBoundBox.makeBoxSendingValue(value, eventLoop: eventLoop)
    }

    /// The value; on the loop only.
    var value: Value { self.box.value }

    /// Does something on the loop: at once if this is the loop.
    func execute(_ body: @escaping @Sendable (Value) -> Void) {
        if self.eventLoop.inEventLoop {
            body(self.box.value)
        } else {
            self.eventLoop.execute { body(self.box.value) }
        }
    }
}
