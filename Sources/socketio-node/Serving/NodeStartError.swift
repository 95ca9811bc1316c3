import EngineIO
import Foundation
import NIOCore

/// Why a node could not start, with what to change.
struct NodeStartError: Error, CustomStringConvertible {
    var description: String
    var exitStatus: Int32

    /// Redis can't be reached, or won't have us.
    static func redis(_ redactedURL: String, origin: SettingOrigin, _ error: any Error) -> Self {
        Self(
            description: """
                Redis at \(redactedURL) can't be used: \(error)
                  Start Redis, or change adapter.redis.url (it comes from: \(origin)), or set adapter.type to memory to \
                run this node alone.
                """,
            exitStatus: 69
        )
    }

    /// An address can't be listened on.
    static func listen(_ what: String, host: String, port: Int, keys: String, _ error: any Error) -> Self {
        let reason =
            (error as? ListenError)?.reason
            ?? (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        return Self(
            description: """
                \(what) can't listen on \(host):\(port): \(reason)
                  Change \(keys), or stop what listens there.
                """,
            exitStatus: 69
        )
    }
}
