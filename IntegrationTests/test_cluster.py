"""Redis, three nodes and HAProxy, met by official Python clients. Started by run.py."""

import asyncio
import json
import subprocess
import time
import unittest

import aiohttp

from cluster import program, sign_jwt
from support import TIMEOUT, ClusterTestCase, emitter_message, eventually

ARTICLE = "api::article.article"
# What is answered when Redis has confirmed a message.
PUBLISHED = {"success": True, "delivery": "published"}
AUTHOR = "api::author.author"


class Transports(ClusterTestCase):
    """Through HAProxy, by each way that the protocol knows."""

    async def test_polling(self):
        # Several, because a client whose polls reach different nodes loses its session at once.
        clients = [await self.client(transports=["polling"]) for _ in range(6)]
        self.assertEqual({c.transport for c in clients}, {"polling"})
        await self.barrier(clients)
        self.assertEqual((await clients[0].call("get-rooms"))["success"], True)

    async def test_websocket(self):
        clients = [await self.client(transports=["websocket"]) for _ in range(6)]
        self.assertEqual({c.transport for c in clients}, {"websocket"})
        await self.barrier(clients)
        self.assertEqual((await clients[0].call("get-rooms"))["success"], True)

    async def test_upgrade(self):
        clients = [await self.client() for _ in range(6)]
        await clients[0].until(lambda: all(c.transport == "websocket" for c in clients), "upgrade")
        await self.barrier(clients)

    async def test_polling_client_with_cookies_stays_on_its_node(self):
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            address = f"{self.cluster.url}/socket.io/?EIO=4&transport=polling"
            async with http.get(address) as response:
                sid = json.loads((await response.text())[1:])["sid"]
                self.assertIn("socketio-node", response.cookies)
            for _ in range(6):
                async with http.post(f"{address}&sid={sid}", data="40") as response:
                    self.assertEqual((response.status, await response.text()), (200, "ok"))

    async def test_polling_client_without_cookies_is_found_by_its_sid(self):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            address = f"{self.cluster.url}/socket.io/?EIO=4&transport=polling"
            async with http.get(address) as response:
                sid = json.loads((await response.text())[1:])["sid"]
            for _ in range(6):
                async with http.post(f"{address}&sid={sid}", data="40") as response:
                    self.assertEqual((response.status, await response.text()), (200, "ok"))

    async def test_large_event_both_ways(self):
        for transport in ["polling", "websocket"]:
            client = await self.client(transports=[transport])
            text = "ü" * 100_000
            await self.api(0).post("/io/raw", {"event": "large", "rooms": [client.id], "data": text})
            self.assertEqual(await client.event("large"), [text])
            answer = await client.call("private-message", {"to": client.id, "message": text})
            self.assertEqual(answer, {"success": False, "error": "Invalid message length"})


class Health(ClusterTestCase):
    async def test_health_and_readiness(self):
        for node in self.cluster.nodes:
            for path in ["/healthz", "/readyz"]:
                async with self.http.get(node.url + path) as response:
                    self.assertEqual(response.status, 200)
                    self.assertEqual((await response.json())["status"], "ok")

    async def test_unknown_paths_are_not_found(self):
        async with self.http.get(self.cluster.nodes[0].url + "/metrics-of-yesterday") as response:
            self.assertEqual(response.status, 404)

    async def test_health_command(self):
        environment = self.cluster.node_environment(self.cluster.nodes[0])
        result = self.cluster.run("health", environment=environment, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)


