// What stands in nearly every signature of the server and has to be named in applications: rooms, ids and JSON values,
// bytes and durations.
@_exported public import SocketIOWire

@_exported public import struct NIOCore.ByteBuffer
@_exported public import struct NIOCore.TimeAmount
