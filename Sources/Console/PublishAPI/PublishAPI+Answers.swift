import Gateway
import NIOCore
import NIOHTTP1
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What a request with a complete body comes to.
extension PublishAPI {
    /// Answers a request whose body is complete.
    func answer(_ admitted: AdmittedRequest, body: ByteBuffer) async -> APIAnswer {
        do {
            var value = JSONValue.null
            if body.readableBytes > 0 {
                do {
                    value = try JSONValue(parsing: body)
                } catch {
                    throw APIError.invalidJSON("\(error)")
                }
            }
            let request = PublishRequest(admitted, body: value)
            let result = try await self.result(of: request)
            return APIAnswer(status: result.status, headers: result.headers, body: result.body)
        } catch {
            return APIAnswer(self.refuse(admitted, error))
        }
    }

    /// Status, fields and bytes of an answer.
    private typealias Result = (status: Int, headers: [(name: String, value: String)], body: AnswerBody)

    /// The answer to one request, or to one operation of a batch.
    private func result(of request: PublishRequest) async throws -> Result {
        try request.check()
        switch request.route.action {
        case .batch: return (200, [], try await self.batch(request))
        case .verb(let action):
            try self.count(.publishes, request)
            let answer = try await self.perform(action, request)
            self.answered(request, answer)
            self.audit(request.admitted, answer)
            var bytes = ByteBuffer()
            if answer.status != 304 { bytes.writeJSON(answer.value) }
            guard bytes.readableBytes < self.configuration.maximumAnswerBytes else {
                throw APIError.answerTooLarge(limit: self.configuration.maximumAnswerBytes)
            }
            guard let body = AnswerBody(bytes, of: self.budget) else { throw APIError.busy }
            return (answer.status, answer.headers, body)
        case .question(let ask):
            try self.count(.clusterQuestions, request)
            // This byte occurs in no UTF-8 text.
            var question = Array(request.target.path.map { Array($0.utf8) }.joined(separator: [0xFF]))
            // Whoever takes a part for an answer gets another one.
            if try request.allowsPartial() { question += [0xFF, 0xFF] }
            let body = try await self.questions.answer(to: question, tooMany: APIError.tooManyQuestions) {
                try self.body(try await ask(self.io, request), limit: self.configuration.maximumAnswerBytes)
            }
            self.answered(request)
            return (200, [], body)
        }
    }

    /// Counts what a token asks for.
    private func count(_ action: LimitedAction, _ request: PublishRequest) throws(APIError) {
        guard let wait = self.io.take(action, of: request.admitted.token) else { return }
        throw .rateLimited(wait)
    }

    /// A list as JSON.
    ///
    /// Writing stops as soon as the list is too long.
    private func body(_ list: AnswerList, limit: Int) throws -> AnswerBody {
        var bytes = ByteBuffer()
        bytes.writeString("{\"\(list.name)\":[")
        for (index, element) in list.elements.enumerated() {
            if index > 0 { bytes.writeInteger(UInt8(ascii: ",")) }
            bytes.writeJSON(list.value(of: element))
            guard bytes.readableBytes < limit else {
                throw APIError.answerTooLarge(list.elements.count, limit: limit)
            }
        }
        bytes.writeString("]")
        if let part = list.part {
            bytes.writeString(part.isComplete ? ",\"complete\":true" : ",\"complete\":false")
            bytes.writeString(",\"missing\":")
            bytes.writeJSON(.array(part.missing.map(\.value)))
        }
        bytes.writeString("}")
        guard let body = AnswerBody(bytes, of: self.budget) else { throw APIError.busy }
        return body
    }

    /// What a caller is told of an error, which the log is told, too.
    private func refuse(_ request: AdmittedRequest, _ error: any Error) -> APIError {
        let refusal = APIError(error)
        if refusal.status == .internalServerError { self.failed(error) }
        self.refused(refusal, request, from: request.address)
        self.audit(request, refusal)
        return refusal
    }