class Rooms(ClusterTestCase):
    """Rooms, and questions about them, span the nodes."""

    async def test_room_reaches_its_members_on_every_node_once(self):
        members = await self.clients_of_each_node()
        stranger = await self.client(self.cluster.nodes[1].url)
        for member in members:
            self.assertEqual(await member.call("join-room", "lobby"), {"success": True, "room": "lobby"})
        for node in range(3):
            await self.api(node).post("/io/raw", {"event": "to-lobby", "rooms": ["lobby"], "data": {"from": node}})
            await self.barrier(members + [stranger], node)
        for member in members:
            self.assertCountEqual(member.named("to-lobby"), [[{"from": n}] for n in range(3)])
        self.assertEqual(stranger.named("to-lobby"), [])

    async def test_leaving_a_room(self):
        members = await self.clients_of_each_node()
        for member in members:
            await member.call("join-room", "chat-leave")
        self.assertEqual(await members[2].call("leave-room", "chat-leave"), {"success": True, "room": "chat-leave"})
        await self.api(0).post("/io/raw", {"event": "after", "rooms": ["chat-leave"]})
        await self.barrier(members)
        self.assertEqual([len(m.named("after")) for m in members], [1, 1, 0])

    async def test_several_rooms_are_one_delivery(self):
        members = await self.clients_of_each_node()
        for member in members:
            await member.call("join-room", "chat-a")
            await member.call("join-room", "chat-b")
        rooms = ["chat-a", "chat-b", members[0].id]
        await self.api(2).post("/io/raw", {"event": "once", "rooms": rooms, "data": 1})
        await self.barrier(members, 2)
        self.assertEqual([m.named("once") for m in members], [[[1]]] * 3)

    async def test_sockets_of_a_room_are_counted_on_every_node(self):
        members = []
        for index, node in enumerate(self.cluster.nodes):
            token = sign_jwt({"id": 100 + index, "username": f"u{index}", "role": "reader"}, self.cluster.jwt_secret)
            members.append(await self.client(node.url, auth={"token": token}))
        for member in members:
            await member.call("join-room", "chat-count")
        for node in range(3):
            sockets = (await self.api(node).get("/io/rooms/chat-count/sockets"))["sockets"]
            self.assertEqual({s["id"] for s in sockets}, {m.id for m in members})
            self.assertEqual({s["userId"] for s in sockets}, {100, 101, 102})
            self.assertEqual({s["role"] for s in sockets}, {"reader"})
            self.assertTrue(all("chat-count" in s["rooms"] for s in sockets))
        await members[0].close()
        await eventually(
            lambda: self.room_has("chat-count", 2), "the room's count following a client that left"
        )
        self.assertEqual((await self.api(1).get("/io/rooms/nobody/sockets"))["sockets"], [])

    async def room_has(self, room, count):
        return len((await self.api(1).get(f"/io/rooms/{room}/sockets"))["sockets"]) == count

    async def test_helpers_act_on_sockets_of_other_nodes(self):
        client = await self.client(self.cluster.nodes[2].url)
        other = await self.client(self.cluster.nodes[1].url)
        api = self.api(0)
        self.assertEqual(await api.post(f"/io/sockets/{client.id}/join", {"room": "given"}), PUBLISHED)
        await api.post("/io/raw", {"event": "in-given", "rooms": ["given"]})
        await client.event("in-given")
        self.assertEqual(await api.post(f"/io/sockets/{client.id}/leave", {"room": "given"}), PUBLISHED)
        await api.post("/io/raw", {"event": "in-given", "rooms": ["given"]})
        await api.post(f"/io/sockets/{client.id}/message", {"event": "private", "data": 1})
        await api.post(f"/io/sockets/{client.id}/broadcast", {"event": "others", "data": 2})
        await self.barrier([client, other])
        self.assertEqual(len(client.named("in-given")), 1)
        self.assertEqual((client.named("private"), other.named("private")), ([[1]], []))
        self.assertEqual((client.named("others"), other.named("others")), ([], [[2]]))
        self.assertEqual(
            await api.post("/io/sockets/AAAAAAAAAAAAAAAAAAAA/join", {"room": "given"}), {"success": False}
        )

    async def test_disconnecting_with_a_reason(self):
        client = await self.client(self.cluster.nodes[2].url)
        answer = await self.api(0).post(f"/io/sockets/{client.id}/disconnect", {"reason": "maintenance"})
        self.assertEqual(answer, PUBLISHED)
        await client.until(lambda: client.disconnects, "disconnect")
        self.assertEqual(client.named("io:disconnect"), [[{"reason": "maintenance"}]])

    async def test_user_room_reaches_all_of_a_users_clients(self):
        token = sign_jwt({"id": 77, "username": "uma", "role": "reader"}, self.cluster.jwt_secret)
        mine = await self.clients_of_each_node(auth={"token": token})
        other = await self.client()
        await self.api(0).post("/io/users/77/message", {"event": "for-uma", "data": "hi"})
        await self.barrier(mine + [other])
        self.assertEqual([c.named("for-uma") for c in mine + [other]], [[["hi"]]] * 3 + [[]])


class Acknowledgements(ClusterTestCase):
    async def test_each_transport_acknowledges(self):
        for transport in ["polling", "websocket"]:
            client = await self.client(transports=[transport])
            self.assertEqual(await client.call("join-room", "lobby"), {"success": True, "room": "lobby"})
            rooms = await client.call("get-rooms")
            self.assertTrue(rooms["success"])
            self.assertIn("lobby", rooms["rooms"])
            self.assertNotIn(client.id, rooms["rooms"])

    async def test_many_at_once_each_get_their_own(self):
        client = await self.client()
        names = [f"chat-{n}" for n in range(50)]
        answers = await asyncio.gather(*(client.call("join-room", name) for name in names))
        self.assertEqual(answers, [{"success": True, "room": name} for name in names])

    async def test_refusals_of_client_events(self):
        client = await self.client()
        refused = lambda error: {"success": False, "error": error}
        self.assertEqual(await client.call("join-room", ""), refused("Invalid room name"))
        self.assertEqual(await client.call("join-room", 5), refused("Invalid room name"))
        self.assertEqual(await client.call("join-room", "a b"), refused("Room name contains invalid characters"))
        self.assertFalse((await client.call("join-room", "io-role-reader"))["success"])
        # Private messages are enabled, which opens no room that joinPolicy does not name.
        self.assertEqual(await client.call("join-room", "backstage"), refused("Permission denied"))
        self.assertFalse((await client.call("leave-room", "io-role-public"))["success"])
        private = {"to": client.id, "message": ""}
        self.assertEqual(await client.call("private-message", private), refused("Invalid message length"))
        nobody = {"to": "AAAAAAAAAAAAAAAAAAAA", "message": "hi"}
        self.assertEqual(await client.call("private-message", nobody), refused("Target socket not found"))
        for event, payload, error in [
            ({}, None, "Invalid parameters: uid and id are required"),
            ({"uid": "article", "id": 1}, None, "Invalid content type uid format"),
            ({"uid": ARTICLE, "id": [1]}, None, "Invalid entity id"),
            ({"uid": "api::missing.missing", "id": 1}, None, "Content type not found"),
            ({"uid": "api::payroll.payroll", "id": 1}, None, "Permission denied: no access to this content type"),
        ]:
            self.assertEqual(await client.call("subscribe-entity", event), refused(error))

    async def test_private_message_across_nodes(self):
        token = sign_jwt({"id": 5, "username": "rita", "role": "reader"}, self.cluster.jwt_secret)
        sender = await self.client(self.cluster.nodes[0].url, auth={"token": token})
        receiver = await self.client(self.cluster.nodes[2].url)
        answer = await sender.call("private-message", {"to": receiver.id, "message": "psst"})
        self.assertEqual(answer, {"success": True})
        message = (await receiver.event("private-message"))[0]
        self.assertEqual((message["from"], message["fromUser"], message["message"]), (sender.id, "rita", "psst"))
        self.assertLess(abs(message["timestamp"] / 1000 - time.time()), 60)


