/// The scripts that change the state of rooms in one step, and tell all nodes.
///
/// They do what ``StateTable`` does. A room is a hash `room:<room>` with `v` (version, entries, bytes), `e:<key>` for each
/// entry, and `n:<node>` for each node that may hold some of them. `node:<node>` is the set of those rooms, `nodes` has the
/// end of each lease, `dead` the nodes to be cleared away, and `due` the entries that end by themselves. Each script
/// reads and writes a room with one command each, however many of its entries change, and tells of it with one message.
enum StateScript {
    /// What both scripts share.
    ///
    /// `ARGV[1]` is what names of keys begin with, `ARGV[2]` the channel.
    private static let library = """
        local P,C=ARGV[1],ARGV[2]
        local clock
        local function micros()
          if not clock then local t=redis.call('TIME') clock=t[1]*1000000+t[2] end
          return clock
        end
        local function millis() return math.floor(micros()/1000) end
        local function num(n) return string.format('%.0f',n) end
        local function parse(s)
          local e,list,by,value=string.match(s,'^(%d+) ([^\\n]*)\\n([^\\n]*)\\n(.*)$')
          local held={}
          for n,c in string.gmatch(list,'([^=,]+)=(%d+)') do held[n]=tonumber(c) end
          return {ends=tonumber(e),by=by,value=value,held=held}
        end
        local function names(e)
          local list={}
          for n in pairs(e.held) do list[#list+1]=n end
          table.sort(list)
          return list
        end
        local function text(e)
          local list={}
          for i,n in ipairs(names(e)) do list[i]=n..'='..num(e.held[n]) end
          return num(e.ends)..' '..table.concat(list,',')..'\\n'..e.by..'\\n'..e.value
        end
        local function due(room,key) return #room..':'..room..key end
        local function open(room,version)
          local v,n,b
          if version then v,n,b=string.match(version,'^(%d+) (%d+) (%d+)$') end
          return {room=room,isNew=not v,version=v and tonumber(v),count=tonumber(n or 0),bytes=tonumber(b or 0),
            entries={},sets={},dels={},told={}}
        end
        local function size(k,e) return #k+#e.value end
        local function step(r)
          if not r.version then r.version=micros() end
          r.version=r.version+1
        end
        local function tell(r,k,e,by,isChange,isSwept)
          local t='{"k":'..cjson.encode(k)
          if isSwept then t=t..',"s":1' end
          if isChange then t=t..',"v":'..num(r.version) end
          t=t..',"by":'..by
          if e then
            t=t..',"value":'..e.value
            if e.ends>0 then t=t..',"e":'..num(e.ends) end
            local list={}
            for i,n in ipairs(names(e)) do list[i]='"'..n..'":'..num(e.held[n]) end
            t=t..',"h":{'..table.concat(list,',')..'}'
          end
          r.told[#r.told+1]=t..'}'
        end
        local function keep(r,k,e)
          r.entries[k]=e
          r.sets[k]=e
          r.dels[k]=nil
        end
        local function take(r,k,by,isSwept)
          local e=r.entries[k]
          r.entries[k]=nil
          r.sets[k]=nil
          r.dels[k]=true
          r.count=r.count-1
          r.bytes=r.bytes-size(k,e)
          step(r)
          if e.ends>0 then redis.call('ZREM',P..'due',due(r.room,k)) end
          tell(r,k,nil,by,true,isSwept)
        end
        local function send(command,name,list)
          for i=1,#list,2000 do redis.call(command,name,unpack(list,i,math.min(i+1999,#list))) end
        end
        local function save(r)
          local name=P..'room:'..r.room
          if r.count==0 then
            if not r.isNew then redis.call('DEL',name) end
          else
            local w={}
            for k,e in pairs(r.sets) do w[#w+1]='e:'..k w[#w+1]=text(e) end
            if r.flag then w[#w+1]=r.flag w[#w+1]='1' end
            if #w>0 or r.version~=r.was then
              w[#w+1]='v'
              w[#w+1]=num(r.version)..' '..num(r.count)..' '..num(r.bytes)
              send('HSET',name,w)
            end
            local d={}
            for k in pairs(r.dels) do d[#d+1]='e:'..k end
            if r.unflag then d[#d+1]=r.unflag end
            send('HDEL',name,d)
          end
          if #r.told>0 then
            redis.call('PUBLISH',C,'{"room":'..cjson.encode(r.room)..',"changes":['..table.concat(r.told,',')..']}')
          end
        end

        """

