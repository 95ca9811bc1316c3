import Incidents
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Entries that clients follow of their own will.
extension Subscriptions {
    func subscribe(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        let rules = self.context.rules(for: socket)
        let principal = self.context.principal(of: socket)
        let ability = rules.access.ability(of: principal)
        let policy = rules.access.subscriptionPolicy
        let schema = rules.content.schema
        let request = try policy.request(payload, ability: ability, joined: socket.rooms, schema: schema)
        try self.budgets.spend(.changes, 1, of: socket, limits: rules.configuration.limits)
        guard let type = schema.contentType(request.entity.uid) else { throw ClientRefusal.typeNotFound }
        try await self.verify(request.entity, type, principal)
        func follower() throws(ClientRefusal) -> Follower {
            let owners = self.owners(of: request.entity, type)
            guard let follower = policy.follower(principal, of: type, ability: ability, owners: owners) else {
                throw .noEntityAccess
            }
            return follower
        }
        let first = try follower()
        let rooms = policy.rooms(of: request.entity, audience: principal.audienceRoom, follower: first)
        await socket.joinConfirmed(rooms)
        guard case .undecided = first else { return request.success }
        // The owner may have become known while the socket was joining, when it could not be found yet.
        do {
            let second = try follower()
            let rooms = policy.rooms(of: request.entity, audience: principal.audienceRoom, follower: second)
            await socket.joinConfirmed(rooms)
        } catch {
            socket.leave(rooms)
            throw error
        }
        return request.success
    }

    /// Asks the application whether an entity exists, and remembers the answer.
    private func verify(_ entity: EntityRef, _ type: ContentType, _ principal: Principal) async throws(ClientRefusal) {
        do {
            if let verifyEntity = self.context.hooks.verifyEntity, try await !verifyEntity(entity, principal) {
                throw ClientRefusal.entityNotFound
            }
            guard let findEntity = self.context.hooks.findEntity else { return }
            guard case .object(let entry)? = try await findEntity(entity, principal) else {
                throw ClientRefusal.entityNotFound
            }
            self.learn([type.identity(of: entry)], of: type)
        } catch let refusal as ClientRefusal {
            throw refusal
        } catch {
            self.context.incidents.record(
                "The hook that verifies entities failed",
                reason: "hook",
                pace: .failures,
                details: ["error": "\(error)"]
            )
            throw .verificationFailed
        }
    }

    func unsubscribe(_ socket: Socket, _ payload: JSONValue?) throws -> JSONValue {
        let rules = self.context.rules(for: socket)
        let policy = rules.access.subscriptionPolicy
        let (entity, success) = try policy.cancellation(payload)
        try self.budgets.spend(.changes, 1, of: socket, limits: rules.configuration.limits)
        if let entity { socket.leave(policy.roomsToLeave(of: entity, joined: socket.rooms)) }
        return success
    }
}