class Binary(ClusterTestCase):
    async def test_bytes_from_the_emitter_reach_every_transport(self):
        clients = [await self.client(transports=[t]) for t in ["polling", "websocket"]]
        clients += await self.clients_of_each_node()
        payload = bytes(range(256)) * 64
        channel, message = emitter_message("bytes", {"file": payload, "name": "blob"}, b"second")
        self.cluster.redis_command("PUBLISH", channel, message)
        for client in clients:
            self.assertEqual(await client.event("bytes"), [{"file": payload, "name": "blob"}, b"second"])

    async def test_bytes_from_a_client(self):
        for transport in ["polling", "websocket"]:
            client = await self.client(transports=[transport])
            # No room, but understood: the packet with its attachment was put together and acknowledged.
            answer = await client.call("join-room", b"\x00\x01\x02")
            self.assertEqual(answer, {"success": False, "error": "Invalid room name"})


class Entities(ClusterTestCase):
    """Content types: what a role may see, on whichever node its clients are."""

    ENTITY = {
        "documentId": "doc1",
        "id": 7,
        "title": "Hello",
        "views": 3,
        "draftNotes": "private-notes-4711",
        "password": "private-password-4711",
        "seo": {"metaTitle": "Meta", "internalScore": 4711},
        "author": {"id": 1, "name": "Ann", "email": "private-ann@example.com", "password": "private-password-4711"},
    }

    def reader(self, number=1):
        return sign_jwt({"id": number, "username": "rita", "role": "reader"}, self.cluster.jwt_secret)

    async def publish(self, event, node=0, **changes):
        body = {"event": event, "schema": ARTICLE, "data": {**self.ENTITY, **changes}}
        await self.api(node).post("/io/emit", body)

    async def test_roles_see_different_fields(self):
        visitors = await self.clients_of_each_node()
        readers = await self.clients_of_each_node(auth={"token": self.reader()})
        for node in range(3):
            await self.publish("create", node)
            await self.barrier(visitors + readers, node)
        for client in visitors:
            self.assertEqual(len(client.named("article:create")), 3)
            article = client.named("article:create")[0][0]
            self.assertEqual(article["title"], "Hello")
            self.assertNotIn("author", article)
        for client in readers:
            self.assertEqual(len(client.named("article:create")), 3)
            article = client.named("article:create")[0][0]
            self.assertEqual(article["author"], {"id": 1, "name": "Ann"})
        for client in visitors + readers:
            self.assertNotIn("4711", json.dumps(client.events))
            self.assertNotIn("private-", json.dumps(client.events))

    async def test_subscribers_of_an_entity_see_what_their_role_may(self):
        visitor = await self.client(self.cluster.nodes[0].url)
        reader = await self.client(self.cluster.nodes[1].url, auth={"token": self.reader()})
        elsewhere = await self.client(self.cluster.nodes[2].url, auth={"token": self.reader(2)})
        for client in [visitor, reader]:
            answer = await client.call("subscribe-entity", {"uid": ARTICLE, "id": "doc1"})
            self.assertEqual(
                answer, {"success": True, "room": f"{ARTICLE}:doc1", "uid": ARTICLE, "id": "doc1"}
            )
        # By the other id, for one entity has two.
        self.assertTrue((await elsewhere.call("subscribe-entity", {"uid": ARTICLE, "id": 9}))["success"])
        await self.publish("update", 2)
        await self.publish("update", 2, documentId="doc9", id=9, title="Nine")
        await self.barrier([visitor, reader, elsewhere], 2)
        titles = lambda client: [arguments[0]["title"] for arguments in client.named("article:update")]
        self.assertEqual(titles(visitor), ["Hello"])
        self.assertEqual(titles(reader), ["Hello"])
        self.assertEqual(titles(elsewhere), ["Nine"])
        self.assertNotIn("author", visitor.named("article:update")[0][0])
        self.assertEqual(reader.named("article:update")[0][0]["author"], {"id": 1, "name": "Ann"})

        subscriptions = await reader.call("get-entity-subscriptions")
        self.assertEqual(
            subscriptions,
            {"success": True, "subscriptions": [{"uid": ARTICLE, "id": "doc1", "room": f"{ARTICLE}:doc1"}]},
        )
        sockets = (await self.api(0).get(f"/io/entities/{ARTICLE}/doc1/sockets"))["sockets"]
        self.assertEqual({s["id"] for s in sockets}, {visitor.id, reader.id})

        self.assertTrue((await reader.call("unsubscribe-entity", {"uid": ARTICLE, "id": "doc1"}))["success"])
        await self.publish("update", 0, documentId="doc3", id=3, title="Three")
        await self.barrier([reader, visitor])
        self.assertEqual(titles(reader), ["Hello", "Three"])
        self.assertEqual(titles(visitor), ["Hello"])

    async def test_back_ends_subscribe_for_clients(self):
        client = await self.client(self.cluster.nodes[2].url)
        api = self.api(0)
        path = f"/io/sockets/{client.id}/subscriptions"
        answer = await api.post(path, {"uid": ARTICLE, "id": "doc5"})
        self.assertEqual(answer["room"], f"{ARTICLE}:doc5")
        listed = await api.get(path)
        self.assertEqual([s["id"] for s in listed["subscriptions"]], ["doc5"])
        await api.post(f"/io/entities/{ARTICLE}/doc5/emit", {"event": "poke", "data": 1})
        self.assertEqual(await client.event("poke"), [1])
        status, answer = await api.request("DELETE", path, {"uid": ARTICLE, "id": "doc5"})
        self.assertEqual((status, answer["success"]), (200, True))
        answer = await api.post("/io/sockets/AAAAAAAAAAAAAAAAAAAA/subscriptions", {"uid": ARTICLE, "id": 1})
        self.assertEqual(answer, {"success": False, "error": "Socket not found"})

    async def test_events_through_redis_are_sanitised_once_and_delivered_once(self):
        visitors = await self.clients_of_each_node()
        event = {"event": "create", "schema": ARTICLE, "data": {**self.ENTITY, "title": "By Redis"}}
        # A back end in Node.js: emitter.serverSideEmit("io:emit", {...}).
        request = {"uid": "emitter", "type": 6, "data": ["io:emit", event]}
        self.cluster.redis_command("PUBLISH", "socket.io-request#/#", json.dumps(request))
        for client in visitors:
            await client.event("article:create")
        await self.barrier(visitors)
        for client in visitors:
            self.assertEqual([a[0]["title"] for a in client.named("article:create")], ["By Redis"])
            self.assertNotIn("private-", json.dumps(client.events))

    async def test_private_fields_never_cross_the_wire(self):
        """What the transports carry, byte for byte: no library in between that could drop something."""
        tokens = {"visitor": None, "reader": self.reader(), "token": self.cluster.tokens["everything"]}
        strategies = {"visitor": None, "reader": "jwt", "token": "api-token"}
        sniffers = []
        for kind, token in tokens.items():
            auth = {"strategy": strategies[kind], "token": token} if token else None
            for node in self.cluster.nodes[:2]:
                sniffers.append(await WebSocketSniffer.open(self, node.url, auth))
                sniffers.append(await PollingSniffer.open(self, node.url, auth))
        tasks = [asyncio.create_task(s.read_until(b"end-of-sniffing")) for s in sniffers]
        for event in ["create", "update", "delete", "publish"]:
            for node in range(2):
                await self.publish(event, node)
        deep = {"documentId": "deep", "title": "deep", "seo": {"metaTitle": "x", "internalScore": 4711}}
        await self.publish("create", 0, author=[self.ENTITY["author"]], seo=[deep["seo"], deep["seo"]])
        await self.api(0).post("/io/raw", {"event": "end-of-sniffing"})
        # Node 1's own events may overtake node 0's last one.
        await self.api(1).post("/io/raw", {"event": "end-of-sniffing"})
        for sniffer, data in zip(sniffers, await asyncio.wait_for(asyncio.gather(*tasks), 3 * TIMEOUT)):
            with self.subTest(sniffer=sniffer.name):
                self.assertIn(b'"title":"Hello"', data)
                for secret in [b"4711", b"private-", b"draftNotes", b"internalScore", b"password", b"email"]:
                    self.assertNotIn(secret, data)


