import NIOCore
import RESP

/// The scripts with which Redis changes a session in one step; their keys are that of Swift nodes and the official one.
enum SessionScript {
    /// Keeps a session, unless another node has claimed it.
    ///
    /// Arguments: claim, whether that is new, value, lifetime, official form. Node.js nodes see only sessions of
    /// clients that are away. Both keys expire at the same moment. If they don't, a Node.js node has written the
    /// official one later.
    static let keep = """
        if ARGV[2]=='0' and redis.call('GETRANGE',KEYS[1],0,15)~=ARGV[1] then return 0 end
        redis.call('SET',KEYS[1],ARGV[3],'PX',ARGV[4])
        if ARGV[5]=='' then redis.call('DEL',KEYS[2]) else redis.call('SET',KEYS[2],ARGV[5],'PX',ARGV[4]) end
        return 1
        """

    /// Forgets a session that this node has kept; its argument is the node.
    static let forget = """
        local o=redis.call('GET',KEYS[1])
        if o and string.match(o,'^.................([^\\n]*)\\n')==ARGV[1] then return redis.call('DEL',KEYS[1],KEYS[2]) end
        return 0
        """

    /// Takes a session out; its argument is the namespace to which the session must belong.
    ///
    /// It replies with the form of Swift nodes, the official form, and whether both were written together.
    static let take = """
        local o=redis.call('GET',KEYS[1])
        local f=redis.call('GET',KEYS[2])
        local s=0
        if o then
        if string.match(o,'^[^\\n]*\\n([^\\n]*)\\n')~=ARGV[1] then return {} end
        if f and redis.call('PTTL',KEYS[1])==redis.call('PTTL',KEYS[2]) then s=1 end
        redis.call('DEL',KEYS[1])
        end
        if f then redis.call('DEL',KEYS[2]) end
        return {o,f,s}
        """

    /// The command that runs a script.
    static func command(
        _ script: String,
        _ keys: (own: String, official: String),
        _ arguments: RESPCommand.Argument...
    ) -> RESPCommand {
        var command = RESPCommand("EVAL", .string(script), "2", .string(keys.own), .string(keys.official))
        command.words += arguments
        return command
    }
}
