/// Why a message of the cluster was ignored.
package struct ClusterProtocolError: Error, Hashable, CustomStringConvertible {
    package enum Reason: String, Sendable, CaseIterable {
        /// Neither JSON nor MessagePack.
        case undecodable
        /// Something is missing, or of another type.
        case unexpectedShape = "unexpected_shape"
        /// A type that we don't know.
        case unknownType = "unknown_type"
        /// It was published to a channel that it doesn't belong to.
        case wrongChannel = "wrong_channel"
    }

    package let reason: Reason
    package let description: String

    package init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}

extension ClusterProtocolError {
    init(_ error: MessagePackError) {
        let reason: Reason =
            switch error.reason {
            case .unexpectedType: .unexpectedShape
            case .unexpectedEnd, .unusedByte, .tooDeep, .tooManyAttachments, .tooLong, .trailingBytes: .undecodable
            }
        self.init(reason, error.description)
    }
}