class WebSocketSniffer:
    @classmethod
    async def open(cls, case, url, auth):
        sniffer = cls()
        sniffer.name = f"websocket {url} {auth and auth['strategy']}"
        address = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
        sniffer.socket = await case.http.ws_connect(address)
        case.addAsyncCleanup(sniffer.socket.close)
        await sniffer.socket.receive_str()
        await sniffer.socket.send_str("40" + (json.dumps(auth) if auth else ""))
        connected = await sniffer.socket.receive_str()
        assert connected.startswith("40"), connected
        return sniffer

    async def read_until(self, mark):
        data = b""
        count = 0
        while count < 2:
            message = await self.socket.receive()
            if message.type == aiohttp.WSMsgType.TEXT:
                data += message.data.encode()
                if message.data == "2":
                    await self.socket.send_str("3")
            elif message.type == aiohttp.WSMsgType.BINARY:
                data += message.data
            else:
                raise AssertionError(f"the connection ended: {message}")
            count = data.count(mark)
        return data


class PollingSniffer:
    @classmethod
    async def open(cls, case, url, auth):
        sniffer = cls()
        sniffer.name = f"polling {url} {auth and auth['strategy']}"
        sniffer.http = case.http
        base = f"{url}/socket.io/?EIO=4&transport=polling"
        async with case.http.get(base) as response:
            sniffer.address = base + "&sid=" + json.loads((await response.text())[1:])["sid"]
        async with case.http.post(sniffer.address, data="40" + (json.dumps(auth) if auth else "")) as response:
            assert response.status == 200
        async with case.http.get(sniffer.address) as response:
            connected = await response.text()
        assert connected.startswith("40"), connected
        return sniffer

    async def read_until(self, mark):
        data = b""
        while data.count(mark) < 2:
            async with self.http.get(self.address) as response:
                assert response.status == 200, await response.text()
                part = await response.read()
            data += part
            if b"2" in part.split(b"\x1e"):
                await self.http.post(self.address, data="3")
        return data


