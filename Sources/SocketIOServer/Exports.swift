// What stands in nearly every signature of the server and has to be named in applications: rooms, ids and JSON values,
// bytes and durations.
@_exported public import SocketIOWire

// What `SocketServerConfiguration.engine` and `SocketServer.engine` are made of, loggers, and what goes wrong.
@_exported public import struct EngineIO.AddressRange
@_exported public import struct EngineIO.CORSConfiguration
@_exported public import struct EngineIO.CookieConfiguration
@_exported public import struct EngineIO.CookieError
@_exported public import struct EngineIO.EngineConfiguration
@_exported public import struct EngineIO.EngineLimits
@_exported public import class EngineIO.EngineServer
@_exported public import struct EngineIO.HTTPAnswer
@_exported public import struct EngineIO.HTTPCompression
@_exported public import struct EngineIO.HTTPField
@_exported public import enum EngineIO.HandshakeDecision
@_exported public import struct EngineIO.HandshakeError
@_exported public import class EngineIO.HandshakeRequest
@_exported public import struct EngineIO.ListenError
@_exported public import struct EngineIO.PerMessageDeflate
@_exported public import enum EngineIO.TransportName
@_exported public import struct Logging.Logger
@_exported public import struct NIOCore.ByteBuffer
@_exported public import protocol NIOCore.EventLoop
@_exported public import enum NIOCore.SocketAddress
@_exported public import struct NIOCore.TimeAmount
