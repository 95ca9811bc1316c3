import Incidents
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Entries that clients follow of their own will.
extension Subscriptions {
    /// A subscription that the rules allow.
    private struct Grant: Sendable {
        var request: SubscriptionRequest
        var follower: Follower
        var rooms: [Room]
        /// What is asked of the entity's history.
        var history: Histories.Beginning?
    }

    func subscribe(
        _ socket: Socket,
        _ payload: JSONValue?,
        _ histories: Histories
    ) async throws -> (answer: JSONValue, history: Histories.Beginning?) {
        let wish = try HistoryWish(payload)
        let first = try await self.context.decide(for: socket) { rules in
            let request = try self.request(socket, payload, rules)
            try self.budgets.spend(.changes, 1, of: socket, limits: rules.configuration.limits, as: .subscriptions)
            guard let type = rules.content.schema.contentType(request.entity.uid) else {
                throw ClientRefusal.typeNotFound
            }
            let principal = rules.access.principal(of: PrincipalRecord(socket.data))
            try await self.verify(request.entity, type, principal)
            var grant = try self.grant(request, type, principal, rules)
            grant.history = try histories.beginning(.entity(request.entity), wish, socket: socket, rules)
            return grant
        } grant: { grant in
            histories.join(socket, grant.rooms, .entity(grant.request.entity), grant.history)
        }
        await socket.confirm(first.rooms)
        guard case .undecided = first.follower else { return (first.request.success, first.history) }
        // The owner may have become known while the socket was joining, when it could not be found yet.
        do {
            let second = try await self.context.decide(for: socket) { rules in
                guard let type = rules.content.schema.contentType(first.request.entity.uid) else {
                    throw ClientRefusal.typeNotFound
                }
                let principal = rules.access.principal(of: PrincipalRecord(socket.data))
                return try self.grant(first.request, type, principal, rules)
            } grant: { grant in
                socket.join(grant.rooms)
            }
            await socket.confirm(second.rooms)
        } catch {
            socket.leave(first.rooms)
            if let history = first.history { histories.giveUp(history, socket: socket) }
            throw error
        }
        return (first.request.success, first.history)
    }

    private func request(
        _ socket: Socket,
        _ payload: JSONValue?,
        _ rules: Rules
    ) throws(ClientRefusal) -> SubscriptionRequest {
        let principal = rules.access.principal(of: PrincipalRecord(socket.data))
        return try rules.access.subscriptionPolicy.request(
            payload,
            ability: rules.access.ability(of: principal),
            joined: socket.rooms,
            schema: rules.content.schema
        )
    }

    private func grant(
        _ request: SubscriptionRequest,
        _ type: ContentType,
        _ principal: Principal,
        _ rules: Rules
    ) throws(ClientRefusal) -> Grant {
        let policy = rules.access.subscriptionPolicy
        let follower = policy.follower(
            principal,
            of: type,
            ability: rules.access.ability(of: principal),
            owners: self.owners(of: request.entity, type)
        )
        guard let follower else { throw .noEntityAccess }
        let rooms = policy.rooms(of: request.entity, audience: principal.audienceRoom, follower: follower)
        return Grant(request: request, follower: follower, rooms: rooms)
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

    func unsubscribe(_ socket: Socket, _ payload: JSONValue?, _ histories: Histories) throws -> JSONValue {
        let rules = self.context.rules(for: socket)
        let policy = rules.access.subscriptionPolicy
        let (entity, success) = try policy.cancellation(payload)
        try self.budgets.spend(.changes, 1, of: socket, limits: rules.configuration.limits, as: .subscriptions)
        if let entity {
            socket.leave(policy.roomsToLeave(of: entity, joined: socket.rooms))
            histories.unfollow(.entity(entity), socket: socket)
        }
        return success
    }
}