class Authentication(ClusterTestCase):
    """Who is let in, and the exact words for those who are not."""

    def jwt(self, **claims):
        return sign_jwt({"id": 1, "username": "rita", "role": "reader", **claims}, self.cluster.jwt_secret)

    async def test_refusals_of_user_tokens(self):
        cases = [
            ("Invalid token.", {"token": "no.token.at-all"}),
            ("Invalid token.", {"token": sign_jwt({"id": 1}, "another secret of thirty-two bytes and more")}),
            ("Invalid token.", {"strategy": "jwt", "token": self.jwt(exp=int(time.time()) - 60)}),
            ("Invalid token.", {"strategy": "jwt", "token": self.cluster.tokens["everything"]}),
            ("Invalid credentials", {"token": sign_jwt({"username": "nobody"}, self.cluster.jwt_secret)}),
            ("Invalid credentials", {"token": self.jwt(blocked=True)}),
            ("Invalid credentials", {"token": self.jwt(confirmed=False)}),
            ("Role 'banned' is not allowed to connect to Socket.IO", {"token": self.jwt(role="banned")}),
        ]
        for message, auth in cases:
            with self.subTest(message=message, auth=str(auth)[:60]):
                self.assertEqual(await self.refusal(auth), {"message": message})

    async def test_refusals_of_api_tokens(self):
        unknown = "0" * 256
        cases = [
            ("Invalid credentials", {"strategy": "api-token", "token": unknown}),
            ("Invalid credentials", {"strategy": "api-token", "token": self.cluster.tokens["revoked"]}),
            ("Invalid credentials", {"strategy": "ldap", "token": unknown}),
            ("Token expired", {"strategy": "api-token", "token": self.cluster.tokens["expired"]}),
        ]
        for message, auth in cases:
            with self.subTest(message=message, strategy=auth["strategy"]):
                self.assertEqual(await self.refusal(auth, self.cluster.nodes[1].url), {"message": message})

    async def test_namespaces_ask_for_credentials(self):
        refusal = await self.refusal(None, self.cluster.nodes[2].url, namespace="/admin")
        self.assertEqual(refusal, {"message": "Authentication required for namespace /admin"})
        client = await self.client(auth={"token": self.jwt()}, namespaces=["/admin"], transports=["websocket"])
        await self.api(0).post("/io/namespaces/admin/emit", {"event": "alert", "data": {"level": 3}})
        self.assertEqual(await client.event("alert", "/admin"), [{"level": 3}])

    async def test_unknown_namespaces_do_not_exist(self):
        refusal = await self.refusal(None, namespace="/nowhere")
        self.assertEqual(refusal, {"message": "Invalid namespace"})

    async def test_users_and_tokens_are_let_in(self):
        for auth, room in [
            (None, "io-role-public"),
            ({}, "io-role-public"),
            ({"token": self.jwt()}, "io-role-reader"),
            ({"strategy": "jwt", "token": self.jwt()}, "io-role-reader"),
            ({"strategy": "api-token", "token": self.cluster.tokens["machine"]}, "io-token-machine"),
            ({"strategy": "apiToken", "token": self.cluster.tokens["machine"]}, "io-token-machine"),
            ({"strategy": "token", "token": self.cluster.tokens["reading"]}, "io-token-reading"),
        ]:
            with self.subTest(room=room):
                client = await self.client(auth=auth, transports=["websocket"])
                self.assertIn(room, (await client.call("get-rooms"))["rooms"])

    async def test_tokens_receive_what_their_scopes_say(self):
        clients = {}
        for name in ["machine", "everything", "reading"]:
            auth = {"strategy": "api-token", "token": self.cluster.tokens[name]}
            clients[name] = await self.client(auth=auth, transports=["websocket"])
        data = {"documentId": "p1", "amount": 12.5}
        await self.api(0).post("/io/emit", {"event": "create", "schema": "api::payroll.payroll", "data": data})
        await self.api(0).post("/io/emit", {"event": "create", "schema": ARTICLE, "data": Entities.ENTITY})
        await self.barrier(clients.values())
        self.assertEqual(
            {name: len(c.named("payroll:create")) for name, c in clients.items()},
            {"machine": 0, "everything": 1, "reading": 1},
        )
        self.assertEqual({len(c.named("article:create")) for c in clients.values()}, {1})


