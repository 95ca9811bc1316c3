import NIOCore
import RESP
import SocketIOWire

/// The rights that a node needs on Redis.
extension StreamsDialect {
    /// What the Redis user must be allowed; each is tried with a command that changes nothing.
    ///
    /// - Parameters:
    ///   - keepsSessions: Whether clients may come back.
    ///   - probeChannel: Where the node sends messages to itself.
    /// - Returns: The rights.
    func rights(keepsSessions: Bool, probeChannel: String) -> [ClusterRight] {
        let isSharded = self.configuration.usesShardedPubSub
        // `0-0` is no id that an entry may have.
        var rights = [
            ClusterRight(trying: ["XADD", self.stream, "NOMKSTREAM", "0-0", "uid", ""], "XADD to key \(self.stream)")
        ]
        for stream in self.streams {
            let question = ["XREAD", "COUNT", "1", "STREAMS", stream, "$"]
            rights.append(ClusterRight(trying: question, "XREAD of key \(stream)"))
            rights.append(ClusterRight(trying: ["XINFO", "STREAM", stream], "XINFO of key \(stream)"))
        }
        let channels = [self.channels.namespace, self.responseChannel]
        for channel in channels {
            rights.append(ClusterRight(isSharded ? .publishSharded(ByteBuffer()) : .publish(ByteBuffer()), channel))
            rights.append(ClusterRight(isSharded ? .subscribeSharded : .subscribe, channel))
        }
        rights.append(ClusterRight(.publish(ByteBuffer()), probeChannel))
        rights.append(ClusterRight(.subscribe, probeChannel))
        rights.append(ClusterRight(isSharded ? .countSharded : .count, self.channels.namespace))
        return keepsSessions ? rights + self.rightsForSessions : rights
    }

    private var rightsForSessions: [ClusterRight] {
        let keys = self.sessionKeys(of: "probe-\(self.uid)")
        var rights = [
            ClusterRight(
                trying: ["XRANGE", self.stream, "0-1", "0-1", "COUNT", "1"],
                "XRANGE of key \(self.stream)"
            ),
            ClusterRight(trying: ["INFO", "replication"], "INFO"),
            ClusterRight(trying: ["EVAL", "return 0", "2", keys.own, keys.official], "EVAL"),
        ]
        for key in [keys.own, keys.official] {
            let name = key == keys.own ? self.ownSessionPattern : "\(self.configuration.sessionKeyPrefix)*"
            for words in [
                ["GET", key], ["GETRANGE", key, "0", "0"], ["SET", key, "", "XX", "PX", "1"], ["DEL", key],
                ["PTTL", key], ["PEXPIRE", key, "1"],
            ] {
                rights.append(ClusterRight(trying: words, "\(words[0]) of keys \(name)"))
            }
        }
        return rights
    }

    /// The same in a sentence.
    func advice(keepsSessions: Bool) -> String {
        let isSharded = self.configuration.usesShardedPubSub
        let names = StreamName(self.configuration.streamName, count: self.configuration.streamCount)
        var commands = ["XADD", "XREAD", "XINFO", "PUBLISH", "SUBSCRIBE", "PUBSUB"]
        var keys = [names.count > 1 ? "\(names.name)-*" : names.name]
        if isSharded { commands += ["SPUBLISH", "SSUBSCRIBE"] }
        if keepsSessions {
            commands += ["XRANGE", "INFO", "EVAL", "GET", "GETRANGE", "SET", "DEL", "PTTL", "PEXPIRE"]
            keys += ["\(self.configuration.sessionKeyPrefix)*", self.ownSessionPattern]
        }
        return "The Redis user needs \(commands.joined(separator: ", ")), the keys \(keys.joined(separator: ", ")), "
            + "and the channels \(self.configuration.channelPrefix)#*"
    }
}

/// The keys of sessions.
extension StreamsDialect {
    /// The key under which Node.js nodes keep a session, and the one under which Swift nodes keep what they know
    /// besides.
    ///
    /// A client can't choose the id of a session so that a Node.js node reads the second key. In a Redis Cluster both
    /// are in one slot.
    func sessionKeys(of id: String) -> (own: String, official: String) {
        let official = "\(self.configuration.sessionKeyPrefix)\(id)"
        return (self.hasTag ? "swift:\(official)" : "swift:{\(official)}", official)
    }

    /// The name of all keys of the second kind, as `ACL SETUSER` takes it.
    private var ownSessionPattern: String {
        "swift:\(self.hasTag ? "" : "{")\(self.configuration.sessionKeyPrefix)*"
    }

    /// Whether the application has chosen the slot itself.
    private var hasTag: Bool { self.configuration.sessionKeyPrefix.utf8.contains(UInt8(ascii: "{")) }
}
