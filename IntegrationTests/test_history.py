"""Histories of rooms and entities: several nodes and a real Redis, met by official Python clients."""

import asyncio
import json

from faulty import FaultyClusterTestCase
from support import eventually

ARTICLE = "api::article.article"
TYPES = {
    ARTICLE: {
        "fields": {
            "title": "string",
            "draftNotes": {"type": "text", "private": True},
            "author": {"type": "relation", "target": "api::author.author"},
        },
        "history": {"size": 50, "ttl": "10m"},
    },
    "api::author.author": {"fields": {"name": "string"}},
}


class Histories(FaultyClusterTestCase):
    nodes = 2
    settings = {
        "SOCKETIO_GATEWAY_HISTORY_ROOMS": json.dumps({"chat-*": {"size": 20, "ttl": "10m"}}),
        "SOCKETIO_GATEWAY_CONTENT_TYPES": json.dumps(TYPES),
        "SOCKETIO_GATEWAY_LIMITS_QUESTIONS_PER_SECOND": "10000",
    }

    async def reader(self, node, **options):
        return await self.client(self.bed.nodes[node].url, transports=["websocket"], **options)

    async def say(self, node, room, *values):
        for value in values:
            await self.api_of(node).post("/io/raw", {"event": "said", "rooms": [room], "data": value})

    @staticmethod
    def missed(answer):
        return [(event["offset"], event["data"]) for event in answer["missed"]]

    async def test_a_client_comes_back_to_another_node(self):
        first = await self.reader(0)
        joined = await first.call("join-room", {"room": "chat-a", "position": True})
        self.assertEqual((joined["success"], joined["position"]["offset"]), (True, 0))
        await self.say(1, "chat-a", "one")
        data, position = await first.event("said")
        self.assertEqual((data, position["offset"], position["room"]), ("one", 1, "chat-a"))
        await first.close()
        await self.say(0, "chat-a", "two")
        await self.say(1, "chat-a", "three")
        second = await self.reader(1)
        answer = await second.call("join-room", {"room": "chat-a", "since": position, "position": True})
        self.assertEqual(self.missed(answer), [(2, "two"), (3, "three")])
        self.assertIs(answer["recovered"], True)
        await self.say(0, "chat-a", "four")
        self.assertEqual((await second.event("said"))[1]["offset"], 4)
        late = await self.reader(0)
        await self.say(0, "chat-a", *range(20))
        answer = await late.call("join-room", {"room": "chat-a", "since": position})
        self.assertEqual((answer["recovered"], answer["reason"]), (False, "trimmed"))
        self.assertNotIn("missed", answer)

    async def test_nothing_is_missed_or_doubled_while_clients_come_and_go(self):
        done = asyncio.Event()

        async def publish(node):
            number = 0
            while not done.is_set():
                await self.say(node, "chat-busy", [node, number])
                number += 1

        async def follow(node):
            seen = []
            since = None
            for round in range(6):
                client = await self.reader((node + round) % 2)
                wish = {"room": "chat-busy", "position": True}
                answer = await client.call("join-room", {**wish, **({"since": since} if since else {})})
                if since:
                    self.assertIs(answer["recovered"], True, answer)
                    seen += self.missed(answer)
                else:
                    seen.append((answer["position"]["offset"], None))
                await client.until(lambda: len(client.named("said")) >= 3, "three events")
                await client.close()
                events = client.named("said")
                seen += [(position["offset"], data) for data, position in events]
                since = events[-1][1]
            offsets = [offset for offset, _ in seen]
            self.assertEqual(offsets, list(range(offsets[0], offsets[0] + len(offsets))))
            return seen

        publishers = [asyncio.create_task(publish(node)) for node in (0, 1)]
        try:
            followers = await asyncio.gather(*(follow(node) for node in (0, 1, 0, 1)))
        finally:
            done.set()
            await asyncio.gather(*publishers)
        # All have seen the same event at the same place, and each publisher's in order.
        places = {}
        for seen in followers:
            for offset, data in seen:
                if data is not None:
                    self.assertEqual(places.setdefault(offset, data), data)
        for node in (0, 1):
            numbers = [places[offset][1] for offset in sorted(places) if places[offset][0] == node]
            self.assertEqual(numbers, sorted(set(numbers)))

    async def test_entities_are_sanitised_when_they_are_read(self):
        wish = {"uid": ARTICLE, "id": "a1", "position": True}
        client = await self.reader(0)
        since = (await client.call("subscribe-entity", wish))["position"]
        entry = {"documentId": "a1", "id": 1, "title": "T", "draftNotes": "secret", "author": {"id": 3, "name": "Ada"}}
        await self.api_of(1).post("/io/emit", {"event": "update", "schema": ARTICLE, "data": entry})
        data, position = await client.event("article:update")
        self.assertEqual(data, {"documentId": "a1", "id": 1, "title": "T"})
        self.assertEqual((position["offset"], position["uid"], position["id"]), (1, ARTICLE, "a1"))
        again = await self.reader(1)
        answer = await again.call("subscribe-entity", {"uid": ARTICLE, "id": "a1", "since": since})
        self.assertEqual(self.missed(answer), [(1, {"documentId": "a1", "id": 1, "title": "T"})])

    async def test_programs_read_and_wait(self):
        await self.say(0, "chat-http", 1, 2)
        api = self.api_of(1)
        page = await api.get("/io/rooms/chat-http/history?limit=1")
        self.assertEqual([event["data"] for event in page["events"]], [2])
        position = page["position"]
        tag = f"{position['offset']}@{position['epoch']}"
        url = f"{self.bed.nodes[1].publish_url}/io/rooms/chat-http/history"
        headers = {"Authorization": f"Bearer {self.bed.tokens['backend']}"}
        async with self.http.get(url, headers={**headers, "If-None-Match": f'"{tag}"'}) as answer:
            self.assertEqual((answer.status, answer.headers["ETag"]), (304, f'"{tag}"'))

        async def wait():
            return await api.get(f"/io/rooms/chat-http/history?since={tag}&wait=20s")

        waiting = asyncio.create_task(wait())
        await self.say(0, "chat-http", 3)
        self.assertEqual([event["data"] for event in (await waiting)["events"]], [3])
        status, answer = await api.request("GET", "/io/rooms/other/history")
        self.assertEqual((status, answer["error"]["code"]), (404, "no_history"))
        for query in ("since=x", "limit=0", "limit=x", "wait=61s", "wait=x", "sinse=1"):
            status, answer = await api.request("GET", f"/io/rooms/chat-http/history?{query}")
            self.assertEqual((status, answer["error"]["code"]), (400, "invalid_request"), query)

    async def test_a_node_that_was_cut_off_tells_of_the_gap(self):
        client = await self.reader(0)
        await client.call("join-room", {"room": "chat-gap", "position": True})
        quiet = await self.reader(0)
        await quiet.call("join-room", {"room": "chat-quiet", "position": True})
        await self.say(1, "chat-gap", "before")
        _, position = await client.event("said")
        # All connections of this node to Redis end, and no others can begin.
        self.bed.proxies[0].is_refusing = True
        self.bed.proxies[0].cut()
        await eventually(lambda: self.reasons(self.bed.nodes[0]), "an outage of node 1")
        await self.say(1, "chat-gap", "meanwhile")
        # What this node publishes itself reaches its own clients.
        await self.api_of(0).request("POST", "/io/raw", {"event": "said", "rooms": ["chat-gap"], "data": "here"})
        await client.until(lambda: ["here"] in client.named("said"), "an event without a position")
        self.bed.proxies[0].heal()
        gap = await client.event("io:gap", timeout=30)
        self.assertEqual(gap[0]["room"], "chat-gap")
        self.assertEqual(gap[0]["position"]["offset"], position["offset"])

        async def has_all():
            answer = await client.call("join-room", {"room": "chat-gap", "since": position, "position": True})
            self.assertIs(answer["recovered"], True)
            return {data for _, data in self.missed(answer)} == {"meanwhile", "here"}

        await eventually(has_all, "both events in the history")
        self.assertEqual(quiet.named("io:gap"), [])

    async def test_a_redis_that_has_lost_everything(self):
        client = await self.reader(0)
        await client.call("join-room", {"room": "chat-lost", "position": True})
        await self.say(1, "chat-lost", "one")
        _, position = await client.event("said")
        await asyncio.to_thread(self.bed.kill_redis)
        await asyncio.to_thread(self.bed.start_redis)
        await self.all_back()

        async def is_told():
            answer = await client.call("join-room", {"room": "chat-lost", "since": position, "position": True})
            self.assertEqual((answer["recovered"], answer["reason"]), (False, "epoch"))
            return answer["position"]

        self.assertEqual((await eventually(is_told, "the new epoch"))["offset"], 0)
        await self.say(1, "chat-lost", "two")
        await client.until(lambda: any(e[0] == "two" for e in client.named("said")), "the next event")