class Publishing(ClusterTestCase):
    """Back ends: the emitter's wire format, the HTTP API, the command line."""

    async def test_emitter_reaches_everybody(self):
        clients = await self.clients_of_each_node() + [await self.client(transports=["polling"])]
        channel, message = emitter_message("from-emitter", {"text": "Grüße", "n": 1.5, "list": [1, None, True]})
        self.cluster.redis_command("PUBLISH", channel, message)
        for client in clients:
            self.assertEqual(
                await client.event("from-emitter"), [{"text": "Grüße", "n": 1.5, "list": [1, None, True]}]
            )

    async def test_emitter_reaches_rooms_except_others(self):
        members = await self.clients_of_each_node()
        for member in members:
            await member.call("join-room", "chat-emitter")
        await members[1].call("join-room", "chat-muted")
        for number, (rooms, excepted) in enumerate(
            [(["chat-emitter"], []), (["chat-emitter"], ["chat-muted"]), ([m.id for m in members[:2]], [])]
        ):
            channel, message = emitter_message("by-emitter", number, rooms=rooms, excepted=excepted)
            self.cluster.redis_command("PUBLISH", channel, message)
        channel, message = emitter_message("last")
        self.cluster.redis_command("PUBLISH", channel, message)
        for member in members:
            await member.event("last")
        self.assertEqual(
            [[a[0] for a in m.named("by-emitter")] for m in members], [[0, 1, 2], [0, 2], [0, 1]]
        )

    async def test_emitter_commands(self):
        members = await self.clients_of_each_node()
        command = lambda **request: self.cluster.redis_command("PUBLISH", "socket.io-request#/#", json.dumps(request))
        options = {"rooms": [members[2].id], "except": []}
        command(type=2, opts=options, rooms=["chat-remote"])
        await eventually(lambda: self.rooms_include(members[2], "chat-remote"), "joining by the emitter")
        self.assertFalse(await self.rooms_include(members[1], "chat-remote"))
        command(type=3, opts=options, rooms=["chat-remote"])
        await eventually(lambda: self.rooms_lack(members[2], "chat-remote"), "leaving by the emitter")
        command(type=4, opts=options, close=True)
        await members[2].until(lambda: members[2].disconnects, "disconnection by the emitter")
        await self.barrier(members[:2])

    async def rooms_lack(self, client, room):
        return not await self.rooms_include(client, room)

    async def rooms_include(self, client, room):
        return room in (await client.call("get-rooms"))["rooms"]

    async def test_malformed_messages_on_the_channels_hurt_nobody(self):
        clients = await self.clients_of_each_node()
        junk = [b"", b"\x00", b"\xc1", b"{}", b"null", b"\x93\xa1x\x80\x80", b"\xdd\xff\xff\xff\xff", b"\x81\xa4type\x02"]
        junk += [b"[" * 5000, b'{"type":99}', b'{"type":"x","requestId":1}', b'{"uid":1,"requestId":"a","type":1}']
        for channel in [b"socket.io#/#", b"socket.io#/#room#", b"socket.io-request#/#", b"socket.io-response#/#"]:
            for message in junk:
                self.cluster.redis_command("PUBLISH", channel, message)
        for node in range(3):
            await self.barrier(clients, node)
            self.assertTrue(self.cluster.nodes[node].process.is_running)

    async def test_http_refusals(self):
        api = self.api(0)
        event = {"event": "x", "data": 1}
        for token, method, path, body, status, code in [
            (None, "POST", "/io/raw", event, 401, "unauthorized"),
            ("wrong", "POST", "/io/raw", event, 401, "unauthorized"),
            ("expired", "POST", "/io/raw", event, 401, "unauthorized"),
            ("revoked", "POST", "/io/raw", event, 401, "unauthorized"),
            ("raw-only", "POST", "/io/emit", {"event": "create", "schema": ARTICLE, "data": {"id": 1}}, 403, "forbidden"),
            ("raw-only", "GET", "/io/rooms/lobby/sockets", None, 403, "forbidden"),
            ("machine", "POST", "/io/raw", event, 403, "forbidden"),
            ("backend", "POST", "/io/nothing", event, 404, "not_found"),
            ("backend", "GET", "/io/raw", None, 405, "method_not_allowed"),
            ("backend", "POST", "/io/raw", {"data": 1}, 400, "invalid_request"),
            ("backend", "POST", "/io/raw", {"event": "connect"}, 400, "invalid_request"),
            ("backend", "POST", "/io/raw", [1], 400, "invalid_request"),
            ("backend", "POST", "/io/raw", {"event": "x", "rooms": "lobby"}, 400, "invalid_request"),
            ("backend", "POST", "/io/emit", {"event": "create", "data": {"id": 1}}, 400, "invalid_request"),
            ("backend", "POST", "/io/emit", {"event": f"{ARTICLE}.create", "data": {}}, 400, "invalid_request"),
            (
                "backend", "POST", "/io/emit",
                {"event": "create", "schema": "api::missing.missing", "data": {"id": 1}}, 400, "invalid_request",
            ),
        ]:
            with self.subTest(path=path, token=token, body=body):
                answered, answer = await self.api(0, token).request(method, path, body)
                self.assertEqual((answered, answer["error"]["code"]), (status, code), answer)
                self.assertTrue(answer["error"]["message"])
        async with self.http.post(api.base + "/io/raw", data=b"{", headers=api.headers) as response:
            self.assertEqual((response.status, (await response.json())["error"]["code"]), (400, "invalid_json"))
        large = b'{"event":"x","data":"' + b"x" * 1_100_000 + b'"}'
        async with self.http.post(api.base + "/io/raw", data=large, headers=api.headers) as response:
            self.assertEqual((response.status, (await response.json())["error"]["code"]), (413, "too_large"))

    async def test_a_repeated_event_is_published_once(self):
        client = await self.client()
        body = {"event": "counted", "data": 1, "eventId": f"id-{time.time_ns()}"}
        self.assertEqual(await self.api(0).post("/io/raw", body), PUBLISHED | {"eventIdScope": "cluster"})
        again = {"success": True, "duplicate": True, "eventIdScope": "cluster"}
        self.assertEqual(await self.api(0).post("/io/raw", body), again)
        # The other nodes know it, too.
        self.assertEqual(await self.api(1).post("/io/raw", body), again)
        await self.barrier([client])
        self.assertEqual(client.named("counted"), [[1]])

    async def test_batch(self):
        client = await self.client()
        answer = await self.api(0, "raw-only").post(
            "/io/batch",
            {
                "operations": [
                    {"path": "/io/raw", "body": {"event": "batched", "data": 1}},
                    {"path": "/io/emit", "body": {"event": "create", "schema": ARTICLE, "data": {"id": 1}}},
                    {"path": "/io/raw", "body": {"event": "batched", "data": 2}},
                ]
            },
        )
        self.assertEqual([r["status"] for r in answer["results"]], [200, 403, 200])
        await self.barrier([client])
        self.assertEqual(client.named("batched"), [[1], [2]])

    async def test_command_line(self):
        client = await self.client(transports=["websocket"])
        environment = {
            "SOCKETIO_URL": self.cluster.nodes[0].publish_url,
            "SOCKETIO_TOKEN": self.cluster.tokens["backend"],
        }
        run = lambda *arguments: asyncio.to_thread(
            self.cluster.run, *arguments, environment=environment, check=False
        )
        result = await run("raw", "shouted", '{"n": 1}', "--room", client.id)
        self.assertEqual((result.returncode, json.loads(result.stdout)), (0, PUBLISHED), result.stderr)
        self.assertEqual(await client.event("shouted"), [{"n": 1}])
        entity = json.dumps(Entities.ENTITY)
        result = await run("emit", "create", entity, "--schema", ARTICLE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((await client.event("article:create"))[0]["title"], "Hello")
        result = await run("raw", "x", "--token", "wrong")
        self.assertEqual(result.returncode, 1)
        self.assertIn("Authorization: Bearer", result.stderr)


class Metrics(ClusterTestCase):
    """What Prometheus reads from the internal listener."""

    async def scrape(self, node, accept="text/plain"):
        async with aiohttp.ClientSession() as http:
            async with http.get(node.console_url + "/metrics", headers={"Accept": accept}) as response:
                self.assertEqual(response.status, 200)
                return await response.text()

    async def test_promtool_finds_nothing(self):
        await self.barrier(await self.clients_of_each_node())
        promtool = program("promtool", "prometheus")
        for node in self.cluster.nodes:
            text = await self.scrape(node)
            result = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))
            self.assertLess(len(text), 100_000)
            self.assertIn("\nredis_up 1\n", text)

    async def test_clients_are_counted(self):
        node = self.cluster.nodes[0]

        def admissions(text):
            lines = [line for line in text.splitlines() if line.startswith("socketio_gateway_admissions_total{")]
            return sum(int(line.rsplit(" ", 1)[1]) for line in lines)

        before = admissions(await self.scrape(node))
        await self.barrier([await self.client(node.url) for _ in range(3)])
        self.assertEqual(admissions(await self.scrape(node, "application/openmetrics-text")), before + 3)

    async def test_a_taken_port_names_the_key(self):
        ports = {"SOCKETIO_PUBLISH_PORT": "0", "SOCKETIO_CONSOLE_PORT": str(self.cluster.nodes[0].console_port)}
        result = self.cluster.run("serve", "--port", "0", environment=ports, check=False)
        self.assertEqual(result.returncode, 69)
        self.assertIn("The console can't listen", result.stderr)
        self.assertIn("console.port", result.stderr)