    /// Does what a node asks for; see ``StateTable/apply(_:of:at:)``.
    ///
    /// Arguments: prefix, channel, node, then for each operation room, key, action, value, by, holders, lifetime, and the
    /// most keys and bytes. The reply has a letter for each operation, and behind it the version.
    static let apply = RedisScript(
        library + """
            local N=ARGV[3]
            local ops,rooms,order={},{},{}
            for i=4,#ARGV,9 do
              local o={room=ARGV[i],key=ARGV[i+1],act=ARGV[i+2],value=ARGV[i+3],by=ARGV[i+4],held=tonumber(ARGV[i+5]),
                life=tonumber(ARGV[i+6]),keys=tonumber(ARGV[i+7]),bytes=tonumber(ARGV[i+8])}
              ops[#ops+1]=o
              local r=rooms[o.room]
              if not r then r={keys={},known={}} rooms[o.room]=r order[#order+1]=o.room end
              if o.act~='D' and not r.known[o.key] then r.known[o.key]=true r.keys[#r.keys+1]=o.key end
            end
            for _,name in ipairs(order) do
              local f={'v','n:'..N}
              for _,k in ipairs(rooms[name].keys) do f[#f+1]='e:'..k end
              local x=redis.call('HMGET',P..'room:'..name,unpack(f))
              local r=open(name,x[1])
              r.was=r.version
              r.has=x[2] and true
              for j,k in ipairs(rooms[name].keys) do if x[j+2] then r.entries[k]=parse(x[j+2]) end end
              rooms[name]=r
            end
            local alive
            local function attached(r)
              if r.has then return true end
              if alive==nil then alive=redis.call('ZSCORE',P..'nodes',N) and true or false end
              if not alive then return false end
              redis.call('SADD',P..'node:'..N,r.room)
              r.has=true
              r.flag='n:'..N
              r.unflag=nil
              return true
            end
            local function same(a,b)
              for n,c in pairs(a) do if b[n]~=c then return false end end
              for n,c in pairs(b) do if a[n]~=c then return false end end
              return true
            end
            local function put(r,o,e)
              local old=r.entries[o.key]
              if old and old.value==e.value and old.by==e.by then
                local isSame=same(old.held,e.held)
                if not isSame or old.ends~=e.ends then keep(r,o.key,e) end
                if not isSame then tell(r,o.key,e,o.by,false) end
                return 'U'..num(r.version or 0),old
              end
              if not old and r.count>=o.keys then return 'K' end
              local bytes=r.bytes-(old and size(o.key,old) or 0)+size(o.key,e)
              if bytes>o.bytes then return 'B' end
              r.bytes=bytes
              if not old then r.count=r.count+1 end
              step(r)
              keep(r,o.key,e)
              tell(r,o.key,e,o.by,true)
              return 'C'..num(r.version),old
            end
            local function wake(r,o,e,old)
              if e.ends>0 then
                redis.call('ZADD',P..'due',num(e.ends),due(r.room,o.key))
              elseif old and old.ends>0 then
                redis.call('ZREM',P..'due',due(r.room,o.key))
              end
            end
            local function apply(r,o)
              local old=r.entries[o.key]
              if o.act=='D' then
                redis.call('SREM',P..'node:'..N,r.room)
                r.has=nil
                r.flag=nil
                r.unflag='n:'..N
                return 'U'..num(r.version or 0)
              end
              if o.act=='S' or o.act=='A' then
                if o.held>0 and not attached(r) then return 'L' end
                local e
                if o.act=='A' and old then
                  e={ends=old.ends,by=old.by,value=old.value,held={}}
                else
                  e={ends=o.life>0 and millis()+o.life or 0,by=o.by,value=o.value,held={}}
                end
                if o.held>0 then
                  if old then for n,c in pairs(old.held) do e.held[n]=c end end
                  e.held[N]=o.held
                end
                local answer,before=put(r,o,e)
                if answer~='K' and answer~='B' then wake(r,o,e,before) end
                return answer
              end
              if not old or (o.act=='F' and not old.held[N]) then return 'U'..num(r.version or 0) end
              if o.act=='F' then
                local e={ends=old.ends,by=old.by,value=old.value,held={}}
                for n,c in pairs(old.held) do e.held[n]=c end
                e.held[N]=o.held>0 and o.held or nil
                if next(e.held) then return (put(r,o,e)) end
              end
              take(r,o.key,o.by)
              return 'C'..num(r.version)
            end
            local answers={}
            for i,o in ipairs(ops) do answers[i]=apply(rooms[o.room],o) end
            for _,name in ipairs(order) do save(rooms[name]) end
            return answers
            """
    )

