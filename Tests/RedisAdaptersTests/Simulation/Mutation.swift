/// A fault that is planted, which the simulation has to find.
enum Mutation: String, CaseIterable, Sendable {
    /// The client comes back without the last of its namespace's channels.
    case forgetsToResubscribe
    /// Now and then a message arrives twice.
    case deliversTwice
    /// The client says that it is back when it has only just connected.
    case isBackBeforeProof
    /// Nobody is told that the client was away.
    case hidesGaps
    /// Now and then a message overtakes another one.
    case reorders
    /// The nodes are counted one too few, and have no names.
    case countsTooFew
    /// A node that is slow passes for one that has gone.
    case takesSlowForGone
    /// A node takes itself for one of those that are counted, though its connection is gone.
    case believesThatItIsCounted
    /// A channel is not left.
    case forgetsToLeave
    /// What is under way when the connection is lost counts as published.
    case claimsPublished
    /// What has waited for the client's return is not sent.
    case losesQueue
    /// The host does not know who is left out.
    case forgetsExceptions
    /// New rooms are subscribed to, and confirmed, before Redis has done so.
    case confirmsTooEarly
}