class Starting(ClusterTestCase):
    """What stops a start, and the words for it."""

    async def test_bad_configuration_lists_every_error(self):
        environment = {"SOCKETIO_LISTEN_PORT": "99999", "SOCKETIO_HEARTBEAT_INTERVAL": "25"}
        result = self.cluster.run("serve", "--set", "limits.mesageSize=1", environment=environment, check=False)
        self.assertEqual(result.returncode, 78)
        for text in ["listen.port", "'99999'", "heartbeat.interval", "25ms or 25s", "limits.messageSize"]:
            self.assertIn(text, result.stderr)

    async def test_unreachable_redis_names_url_reason_and_key(self):
        address = "redis://user:hunter2@127.0.0.1:1/3"
        result = self.cluster.run("serve", "--port", "0", "--redis", address, check=False)
        self.assertEqual(result.returncode, 69)
        self.assertIn("127.0.0.1:1", result.stderr)
        self.assertIn("adapter.redis.url", result.stderr)
        self.assertNotIn("hunter2", result.stderr + result.stdout)

    async def test_taken_port_names_the_key(self):
        port = str(self.cluster.nodes[0].port)
        result = self.cluster.run("serve", "--port", port, "--set", "publish.enabled=false", check=False)
        self.assertEqual(result.returncode, 69)
        self.assertIn("listen.port", result.stderr)