    /// Prolongs a node's lease and clears away what is over; see ``StateTable/renew(_:lease:isKnown:at:limit:)``.
    ///
    /// Arguments: prefix, channel, node, lease, whether the node knows of a lease, and how many entries are cleared away
    /// at most. The reply is whether the lease was lost, whether there is more, and the time until something ends.
    static let renew = RedisScript(
        library + """
            local N,lease,known,left=ARGV[3],tonumber(ARGV[4]),ARGV[5]=='1',tonumber(ARGV[6])
            local now=millis()
            local function bury(n)
              redis.call('ZREM',P..'nodes',n)
              redis.call('SADD',P..'dead',n)
            end
            for _,n in ipairs(redis.call('ZRANGEBYSCORE',P..'nodes','-inf',num(now))) do bury(n) end
            local lost=known and not redis.call('ZSCORE',P..'nodes',N)
            if not lost then
              if lease>0 then redis.call('ZADD',P..'nodes',num(now+lease),N) else bury(N) end
            end
            local over=redis.call('ZRANGEBYSCORE',P..'due','-inf',num(now),'LIMIT',0,left)
            if #over>0 then
              local rooms,order={},{}
              for _,m in ipairs(over) do
                local n,rest=string.match(m,'^(%d+):(.*)$')
                local room,key=string.sub(rest,1,tonumber(n)),string.sub(rest,tonumber(n)+1)
                if not rooms[room] then rooms[room]={} order[#order+1]=room end
                local keys=rooms[room]
                keys[#keys+1]=key
              end
              redis.call('ZREM',P..'due',unpack(over))
              left=left-#over
              for _,room in ipairs(order) do
                local f={'v'}
                for _,k in ipairs(rooms[room]) do f[#f+1]='e:'..k end
                local x=redis.call('HMGET',P..'room:'..room,unpack(f))
                local r=open(room,x[1])
                r.was=r.version
                for j,k in ipairs(rooms[room]) do
                  local e=x[j+1] and parse(x[j+1])
                  if e and e.ends>0 and e.ends<=now then
                    e.ends=0
                    r.entries[k]=e
                    take(r,k,e.by)
                  end
                end
                save(r)
              end
            end
            local dead=redis.call('SMEMBERS',P..'dead')
            table.sort(dead)
            local isClear=true
            for _,n in ipairs(dead) do
              local isDone=false
              while left>0 and not isDone do
                local list=redis.call('SPOP',P..'node:'..n,math.min(left,50))
                if #list==0 then isDone=true end
                for _,room in ipairs(list) do
                  left=left-1
                  local x=redis.call('HGETALL',P..'room:'..room)
                  local version,entries=nil,{}
                  for j=1,#x,2 do
                    if x[j]=='v' then version=x[j+1]
                    elseif string.sub(x[j],1,2)=='e:' then entries[#entries+1]={string.sub(x[j],3),x[j+1]} end
                  end
                  if version then
                    table.sort(entries,function(a,b) return a[1]<b[1] end)
                    local r=open(room,version)
                    r.was=r.version
                    r.unflag='n:'..n
                    for _,pair in ipairs(entries) do
                      local k,e=pair[1],parse(pair[2])
                      if e.held[n] then
                        left=left-1
                        e.held[n]=nil
                        r.entries[k]=e
                        if next(e.held) then
                          keep(r,k,e)
                          tell(r,k,e,e.by,false)
                        else
                          take(r,k,e.by,true)
                        end
                      end
                    end
                    save(r)
                  end
                end
              end
              if isDone then redis.call('SREM',P..'dead',n) else isClear=false end
            end
            local next=-1
            for _,name in ipairs({'nodes','due'}) do
              local first=redis.call('ZRANGE',P..name,0,0,'WITHSCORES')
              if first[2] then
                local t=math.max(0,tonumber(first[2])-now)
                if next<0 or t<next then next=t end
              end
            end
            return {lost and 1 or 0,(not isClear or #over>=tonumber(ARGV[6])) and 1 or 0,next}
            """
    )
}
