"""Custom events: webhooks, relays, and what nobody handles, with three nodes and Redis. Started by run.py.

The webhook is a server of this test. It checks every signature with Python's own HMAC, and behaves badly on demand.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
import unittest

import aiohttp
from aiohttp import web

from cluster import Cluster, sign_jwt
from support import ClusterTestCase, eventually

UNUSABLE = {"success": False, "error": "Internal error: the application's answer cannot be used"}


def refused(error):
    return {"success": False, "error": error}


class Backend:
    """A program of an application that nodes tell of events."""

    def __init__(self):
        self.keys = [secrets.token_bytes(32), secrets.token_bytes(32)]
        self.requests = []
        self.problems = []
        # Names of events that it treats badly.
        self.attempts = {}
        self.runner = None
        self.port = None
        self.released = asyncio.Event()

    def secret(self, index):
        return "whsec_" + base64.b64encode(self.keys[index]).decode()

    async def start(self):
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/hooks", self.single)
        app.router.add_post("/batch", self.batch)
        app.router.add_route("*", "/{rest:.*}", self.stray)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self):
        self.released.set()
        await self.runner.cleanup()

    async def stray(self, request):
        self.problems.append(f"a request to {request.path}")
        return web.Response(status=404)

    async def read(self, request):
        """The body, if its signatures are good: one for the key in use and one for the former key."""
        body = await request.read()
        head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
        wanted = [
            "v1," + base64.b64encode(hmac.new(key, head + body, hashlib.sha256).digest()).decode() for key in self.keys
        ]
        if request.headers["webhook-signature"].split(" ") != wanted:
            self.problems.append("a wrong signature")
        if abs(time.time() - int(request.headers["webhook-timestamp"])) > 60:
            self.problems.append("a wrong time")
        event = json.loads(body)
        self.requests.append((request.headers["webhook-id"], event))
        return event

    def told(self, type):
        return [event for _, event in self.requests if event["type"] == type]

    async def single(self, request):
        event = await self.read(request)
        kind, data = event["type"], event["data"]
        self.attempts[kind] = self.attempts.get(kind, 0) + 1
        if kind == "connection":
            if data["socket"].get("userId") == 13:
                return web.json_response({"refuse": {"message": "Unlucky", "data": {"code": 13}}})
            return web.json_response({"data": {"plan": "pro"}, "emit": {"event": "welcome", "data": data["socket"]["id"]}})
        if kind == "disconnect":
            return web.json_response({"emit": {"event": "gone", "data": data["socket"]["id"], "rooms": ["watchers"]}})
        if kind == "order":
            return web.json_response(
                {
                    "ack": {"success": True, "item": data["args"][0]["item"]},
                    "join": "orders",
                    "emit": [{"event": "order:created", "data": data["args"][0], "everybody": True}],
                }
            )
        if kind == "flaky" and self.attempts[kind] < 3:
            return web.Response(status=503)
        if kind == "hang":
            await self.released.wait()
        if kind == "metadata":
            raise web.HTTPTemporaryRedirect("http://169.254.169.254/latest/meta-data/iam/security-credentials/")
        if kind == "redirect":
            raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{self.port}/elsewhere")
        if kind == "long":
            return web.json_response("x" * 10_000_000)
        if kind == "lie":
            return web.Response(text='{"ack": ', content_type="application/json")
        if kind == "elevate":
            return web.json_response({"data": {"kind": "operator", "role": "admin"}, "join": "io-role-admin"})
        return web.json_response({"kind": kind})

    async def batch(self, request):
        event = await self.read(request)
        answers = {one["id"]: {"echo": one["event"]["data"]["args"][0]} for one in event["data"]}
        return web.json_response({"answers": answers})


class CustomEvents(ClusterTestCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.backend = Backend()
        await self.backend.start()
        self.addAsyncCleanup(self.backend.stop)
        url = f"http://127.0.0.1:{self.backend.port}"
        hook = {"secret": self.backend.secret(0), "previousSecret": self.backend.secret(1), "retryDelay": "10ms"}
        webhooks = {
            "backend": {**hook, "url": f"{url}/hooks", "timeout": "1s", "answerTimeout": "2s", "failuresBeforeRest": 1000},
            "many": {**hook, "url": f"{url}/batch", "batch": 100},
            "metadata": {**hook, "url": "http://169.254.169.254/latest/meta-data/", "failuresBeforeRest": 1000},
        }
        told = ["connection", "disconnect", "order", "flaky", "hang", "metadata", "redirect", "long", "lie", "elevate"]
        events = [{"name": name, "handle": "webhook", "webhook": "backend"} for name in told]
        events += [
            {"name": "count", "handle": "webhook", "webhook": "many", "rate": 1000},
            {"name": "inside", "handle": "webhook", "webhook": "metadata"},
            {"name": "chat", "handle": "relay", "relay": {"fields": ["text"]}, "rate": 5, "maximumBytes": 200},
            {"name": "noise", "handle": "ignore"},
        ]
        self.own = Cluster(
            settings={
                "SOCKETIO_GATEWAY_WEBHOOKS": json.dumps(webhooks),
                "SOCKETIO_GATEWAY_CUSTOM_EVENTS": json.dumps(events),
                "SOCKETIO_OUTGOING_ALLOW": "127.0.0.1",
            },
        )
        await asyncio.to_thread(self.own.start)
        self.addAsyncCleanup(asyncio.to_thread, self.own.stop)

    def auth(self, user):
        claims = {"id": user, "username": f"user-{user}", "role": "reader", "exp": int(time.time()) + 600}
        return {"token": sign_jwt(claims, self.own.jwt_secret)}

    async def of(self, node, user=None):
        auth = self.auth(user) if user is not None else None
        return await self.client(self.own.nodes[node].url, auth=auth, transports=["websocket"])

    async def test_custom_events(self):
        first, second = await self.of(0, 1), await self.of(1, 2)
        self.assertEqual(await first.event("welcome"), [first.id])
        self.assertEqual(await self.refusal(self.auth(13), self.own.nodes[0].url), {"message": "Unlucky", "data": {"code": 13}})

        # Webhooks answer, and act in the whole cluster.
        answer = await first.call("order", {"item": "tea"})
        self.assertEqual(answer, {"success": True, "item": "tea"})
        self.assertEqual(await second.event("order:created"), [{"item": "tea"}])
        self.assertIn("orders", (await first.call("get-rooms"))["rooms"])
        told = self.backend.told("order")[0]["data"]
        self.assertEqual((told["socket"]["id"], told["socket"]["userId"]), (first.id, 1))
        self.assertEqual(await first.call("flaky"), {"kind": "flaky"})
        ids = {id for id, event in self.backend.requests if event["type"] == "flaky"}
        self.assertEqual((len(ids), self.backend.attempts["flaky"]), (1, 3))

        # Webhooks that behave badly.
        # The events of a client stay in their order, so it is another one that waits.
        hanging = asyncio.ensure_future(second.call("hang"))
        for kind in ["metadata", "redirect", "long", "lie", "elevate"]:
            self.assertEqual(await first.call(kind), UNUSABLE, kind)
            self.assertEqual(self.backend.attempts[kind], 1, kind)
        # The node does not go where clouds give out credentials.
        self.assertEqual(await first.call("inside"), UNUSABLE)
        self.assertEqual(await hanging, refused("The application has not answered in time"))
        rooms = (await first.call("get-rooms"))["rooms"]
        self.assertIn("io-role-reader", rooms)
        self.assertNotIn("io-role-admin", rooms)

        # What nobody handles.
        self.assertEqual(await first.call("anything", 1), refused("Unknown event"))
        self.assertEqual(await first.call("noise", 1), {"success": True})

        # Events of one turn travel together.
        answers = await asyncio.gather(*[first.call("count", number) for number in range(60)])
        self.assertEqual(answers, [{"echo": number} for number in range(60)])

        # Clients talk without a back end, in the whole cluster.
        for client in [first, second]:
            self.assertEqual((await client.call("join-room", "chat-tea"))["success"], True)
        self.assertEqual(await first.call("chat", {"room": "chat-tea", "text": "Hello"}), {"success": True})
        [message] = await second.event("chat")
        self.assertEqual(message["from"], {"id": first.id, "userId": 1, "username": "user-1"})
        self.assertEqual((message["room"], message["text"]), ("chat-tea", "Hello"))
        self.assertEqual(first.named("chat"), [])
        for payload, error in [
            ({"room": "chat-other", "text": "x"}, "Not a member of the room"),
            ({"room": "io-role-public", "text": "x"}, "Room name is reserved"),
            ({"room": "chat-tea", "html": "x"}, "Field not allowed: html"),
            ({"room": "chat-tea", "text": "x" * 300}, "Event is too long"),
        ]:
            self.assertEqual(await first.call("chat", payload), refused(error))
        answers = [await first.call("chat", {"room": "chat-tea", "text": "x"}) for _ in range(12)]
        self.assertIn("Rate limit exceeded", [answer.get("error") for answer in answers])

        # A client that leaves, and a node that ends.
        await self.api_of_own("/io/sockets/%s/join" % second.id, {"room": "watchers"})
        gone = first.id
        await first.close()
        self.assertEqual(await second.event("gone"), [gone])
        last = await self.of(0, 3)
        leaving = last.id
        await asyncio.to_thread(self.own.nodes[0].process.end)

        async def told_of_the_end():
            ids = [event["data"]["socket"]["id"] for event in self.backend.told("disconnect")]
            return leaving in ids

        await eventually(told_of_the_end, "the node told of its last client")
        self.assertEqual(self.backend.problems, [])

    async def api_of_own(self, path, body):
        headers = {"authorization": f"Bearer {self.own.tokens['backend']}"}
        async with self.http.post(self.own.nodes[0].publish_url + path, json=body, headers=headers) as response:
            self.assertIn(response.status, (200, 202), await response.text())


if __name__ == "__main__":
    unittest.main()