class Failures(ClusterTestCase):
    """Nodes and Redis go away. These restore what they break."""

    async def test_graceful_shutdown_tells_the_clients(self):
        node = self.cluster.nodes[2]
        client = await self.client(node.url)
        status = await asyncio.to_thread(node.process.end)
        try:
            self.assertEqual(status, 0, node.process.tail())
            await client.until(lambda: client.disconnects, "disconnect")
            # The others know at once that it has left.
            started = time.monotonic()
            await self.api(0).get("/io/rooms/lobby/sockets")
            self.assertLess(time.monotonic() - started, 3)
        finally:
            await asyncio.to_thread(self.cluster.start_node, node)

    async def test_killed_node(self):
        victim = self.cluster.nodes[2]
        direct = await self.client(victim.url)
        survivors = [await self.client(n.url) for n in self.cluster.nodes[:2]]
        through_balancer = [await self.client(transports=["websocket"], reconnection=True) for _ in range(6)]
        for client in survivors + through_balancer + [direct]:
            await client.call("join-room", "chat-killed")
        await asyncio.to_thread(self.cluster.kill_node, victim)
        try:
            await direct.until(lambda: direct.disconnects, "disconnect")
            # The others serve each other, at once.
            await self.api(0).post("/io/raw", {"event": "still-here", "rooms": ["chat-killed"]})
            for client in survivors:
                await client.event("still-here")
            # Questions to the cluster don't wait for the dead.
            for node in range(2):
                started = time.monotonic()
                sockets = (await self.api(node).get("/io/rooms/chat-killed/sockets"))["sockets"]
                self.assertLess(time.monotonic() - started, 4)
                self.assertNotIn(direct.id, [s["id"] for s in sockets])
                self.assertLessEqual({c.id for c in survivors}, {s["id"] for s in sockets})
                joined = await self.api(node).post(f"/io/sockets/{survivors[1].id}/join", {"room": "chat-after"})
                self.assertEqual(joined, PUBLISHED)
            # Its clients find another node.
            await eventually(lambda: self.all_connected(through_balancer), "reconnection through HAProxy")
            await self.barrier(through_balancer + survivors)
        finally:
            await asyncio.to_thread(self.cluster.start_node, victim)
        back = await self.client(victim.url)
        await self.barrier([back] + survivors)

    async def all_connected(self, clients):
        return all(c.sio.connected and c.id for c in clients)

    async def test_redis_stopped_for_five_seconds(self):
        clients = await self.clients_of_each_node(transports=["websocket"])
        balanced = [await self.client(transports=[t]) for t in ["polling", "websocket"] for _ in range(2)]
        await self.barrier(clients + balanced)
        await asyncio.to_thread(self.cluster.stop_redis)
        try:
            stopped = time.monotonic()
            number = 0
            while time.monotonic() - stopped < 5:
                # Local delivery goes on, and so do acknowledgements.
                number += 1
                for index, client in enumerate(clients):
                    answer = await self.api(index).post("/io/raw", {"event": f"local-{number}", "data": index})
                    self.assertEqual(answer["delivery"], "queued")
                    await client.until(lambda: [index] in client.named(f"local-{number}"), "local delivery", 3)
                    self.assertEqual((await client.call("join-room", "lobby"))["success"], True)
                await asyncio.sleep(0.2)
        finally:
            await asyncio.to_thread(self.cluster.start_redis)

        async def cluster_works():
            for node in range(3):
                name = f"again-{time.monotonic_ns()}"
                await self.api(node).post("/io/raw", {"event": name})
                for client in clients + balanced:
                    await client.event(name, timeout=1)
            return True

        await eventually(cluster_works, "the subscriptions' return", timeout=20)
        self.assertEqual([c.disconnects for c in clients + balanced], [[]] * 7)
        sockets = (await self.api(1).get("/io/rooms/lobby/sockets"))["sockets"]
        self.assertLessEqual({c.id for c in clients}, {s["id"] for s in sockets})
        for node in self.cluster.nodes:
            self.assertTrue(self.cluster.answers(node.url + "/readyz"))


if __name__ == "__main__":
    unittest.main()