    /// Does what a request asks for, unless its id was seen before.
    private func perform(_ action: PublishRoute.Verb, _ request: PublishRequest) async throws -> JSONAnswer {
        let publisher = self.io.publisher(
            whileUnreachable: self.configuration.whileDisconnected,
            timeout: self.configuration.confirmationTimeout,
            wantsReceipt: try request.flag("receipt")
        )
        guard let id = try request.eventID() else { return try await action(publisher, request).answer }
        return try await self.once(id, request) { try await action(publisher, request) }
    }

    /// Runs `{"operations": [{"method"?, "path", "body"?}]}` one after the other.
    ///
    /// One that fails does not stop the rest.
    private func batch(_ request: PublishRequest) async throws -> AnswerBody {
        guard let operations = try request.object()["operations"]?.arrayValue else {
            throw APIError.invalidRequest(
                "'operations' must be a list of {\"path\": \"/io/raw\", \"body\": {...}}."
            )
        }
        guard operations.count <= self.configuration.maximumBatch else {
            throw APIError.invalidRequest("A batch may hold at most \(self.configuration.maximumBatch) operations.")
        }
        let eventID = try request.eventID()
        var bytes = ByteBuffer()
        bytes.writeString("{\"results\":[")
        var last: FoundRoute?
        for (index, operation) in operations.enumerated() {
            if index > 0 { bytes.writeString(",") }
            var asked = request.admitted
            do {
                let id = eventID.map { "\($0)/\(index)" }
                let single = try self.operation(operation, id, of: request.admitted, &last)
                asked = single.admitted
                let (status, _, body) = try await self.result(of: single)
                guard bytes.readableBytes + body.bytes.readableBytes < self.configuration.maximumAnswerBytes else {
                    throw APIError.answerTooLarge(operations.count, limit: self.configuration.maximumAnswerBytes)
                }
                bytes.writeString("{\"status\":\(status),\"body\":")
                bytes.writeImmutableBuffer(body.bytes)
                bytes.writeString("}")
            } catch {
                let refusal = self.refuse(asked, error)
                bytes.writeJSON(["status": .int(Int(refusal.status.code)), "body": refusal.body])
            }
        }
        bytes.writeString("]}")
        guard let body = AnswerBody(bytes, of: self.budget) else { throw APIError.busy }
        return body
    }

    /// Where an operation of a batch goes; most batches have one path only.
    private struct FoundRoute {
        var path: UTF8Text
        var method: RequestHead.Method
        var admitted: AdmittedRequest
    }

    /// One operation of a batch.
    ///
    /// If it has no `eventId` of its own, it gets one made of the batch's and its number.
    private func operation(
        _ value: JSONValue,
        _ eventID: String?,
        of batch: AdmittedRequest,
        _ last: inout FoundRoute?
    ) throws -> PublishRequest {
        try PublishRequest.check(value, members: ["method", "path", "body"])
        let path = value["path"]?.stringValue.map { UTF8Text($0) }
        let method = value["method"]?.stringValue.map { RequestHead.Method(name: UTF8Text($0)) } ?? .post
        if let found = last, found.path == path, found.method == method {
            return self.operation(value, eventID, of: found.admitted)
        }
        guard let path, let target = RequestTarget(path.string) else {
            throw APIError.invalidRequest("An operation must have a 'path' such as '/io/raw'.")
        }
        var admitted = try self.route(target, method, batch.token)
        admitted.address = batch.address
        if case .batch = admitted.route.action { throw APIError.notFound }
        last = FoundRoute(path: path, method: method, admitted: admitted)
        return self.operation(value, eventID, of: admitted)
    }

    private func operation(_ value: JSONValue, _ eventID: String?, of admitted: AdmittedRequest) -> PublishRequest {
        var request = PublishRequest(admitted, body: value["body"] ?? .null)
        if admitted.route.publishes { request.defaultEventID = eventID }
        return request
    }
}
