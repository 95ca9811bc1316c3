"""Tokens that end, are renewed and are revoked, on several nodes with a real Redis."""

import asyncio
import http.server
import json
import threading
import time

from cluster import Cluster, sign_jwt
from support import Client, ClusterTestCase, eventually


class Directory(http.server.BaseHTTPRequestHandler):
    """A directory of users: user 666 is blocked, user 404 unknown, and user 9 has another role than the token says."""

    asked = []

    def do_POST(self):
        user = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["userId"]
        Directory.asked.append(user)
        answer = {666: {"blocked": True}, 9: {"role": "public"}}.get(user, {})
        body = json.dumps(answer).encode()
        self.send_response(404 if user == 404 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class TokenTestCase(ClusterTestCase):
    def token(self, number=1, **claims):
        claims = {"id": number, "username": "rita", "role": "reader", "iat": int(time.time()) - 60, **claims}
        return {"token": sign_jwt(claims, self.cluster.jwt_secret)}

    async def cut(self, client, reason="Token revoked"):
        started = time.monotonic()
        self.assertEqual(await client.event("io:disconnect"), [{"reason": reason}])
        return time.monotonic() - started


class Lives(TokenTestCase):
    async def test_a_client_is_told_and_renews_its_token(self):
        end = time.time() + 4
        client = await self.client(self.cluster.nodes[0].url, auth=self.token(exp=end, iat=time.time()))
        (expiring,) = await client.event("auth:expiring")
        self.assertLess(expiring["in"], 2000)
        answer = await client.call("auth:refresh", self.token(exp=int(time.time()) + 600, iat=int(time.time())))
        self.assertTrue(answer["success"], answer)
        self.assertGreater(answer["expiresAt"], (time.time() + 500) * 1000)
        foreign = await client.call("auth:refresh", self.token(2))
        self.assertEqual(foreign, {"success": False, "error": "Token belongs to another user"})
        await asyncio.sleep(max(0, end - time.time()) + 0.5)
        self.assertTrue((await client.call("get-rooms"))["success"])
        self.assertEqual(client.named("io:disconnect"), [])

    async def test_a_client_that_does_not_is_disconnected(self):
        client = await self.client(self.cluster.nodes[1].url, auth=self.token(exp=time.time() + 2))
        self.assertEqual(await client.event("io:disconnect"), [{"reason": "Token expired"}])


class Revocations(TokenTestCase):
    async def test_every_node_cuts_within_a_second_and_lets_nobody_in(self):
        auth = self.token(71)
        clients = await self.clients_of_each_node(auth=auth)
        others = await self.clients_of_each_node(auth=self.token(72))
        started = time.monotonic()
        answer = await self.api(0).post("/io/tokens/revoke", {"userId": 71})
        self.assertTrue(answer["success"])
        await asyncio.gather(*(self.cut(client) for client in clients))
        self.assertLess(time.monotonic() - started, 1)
        for node in self.cluster.nodes:
            refusal = await self.refusal(auth, node.url)
            self.assertEqual(refusal["message"], "Token revoked")
        for other in others:
            self.assertTrue((await other.call("get-rooms"))["success"])
        # A token of the next second is a new one.
        await self.client(self.cluster.nodes[2].url, auth=self.token(71, iat=int(time.time()) + 2))

    async def test_one_token_and_the_scope_that_it_takes(self):
        one, two = self.token(73, jti="one-73"), self.token(73, jti="two-73")
        first = await self.client(self.cluster.nodes[1].url, auth=one)
        second = await self.client(self.cluster.nodes[1].url, auth=two)
        status, answer = await self.api(0, "raw-only").request("POST", "/io/tokens/revoke", {"jti": "one-73"})
        self.assertEqual((status, answer["error"]["code"]), (403, "forbidden"))
        await self.api(0).post("/io/tokens/revoke", {"jti": "one-73"})
        await self.cut(first)
        self.assertTrue((await second.call("get-rooms"))["success"])

    async def test_bodies_that_say_nothing_are_refused(self):
        for body in [
            {}, {"jti": ""}, {"jti": 5}, {"userId": None}, {"userId": 1, "jti": "a"}, {"jti": "a", "issuedBefore": 5},
            {"apiToken": "nobody"}, {"issuedBefore": "yesterday"}, {"issuedBefore": -1}, {"user": 7},
            {"userId": 7, "expiresAt": 5},
        ]:
            status, answer = await self.api(0).request("POST", "/io/tokens/revoke", body)
            self.assertEqual((status, answer["error"]["code"]), (400, "invalid_request"), body)


class Outages(TokenTestCase):
    """A cluster of its own, whose Redis and nodes come and go."""

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.directory = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Directory)
        threading.Thread(target=self.directory.serve_forever, daemon=True).start()
        self.addCleanup(self.directory.server_close)
        self.addCleanup(self.directory.shutdown)
        Directory.asked = []
        settings = {
            "SOCKETIO_GATEWAY_AUTHENTICATION_REVOCATION_STALE_AFTER": "2s",
            "SOCKETIO_GATEWAY_AUTHENTICATION_LOOKUP_URL": f"http://127.0.0.1:{self.directory.server_port}/users",
            "SOCKETIO_OUTGOING_ALLOW": "127.0.0.1",
        }
        self.cluster = await asyncio.to_thread(lambda: Cluster(settings=settings).__enter__())
        self.addAsyncCleanup(asyncio.to_thread, self.cluster.stop)

    async def login(self, auth, node=0):
        client = Client(self.cluster.nodes[node].url, auth=auth, transports=["websocket"])
        try:
            await client.connect()
            return "in"
        except Exception:
            return client.refusals[0][1]["message"] if client.refusals else "nothing"
        finally:
            await client.close()

    async def test_nodes_that_start_later_know_and_nodes_out_of_touch_refuse(self):
        auth = self.token(5)
        await self.api(0).post("/io/tokens/revoke", {"userId": 5})
        await asyncio.to_thread(self.cluster.kill_node, self.cluster.nodes[1])
        await asyncio.to_thread(self.cluster.start_node, self.cluster.nodes[1])

        async def refused():
            return await self.login(auth, 1) == "Token revoked"

        await eventually(refused, "a node that was started later has heard of a revocation")
        await asyncio.to_thread(self.cluster.stop_redis)

        async def closed():
            return await self.login(self.token(6)) == "Tokens cannot be checked now. Try again later."

        await eventually(closed, "a node without Redis has stopped to let clients in with tokens")
        self.assertEqual(await self.login({}), "in")
        status, answer = await self.api(0).request("POST", "/io/tokens/revoke", {"userId": 8})
        self.assertEqual((status, answer["error"]["code"]), (503, "cluster_unreachable"))
        await asyncio.to_thread(self.cluster.start_redis)

        async def opened():
            return await self.login(self.token(6)) == "in"

        await eventually(opened, "a node that has Redis again lets clients in with tokens")
        # The Redis is an empty one: the nodes still know, and tell it.
        for user in [5, 8]:
            self.assertEqual(await self.login(self.token(user)), "Token revoked")

        async def shared():
            return await self.login(self.token(8), 1) == "Token revoked"

        await eventually(shared, "the other node has heard what Redis did not take")

    async def test_the_directory_of_users_decides(self):
        self.assertEqual(await self.login(self.token(1)), "in")
        self.assertEqual(await self.login(self.token(1)), "in")
        self.assertEqual(Directory.asked, [1])
        for user in [666, 404]:
            self.assertEqual(await self.login(self.token(user)), "Invalid credentials")
        client = await self.client(self.cluster.nodes[0].url, auth=self.token(9))
        sockets = (await self.api(0).get(f"/io/rooms/{client.id}/sockets"))["sockets"]
        self.assertEqual(sockets[0]["role"], "public")
