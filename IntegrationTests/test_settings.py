"""Settings that change while three nodes with a Redis run. Started by run.py."""

import asyncio
import json
import signal
import urllib.request

import aiohttp

from cluster import Cluster
from support import TIMEOUT, Client, ClusterTestCase, eventually

ARTICLE = "api::article.article"
DOCUMENT = "socket.io-gateway:{settings}:document"
HISTORY = "socket.io-gateway:{settings}:history"


class Settings(ClusterTestCase):
    """A cluster of its own."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(settings={"SOCKETIO_GATEWAY_CLUSTER_TIMEOUT": "5s"})
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.stop)

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.cluster.redis_command("DEL", DOCUMENT, HISTORY)
        status, answer, _ = await self.send("POST", "/io/reload", {})
        self.assertEqual(status, 200, answer)

    async def send(self, method, path, body=None, match=None, node=0, token="backend"):
        headers = {"Authorization": f"Bearer {self.cluster.tokens.get(token, token)}"}
        if match:
            headers["If-Match"] = match
        async with self.http.request(
            method,
            self.cluster.nodes[node].publish_url + path,
            json=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=3 * TIMEOUT),
        ) as response:
            return response.status, await response.json(), response.headers.get("ETag")

    async def put(self, settings, match="*", node=0):
        status, answer, tag = await self.send("PUT", "/io/settings", settings, match, node)
        self.assertEqual(status, 200, answer)
        return answer, tag

    async def hears(self, node):
        """Whether a visitor of a node hears of articles."""
        async with Client(self.cluster.nodes[node].url, transports=["websocket"]) as visitor:
            await self.api(node).post("/io/emit", {"event": "update", "schema": ARTICLE, "data": {"id": 1}})
            await self.api(node).post("/io/raw", {"event": "end", "rooms": [visitor.id], "data": 1})
            await visitor.event("end")
            return bool(visitor.named("article:update"))

    async def test_a_change_is_in_force_on_all_nodes(self):
        visitors = [
            await self.client(url=node.url, transports=["websocket"]) for node in self.cluster.nodes
        ]
        for visitor in visitors:
            self.assertTrue((await visitor.call("join-room", "lobby"))["success"])
        settings = {
            "gateway": {"roles": {"public": {"scopes": [], "joinPolicy": []}}},
            "logging": {"level": "debug"},
            "heartbeat": {"interval": "20s"},
        }
        answer, tag = await self.put(settings, match='"0-0"')
        self.assertEqual(answer["version"], 1)
        self.assertIn("gateway.roles.public.scopes", answer["changed"])
        self.assertEqual(answer["restart"], ["heartbeat.interval"])
        self.assertEqual([node["inForce"] for node in answer["nodes"]], [True] * 3, answer)
        self.assertEqual(len({node["digest"] for node in answer["nodes"]}), 1)
        for visitor in visitors:
            (told,) = await visitor.event("io:permissions")
            self.assertEqual(told["removed"], [f"{ARTICLE}.*"])
            self.assertEqual(told["rooms"], {"left": ["lobby"], "joined": []})
        for node in range(3):
            self.assertFalse(await self.hears(node))
        status, answer, same = await self.send("GET", "/io/settings", node=2)
        self.assertEqual((status, same), (200, tag))
        self.assertEqual((answer["settings"], answer["by"], answer["inForce"]), (settings, "backend", 1))

    async def test_only_what_was_seen_is_replaced_and_there_is_a_way_back(self):
        status, answer, _ = await self.send("PUT", "/io/settings", {})
        self.assertEqual((status, answer["error"]["code"]), (428, "precondition_required"))
        _, first = await self.put({"gateway": {"roles": {"public": {"scopes": []}}}})
        _, second = await self.put({"logging": {"level": "info"}}, match=first, node=1)
        status, answer, current = await self.send("PUT", "/io/settings", {}, first)
        self.assertEqual((status, answer["error"]["code"], current), (412, "conflict", second))
        self.assertTrue(await self.hears(2))
        status, answer, _ = await self.send("POST", "/io/settings/rollback", {}, node=2)
        self.assertEqual((status, answer["version"]), (200, 3), answer)
        self.assertFalse(await self.hears(0))
        _, history, _ = await self.send("GET", "/io/settings/history")
        self.assertEqual([entry["version"] for entry in history["versions"]], [3, 2, 1])
        self.assertEqual(history["versions"][0]["note"], "back to version 1")
        status, _, _ = await self.send("POST", "/io/settings/rollback", {"version": 77})
        self.assertEqual(status, 404)

    async def test_wrong_settings_change_nothing(self):
        for settings, problem in [
            ({"gateway": {"roles": {"public": {"scopes": ["nonsense"]}}, "x": 1}}, "gateway.x"),
            ({"adapter": {"type": "memory"}}, "belongs to the file"),
            ({"gateway": {"authentication": {"jwt": {"secret": "s" * 40}}}}, "is a secret"),
            ({"gateway": {"events": {"payloadFormat": "loud"}}}, "one of flat"),
        ]:
            status, answer, _ = await self.send("PUT", "/io/settings", settings, "*")
            self.assertEqual((status, answer.get("error", {}).get("code")), (422, "invalid_settings"), answer)
            self.assertIn(problem, answer["error"]["message"])
            self.assertNotIn("s" * 40, answer["error"]["message"])
        _, answer, _ = await self.send("GET", "/io/settings")
        self.assertIsNone(answer["version"])
        for token, expected in [("raw-only", 403), ("nonsense", 401)]:
            self.assertEqual((await self.send("GET", "/io/settings", token=token))[0], expected)

    async def test_what_is_written_by_hand_locks_nobody_out(self):
        await self.put({"gateway": {"roles": {"public": {"scopes": []}}}})
        for command in [
            ("HSET", DOCUMENT, "settings", "no JSON"),
            ("HSET", DOCUMENT, "settings", json.dumps({"gateway": {"roles": {"public": {"canConnect": "no"}}}})),
            ("SET", DOCUMENT, "x"),
        ]:
            self.cluster.redis_command(*command)

            async def is_told():
                _, answer, _ = await self.send("GET", "/io/settings", node=1)
                assert answer.get("error"), answer
                return answer

            answer = await eventually(is_told, "the error is told")
            self.assertEqual(answer["inForce"], 1)
            self.assertFalse(await self.hears(1))
        # A node that starts now goes by the last version that is right.
        node = self.cluster.nodes[2]
        node.process.end()
        self.cluster.start_node(node)
        self.assertFalse(await self.hears(2))
        status, answer, _ = await self.send("POST", "/io/settings/rollback", {"version": 1}, node=2)
        self.assertEqual(status, 200, answer)
        self.assertNotIn("error", (await self.send("GET", "/io/settings"))[1])
        # What is right is in force soon, although nobody has told the nodes.
        self.cluster.redis_command("HSET", DOCUMENT, "settings", "{}")

        async def is_in_force():
            return all([await self.hears(node) for node in range(3)])

        await eventually(is_in_force, "the document that was written by hand is in force")

    async def test_sighup_reads_the_file_again(self):
        node = self.cluster.nodes[0]
        config = self.cluster.directory / "node-of-its-own.yaml"
        text = open("config/cluster.yaml").read()
        config.write_text(text)
        node.process.end()
        environment = self.cluster.node_environment
        try:
            self.cluster.node_environment = lambda n: {**environment(n), "SOCKETIO_CONFIG": str(config)}
            self.cluster.start_node(node)
        finally:
            self.cluster.node_environment = environment
        visitor = await self.client(url=node.url, transports=["websocket"])
        config.write_text(text.replace('scopes: ["api::article.article.*"]\n      joinPolicy', "scopes: []\n      joinPolicy"))
        node.process.process.send_signal(signal.SIGHUP)
        (told,) = await visitor.event("io:permissions")
        self.assertEqual(told["removed"], [f"{ARTICLE}.*"])
        self.assertTrue(node.process.is_running)
        # A file that is wrong changes nothing, and the node goes on.
        config.write_text("nonsense: 1\n")
        status, answer, _ = await self.send("POST", "/io/reload", {"onlyHere": True})
        self.assertEqual(status, 422, answer)
        self.assertFalse(await self.hears(0))
        # The digests differ, and metrics say so.
        with urllib.request.urlopen(self.cluster.nodes[1].console_url + "/metrics") as response:
            metrics = response.read().decode()
        self.assertIn('socketio_cluster_nodes{configuration="different"} 1', metrics)
        self.assertIn('socketio_config_info{digest="', metrics)
        config.write_text(text)
        status, answer, _ = await self.send("POST", "/io/reload", {})
        self.assertEqual([n["inForce"] for n in answer["nodes"]], [True] * 3, answer)
        self.assertEqual(len({n["digest"] for n in answer["nodes"]}), 1)

    async def test_a_field_that_is_private_on_one_node_is_private_on_all(self):
        node = self.cluster.nodes[0]
        node.process.end()
        environment = self.cluster.node_environment
        try:
            self.cluster.node_environment = lambda n: {
                **environment(n),
                "SOCKETIO_GATEWAY_EVENTS_SENSITIVE_FIELDS": "views",
            }
            self.cluster.start_node(node)
        finally:
            self.cluster.node_environment = environment
        visitor = await self.client(url=self.cluster.nodes[1].url, transports=["websocket"])

        async def shown():
            visitor.events.clear()
            await self.api(1).post("/io/emit", {"event": "update", "schema": ARTICLE, "data": {"id": 1, "views": 7}})
            (entry,) = await visitor.event("article:update")
            return entry.get("views")

        async def is_hidden():
            return await shown() is None

        await eventually(is_hidden, "the field is hidden on the other nodes")
        node.process.end()
        self.cluster.start_node(node)

        async def is_shown():
            return await shown() == 7

        await eventually(is_shown, "the field is shown again when the node is gone")
