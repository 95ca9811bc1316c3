"""Limits for the whole cluster: four nodes and a Redis, met by official Python clients. Started by run.py."""

import asyncio
import time

import cluster
from cluster import Cluster, sign_jwt
from support import API, Client, ClusterTestCase

# Twenty joins a second, and a hundred at once.
RATE = 20
BURST = 100
SETTINGS = {
    "SOCKETIO_GATEWAY_LIMITS_CLUSTER_BURST": f"{BURST // RATE}s",
    "SOCKETIO_GATEWAY_LIMITS_CLUSTER_USER_JOINS": str(60 * RATE),
    "SOCKETIO_GATEWAY_LIMITS_CLUSTER_TOKEN_PUBLISHES": str(60 * RATE),
    "SOCKETIO_GATEWAY_LIMITS_CLUSTER_USER_CONNECTIONS": str(60 * RATE),
}


class Limits(ClusterTestCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.four = Cluster(cluster.BINARY, nodes=4, settings=SETTINGS)
        self.addCleanup(self.four.stop)
        await asyncio.to_thread(self.four.start)

    async def user(self, node, name):
        token = sign_jwt({"id": name, "role": "reader"}, self.four.jwt_secret)
        client = Client(self.four.nodes[node].url, auth={"token": token}, transports=["websocket"])
        await client.connect()
        self.addAsyncCleanup(client.close)
        return client

    async def load(self, client, pause, end, answers):
        """Asks again and again, and notes whether it was granted."""
        while time.monotonic() < end:
            answer = await client.call("join-room", "lobby")
            if not answer["success"]:
                self.assertEqual(answer["error"], "Rate limit exceeded")
                self.assertGreater(answer["retryAfter"], 0)
            answers.append(answer["success"])
            await asyncio.sleep(pause)

    async def spend(self, clients, seconds, answers):
        """The first client asks often, the others seldom."""
        end = time.monotonic() + seconds
        await asyncio.gather(
            *[self.load(client, 0.025 if i < 2 else 0.2, end, answers) for i, client in enumerate(clients)]
        )

    async def test_nodes_keep_a_limit_together_also_without_redis(self):
        clients = [await self.user(node, "heavy") for node in [0, 0, 1, 2, 3]]
        answers, start = [], time.monotonic()
        await self.spend(clients, 12, answers)
        allowed = BURST + RATE * (time.monotonic() - start)
        granted = sum(answers)
        self.assertGreater(len(answers), 1.3 * allowed, "there was not enough load")
        self.assertTrue(0.85 * allowed <= granted <= 1.15 * allowed, f"{granted} of {allowed:.0f}")
        # Another user has a bucket of its own.
        other = await self.user(1, "light")
        self.assertTrue((await other.call("join-room", "lobby"))["success"])

        await asyncio.to_thread(self.four.stop_redis)
        answers, start = [], time.monotonic()
        await self.spend(clients, 6, answers)
        granted, allowed = sum(answers), RATE * (time.monotonic() - start)
        # What was left of the last second is there, too.
        self.assertTrue(0.5 * allowed <= granted <= 1.5 * allowed, f"{granted} of {allowed:.0f} without Redis")

        await asyncio.to_thread(self.four.start_redis)
        answers, start = [], time.monotonic()
        await self.spend(clients, 8, answers)
        granted, allowed = sum(answers), RATE * (time.monotonic() - start)
        self.assertGreaterEqual(granted, 0.5 * allowed)
        self.assertLessEqual(granted, 1.2 * allowed + BURST)

    async def test_publishers_are_told_when_to_come_back(self):
        publishers = [API(self.http, node, self.four.tokens["raw-only"]) for node in self.four.nodes]
        statuses = []
        for turn in range(400):
            status, answer = await publishers[turn % 4].request("POST", "/io/raw", {"event": "x"})
            statuses.append(status)
            if status == 429:
                self.assertEqual(answer["error"]["code"], "rate_limited")
                self.assertGreater(answer["error"]["retryAfter"], 0)
        self.assertIn(200, statuses)
        self.assertIn(429, statuses)
        other = API(self.http, self.four.nodes[0], self.four.tokens["backend"])
        self.assertTrue((await other.post("/io/raw", {"event": "x"}))["success"])

    async def test_connections_of_a_user_are_limited_on_all_nodes(self):
        async def attempt(node):
            try:
                await self.user(node, "many")
                return True
            except Exception:
                return False

        outcomes = []
        for _ in range(10):
            outcomes += await asyncio.gather(*[attempt(node) for node in range(4) for _ in range(5)])
        granted = sum(outcomes)
        self.assertLess(granted, 200)
        self.assertGreaterEqual(granted, BURST // 2)
