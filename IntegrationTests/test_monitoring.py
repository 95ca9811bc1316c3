"""What operators see of a cluster: the monitoring API of three nodes with a Redis. Started by run.py."""

import asyncio
import contextlib
import csv
import io
import json
import signal

import aiohttp

from cluster import Cluster
from support import TIMEOUT, Client, ClusterTestCase


class Console:
    """The console of a node."""

    def __init__(self, http, node, token):
        self.http = http
        self.base = node.console_url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.timeout = aiohttp.ClientTimeout(total=2 * TIMEOUT)

    async def request(self, method, path, body=None):
        async with self.http.request(
            method, self.base + path, json=body, headers=self.headers, timeout=self.timeout
        ) as response:
            return response.status, await response.text(), response.headers

    async def get(self, path):
        status, text, _ = await self.request("GET", path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    async def post(self, path, body=None):
        status, text, _ = await self.request("POST", path, body)
        assert status == 200, (path, status, text)
        return json.loads(text)

    @contextlib.asynccontextmanager
    async def events(self, last=None):
        """Server-Sent Events, as (id, kind, data)."""
        headers = {**self.headers, "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        async with self.http.get(self.base + "/io/event-log", headers=headers) as response:
            assert response.status == 200, response.status
            assert response.headers["Content-Type"].startswith("text/event-stream")

            async def read():
                fields = {}
                async for line in response.content:
                    line = line.decode().rstrip("\n")
                    if line:
                        name, _, value = line.partition(":")
                        fields[name] = value.removeprefix(" ")
                    elif "data" in fields or "retry" in fields:
                        yield fields.get("id"), fields.get("event", "message"), json.loads(fields.get("data", "null"))
                        fields = {}

            yield read()


class Monitoring(ClusterTestCase):
    """A cluster of its own, whose events are logged."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(
            settings={
                "SOCKETIO_GATEWAY_MONITORING_ENABLE_EVENT_LOGGING": "true",
                "SOCKETIO_GATEWAY_MONITORING_MAX_EVENT_LOG_SIZE": "50",
                "SOCKETIO_GATEWAY_CLUSTER_TIMEOUT": "1s",
            }
        )
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.stop)

    def console(self, node=0, token="backend"):
        return Console(self.http, self.cluster.nodes[node], self.cluster.tokens.get(token, token))

    async def names(self):
        nodes = await self.console().get("/io/nodes")
        return [node["node"] for node in nodes["data"]]

    async def until_complete(self, node):
        """Returns when every node answers again."""
        for _ in range(100):
            answer = await self.console(node).get("/io/nodes")
            if answer["complete"] and len(answer["data"]) == 3:
                return
            await asyncio.sleep(0.1)
        self.fail(f"not every node answers: {answer}")

    async def test_everything_but_metrics_and_health_needs_a_token(self):
        for path in ["/io/nodes", "/io/sockets", "/io/event-log", "/io/audit", "/io/export/connections.csv"]:
            for token, expected in [(None, 401), ("nonsense", 401), ("raw-only", 403), ("expired", 401), ("revoked", 401)]:
                status, _, _ = await self.console(token=token).request("GET", path)
                self.assertEqual(status, expected, (path, token))
        for path in ["/metrics", "/healthz", "/readyz"]:
            status, _, _ = await self.console(token=None).request("GET", path)
            self.assertEqual(status, 200)

    async def test_metrics_have_what_takes_time(self):
        client = await self.client(self.cluster.nodes[0].url)
        await client.call("get-rooms")
        wanted = [
            'socketio_handshake_seconds_count{result="connected"}', "socketio_event_loop_lag_seconds_count",
            "redis_loopback_seconds_count", "socketio_connections_opened_total",
            'socketio_handler_seconds_count{namespace="/"}',
        ]
        for _ in range(50):
            _, text, _ = await self.console(0, token=None).request("GET", "/metrics")
            values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
            found = [name for name in wanted if any(n.startswith(name) and float(v) > 0 for n, v in values.items())]
            if found == wanted:
                break
            await asyncio.sleep(0.1)
        self.assertEqual(found, wanted)

    async def test_every_node_answers(self):
        for node in range(3):
            answer = await self.console(node).get("/io/nodes")
            self.assertEqual((answer["complete"], answer["missing"]), (True, []))
            self.assertEqual(len({n["node"] for n in answer["data"]}), 3)
            for figures in answer["data"]:
                self.assertGreater(figures["details"]["residentBytes"], 1_000_000)
                self.assertIn("version", figures["details"])

    async def test_sockets_come_in_pages_from_all_nodes(self):
        clients = [await self.client(self.cluster.nodes[i % 3].url) for i in range(7)]
        found, cursor = [], ""
        for _ in range(20):
            page = await self.console(1).get(f"/io/sockets?limit=2{cursor}")
            self.assertLessEqual(len(page["data"]), 2)
            found += [socket["id"] for socket in page["data"]]
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        self.assertEqual(found, sorted(client.id for client in clients))
        stats = await self.console(2).get("/io/stats")
        self.assertEqual(stats["data"]["connections"]["connected"], 7)
        rooms = {room["name"]: room["members"] for room in stats["data"]["connections"]["rooms"]}
        self.assertEqual(rooms["io-role-public"], 7)
        named = (await self.console(2).get("/io/rooms?prefix=io-role-"))["data"]
        self.assertEqual([(room["name"], room["members"]) for room in named], [("io-role-public", 7)])

    async def test_a_file_of_connections(self):
        client = await self.client(self.cluster.nodes[1].url + "?token=SECRET")
        status, text, headers = await self.console(0).request("GET", "/io/export/connections.csv")
        self.assertEqual((status, headers["X-Complete"]), (200, "true"))
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertIn(client.id, [row["id"] for row in rows])
        everything = await self.console(0).get("/io/export/connections.json")
        self.assertNotIn("SECRET", json.dumps(everything) + text)

    async def test_a_frozen_node_is_named(self):
        names = await self.names()
        node = self.cluster.nodes[2]
        # In the first second of a cluster the nodes have not told each other their names yet, and a frozen one tells nothing:
        # it is let go on then.
        for _ in range(5):
            node.process.process.send_signal(signal.SIGSTOP)
            answer = await self.console(0).get("/io/nodes")
            present = [n["node"] for n in answer["data"]]
            if sorted(present + answer["missing"]) == sorted(names):
                break
            node.process.process.send_signal(signal.SIGCONT)
            await self.until_complete(0)
        try:
            self.assertFalse(answer["complete"])
            self.assertEqual(len(answer["missing"]), 1)
            self.assertEqual(sorted(present + answer["missing"]), sorted(names))
            reset = await self.console(0).post("/io/reset-stats")
            self.assertFalse(reset["data"]["success"])
        finally:
            node.process.process.send_signal(signal.SIGCONT)
        await self.until_complete(0)

    async def test_a_test_event_reaches_everybody(self):
        clients = await self.clients_of_each_node()
        answer = await self.console(1).post("/io/test-event", {"eventName": "hello", "data": {"x": 1}})
        self.assertEqual(answer["data"]["recipients"], 3)
        for client in clients:
            data = (await client.event("test:hello"))[0]
            self.assertEqual((data["x"], data["test"]), (1, True))

    async def test_the_log_is_heard_on_every_node_and_goes_on_on_another(self):
        async with self.console(0).events() as events:
            self.assertIsNone((await anext(events))[2])
            # Who has the head of the answer hears what happens from then on.
            await self.client(self.cluster.nodes[1].url)
            last, kind, entry = await asyncio.wait_for(anext(events), TIMEOUT)
            self.assertEqual((kind, entry["type"]), ("message", "connection"))
            self.assertEqual(entry["id"], last)
        # Another node knows what this reader has read.
        await self.api(2).post("/io/raw", {"event": "while away"})
        async with self.console(2).events(last) as events:
            found = []
            async for _, kind, entry in events:
                if entry:
                    found.append(entry)
                    self.assertNotEqual(entry["id"], last)
                    if entry["type"] == "publish" and entry["data"]["event"] == "while away":
                        break
        ids = [entry["id"] for entry in found]
        self.assertEqual(len(ids), len(set(ids)))

    async def test_who_was_away_too_long_is_told(self):
        async with self.console(0).events("1-0") as events:
            # More than the log keeps.
            for number in range(60):
                await self.api(1).post("/io/raw", {"event": f"event {number}"})
            kinds = []
            async for _, kind, entry in events:
                kinds.append(kind)
                if entry and entry.get("data", {}).get("event") == "event 59":
                    break
        self.assertIn("gap", kinds)
        entries = (await self.console(2).get("/io/event-log?limit=100"))["data"]
        self.assertEqual(len(entries), 50)

    async def test_who_has_done_what_is_kept_for_all(self):
        socket = (await self.client(self.cluster.nodes[0].url)).id
        await self.api(1).post(f"/io/sockets/{socket}/disconnect", {"reason": "test"})
        for _ in range(100):
            entries = (await self.console(2).get("/io/audit"))["data"]
            found = [entry for entry in entries if entry["target"] == socket]
            if found:
                break
            await asyncio.sleep(0.05)
        self.assertEqual(found[0]["action"], "POST /io/sockets/:/disconnect")
        self.assertEqual((found[0]["actor"], found[0]["result"]), ("backend", "done"))

    async def test_a_log_without_redis_is_an_error_and_nothing_else_stops(self):
        self.cluster.stop_redis()
        try:
            status, text, _ = await self.console(0).request("GET", "/io/event-log")
            self.assertEqual(status, 503, text)
            self.assertEqual(json.loads(text)["error"]["code"], "cluster_unreachable")
            answer = await self.console(0).get("/io/nodes")
            self.assertFalse(answer["complete"])
            self.assertEqual(len(answer["data"]), 1)
            async with Client(self.cluster.nodes[0].url) as client:
                self.assertTrue(client.id)
            # Who has done it is kept, and written when Redis is back.
            await self.console(1).request("POST", "/io/test-event", {"eventName": "while-away"})
        finally:
            self.cluster.start_redis()
        # A node is ready for a while after it has lost Redis, so readiness does not tell that it is back.
        for node in range(3):
            await self.until_complete(node)
        for _ in range(100):
            entries = (await self.console(2).get("/io/audit"))["data"]
            if entries:
                break
            await asyncio.sleep(0.1)
        self.assertEqual([entry["action"] for entry in entries], ["POST /io/test-event"])
        _, text, _ = await self.console(0).request("GET", "/metrics")
        self.assertRegex(text, r"(?m)^redis_gaps_total [1-9]")
