import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// One HTTP request and its answer, for the commands that talk to a running node.
struct HTTPCall {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    struct Answer {
        var status: Int
        var body: ByteBuffer
    }

    var method: HTTPMethod
    var url: String
    var headers: [(String, String)] = []
    var body = ByteBuffer()
    var timeout = TimeAmount.seconds(10)
    var maximumAnswerBytes = 64 * 1024 * 1024

    func run() async throws -> Answer {
        guard let components = URLComponents(string: self.url), let host = components.host, !host.isEmpty else {
            throw Failure(description: "'\(self.url)' is no URL; expected one such as http://127.0.0.1:3001")
        }
        guard components.scheme == "http" else {
            throw Failure(
                description: "'\(self.url)' is not http; the publish API speaks plain HTTP on a private address"
            )
        }
        let bareHost = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        let port = components.port ?? 80
        var target = components.percentEncodedPath.isEmpty ? "/" : components.percentEncodedPath
        if let query = components.percentEncodedQuery { target += "?\(query)" }

        let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(5))
                .connect(host: bareHost, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Failure(description: "no node answers at \(host):\(port) (\(Self.reason(of: error)))")
        }
        // A node that accepts and stays silent: closing ends the loop below.
        let deadline = channel.channel.eventLoop.scheduleTask(in: self.timeout) { [channel = channel.channel] in
            channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        var head = HTTPRequestHead(version: .http1_1, method: self.method, uri: target)
        head.headers.add(name: "Host", value: components.port.map { "\(host):\($0)" } ?? host)
        head.headers.add(name: "Content-Length", value: "\(self.body.readableBytes)")
        for (name, value) in self.headers { head.headers.add(name: name, value: value) }
        let request = head
        let answer = try await channel.executeThenClose { inbound, outbound -> Answer? in
            // A node may answer, and close, before it has read everything: what it says counts, not that it did.
            var sendingFailure: (any Error)?
            do {
                try await outbound.write(contentsOf: self.parts(request))
            } catch {
                sendingFailure = error
            }
            var answer: Answer?
            for try await part in inbound {
                switch part {
                case .head(let head): answer = Answer(status: Int(head.status.code), body: ByteBuffer())
                case .body(var bytes):
                    answer?.body.writeBuffer(&bytes)
                    if answer?.body.readableBytes ?? 0 > self.maximumAnswerBytes {
                        throw Failure(description: "the answer of \(host):\(port) is longer than 64 MiB")
                    }
                case .end: return answer
                }
            }
            if let sendingFailure {
                throw Failure(description: "\(host):\(port) ended the connection (\(Self.reason(of: sendingFailure)))")
            }
            return nil
        }
        guard let answer else { throw Failure(description: "\(host):\(port) gave no answer in time") }
        return answer
    }

    private func parts(_ head: HTTPRequestHead) -> [HTTPClientRequestPart] {
        self.body.readableBytes == 0
            ? [.head(head), .end(nil)] : [.head(head), .body(.byteBuffer(self.body)), .end(nil)]
    }

    private static func reason(of error: any Error) -> String {
        if let error = error as? NIOConnectionError {
            if let first = error.connectionErrors.first { return Self.reason(of: first.error) }
            return "the name \(error.host) is unknown"
        }
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        if case ChannelError.connectTimeout = error { return "no answer within 5 seconds" }
        return "\(error)"
    }
}
