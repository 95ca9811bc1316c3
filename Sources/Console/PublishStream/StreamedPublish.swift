public import Gateway
public import NIOCore
import OrderedCollections
import SocketIOWire

/// An event that a back end has written into a stream: the body of `POST /io/emit`, or of `POST /io/raw` if it has no
/// `schema`.
public struct StreamedPublish: Sendable {
    /// Why an entry can never be published.
    public struct Rejection: Error, Sendable, Hashable, CustomStringConvertible {
        /// What is wrong and what would be right.
        public let description: String
    }

    private enum Verb: Sendable {
        case emit(LifecycleEvent)
        case raw(event: String, rooms: [Room]?, data: JSONValue)
    }

    private let verb: Verb

    /// Reads the JSON of an entry.
    ///
    /// - Throws: ``Rejection`` if it is no such body.
    public init(parsing bytes: ByteBuffer?) throws(Rejection) {
        guard let bytes else {
            throw Rejection(description: "The entry has no field 'body' with the JSON of a publish.")
        }
        do {
            let body = try JSONValue(parsing: bytes)
            if body["schema"] == nil {
                try PublishRequest.check(body, members: ["event", "rooms", "data"])
                self.verb = .raw(
                    event: try PublishRequest.text("event", of: body),
                    rooms: try PublishRequest.rooms(of: body),
                    data: body["data"] ?? .null
                )
            } else {
                try PublishRequest.check(body, members: ["event", "schema", "data", "previous", "at"])
                self.verb = .emit(try LifecycleEvent(body))
            }
        } catch let error as APIError {
            throw Rejection(description: error.message)
        } catch let error as GatewayError {
            throw Rejection(description: error.message)
        } catch {
            throw Rejection(description: "The field 'body' is not JSON: \(error)")
        }
    }

    /// Publishes it.
    ///
    /// - Throws: ``Rejection`` if it can never be published, and `ClusterError` if it cannot be now.
    public func publish(with publisher: Publisher) async throws {
        do {
            switch self.verb {
            case .emit(let event): _ = try await publisher.emit(event)
            case .raw(let event, let rooms, let data):
                _ = try await publisher.raw(event: event, rooms: rooms, data: data)
            }
        } catch let error as GatewayError {
            throw Rejection(description: error.message)
        }
    }
}
