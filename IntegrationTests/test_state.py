"""What rooms remember, who edits what and who is online, on several nodes with a real Redis. Started by run.py.

The nodes are a cluster of their own: the features are off by default, and one test kills a node.
"""

import asyncio
import os
import signal
import time

from cluster import Cluster, sign_jwt
from support import API, Client, ClusterTestCase, eventually

LEASE = 2
SETTINGS = {
    "SOCKETIO_GATEWAY_ROOM_STATE_ENABLED": "true",
    "SOCKETIO_GATEWAY_ROOM_STATE_LEASE": f"{LEASE}s",
    "SOCKETIO_GATEWAY_ROOM_STATE_CHANGES_PER_SECOND": "1000",
    "SOCKETIO_GATEWAY_PRESENCE_ONLINE_USERS": "true",
}
ENTRY = {"uid": "api::article.article", "documentId": "abc"}


class StateTestCase(ClusterTestCase):
    own = None

    @classmethod
    def setUpClass(cls):
        cls.own = Cluster(binary=ClusterTestCase.cluster.binary, settings=SETTINGS)
        cls.own.start()

    @classmethod
    def tearDownClass(cls):
        cls.own.stop()

    @property
    def cluster(self):
        return self.own

    async def user(self, number, node=0):
        token = sign_jwt({"id": number, "role": "reader", "username": f"user-{number}"}, self.own.jwt_secret)
        return await self.client(self.own.nodes[node].url, auth={"token": token}, transports=["websocket"])

    async def joined(self, number, node=0, room="lobby"):
        client = await self.user(number, node)
        answer = await client.call("join-room", room)
        self.assertTrue(answer["success"], answer)
        return client


class RoomState(StateTestCase):
    async def test_members_of_all_nodes_see_the_same_changes_in_the_same_order(self):
        clients = [await self.joined(number, number % 3, "chat-order") for number in range(6)]
        await asyncio.gather(
            *[
                client.call("state:set", {"room": "chat-order", "key": f"user:{number}", "value": [number, turn]})
                for number, client in enumerate(clients)
                for turn in range(10)
            ]
        )
        state = await self.api().get("/io/rooms/chat-order/state")
        for client in clients:
            await client.until(
                lambda: client.named("state:changed")
                and client.named("state:changed")[-1][0]["version"] == state["version"],
                "the last change",
            )
        lists = [[event[0] for event in client.named("state:changed")] for client in clients]
        versions = [change["version"] for change in lists[0]]
        self.assertEqual(versions, sorted(set(versions)))
        # Those who were there from the first change have all of them.
        self.assertEqual(versions, list(range(versions[0], versions[0] + len(versions))))
        for changes in lists[1:]:
            self.assertEqual(changes, lists[0])
        self.assertEqual([e["value"] for e in state["state"]], [[number, 9] for number in range(6)])

    async def test_http_sets_reads_and_removes(self):
        member = await self.joined(1, 2, "chat-http")
        api = self.api()
        path = "/io/rooms/chat-http/state"
        status, answer = await api.request("PUT", f"{path}/__proto__", {"value": {"__proto__": 1}})
        self.assertEqual((status, answer["delivery"]), (200, "published"))
        change = (await member.event("state:changed"))[0]
        self.assertEqual((change["key"], change["value"], change["by"]), ("__proto__", {"__proto__": 1}, {"token": "backend"}))
        one = await self.api(1).get(f"{path}/__proto__")
        self.assertEqual((one["value"], one["version"]), ({"__proto__": 1}, answer["version"]))
        self.assertEqual((await api.request("GET", f"{path}/nothing"))[0], 404)
        self.assertEqual((await api.request("PUT", f"{path}/k", {"value": None}))[0], 400)
        self.assertEqual((await api.request("PUT", f"{path}/k", {"value": 1, "tll": 5}))[0], 400)
        self.assertEqual((await api.request("PUT", "/io/rooms/presence:x/state/k", {"value": 1}))[0], 400)
        await api.request("PUT", f"{path}/short", {"value": 1, "ttl": 300})
        status, answer = await api.request("DELETE", f"{path}/__proto__")
        self.assertEqual((status, answer["success"]), (200, True))
        await member.until(
            lambda: [e[0]["key"] for e in member.named("state:changed") if e[0]["value"] is None] == ["__proto__", "short"],
            "both keys gone",
        )
        self.assertEqual((await api.get(path))["state"], [])
        self.assertEqual((await api.get("/io/rooms/chat-http/count"))["sockets"], 1)

    async def test_what_a_killed_node_held_is_gone_once_and_in_time(self):
        rooms = [f"chat-kill-{number}" for number in range(10)]
        watchers = {}
        for room in rooms:
            watchers[room] = await self.joined(1, 0, room)
        # The last node dies; users 100.. are connected to it.
        victim = self.own.nodes[2]
        users = []
        for number in range(100, 150):
            room = rooms[number % len(rooms)]
            client = await self.joined(number, 2, room)
            wish = {"room": room, "key": f"user:{number}", "value": number, "held": True}
            self.assertTrue((await client.call("state:set", wish))["success"])
            users.append((number, room))
        tab = await self.joined(100, 1, rooms[0])
        await tab.call("state:set", {"room": rooms[0], "key": "user:100", "value": 100, "held": True})
        gone = lambda client: [e[0]["key"] for e in client.named("state:changed") if e[0]["value"] is None]
        for room, watcher in watchers.items():
            expected = len([1 for _, where in users if where == room])
            await watcher.until(lambda: len(watcher.named("state:changed")) >= expected, "the entries")
        start = time.monotonic()
        self.own.kill_node(victim)
        try:
            for room, watcher in watchers.items():
                keys = sorted(f"user:{number}" for number, where in users if where == room and number != 100)
                await watcher.until(lambda: sorted(gone(watcher)) == keys, f"leaves of {room}", LEASE + 5)
            took = time.monotonic() - start
            self.assertLess(took, LEASE + 1.5)
            await asyncio.sleep(0.5)
            self.assertEqual(sum(len(gone(watcher)) for watcher in watchers.values()), 49)
        finally:
            self.own.start_node(victim)

    async def test_members_see_changes_while_redis_is_away_and_the_whole_afterwards(self):
        ada = await self.joined(1, 0, "chat-away")
        here = await self.joined(2, 0, "chat-away")
        there = await self.joined(3, 1, "chat-away")
        self.own.redis.process.send_signal(signal.SIGKILL)
        self.own.redis.process.wait()

        async def queued():
            answer = await ada.call("state:set", {"room": "chat-away", "key": "user:1", "value": "alone"})
            return answer.get("delivery") == "queued"

        await eventually(queued, "a change that waits")
        await here.until(
            lambda: [e for e in here.named("state:changed") if e[0]["value"] == "alone" and e[0]["version"] is None],
            "the change here",
        )
        self.own.start_redis()
        await there.until(
            lambda: [e for e in there.named("state:changed") + there.named("state:snapshot")], "the change there", 30
        )
        await here.until(lambda: here.named("state:snapshot"), "the whole", 30)
        state = await self.api().get("/io/rooms/chat-away/state")
        self.assertEqual([(e["key"], e["value"]) for e in state["state"]], [("user:1", "alone")])


class Presence(StateTestCase):
    async def test_users_edit_and_leave_once_however_many_tabs_they_have(self):
        bob = await self.user(2, 0)
        self.assertTrue((await bob.call("presence:join", ENTRY))["success"])
        tabs = [await self.user(1, node) for node in range(3)]
        for tab in tabs:
            editors = (await tab.call("presence:join", ENTRY))["editors"]
            self.assertEqual([e["user"]["id"] for e in editors], [2, 1])
        self.assertEqual((await self.api(1).get("/io/entities/api::article.article/abc/editors"))["count"], 2)
        await tabs[0].call("presence:typing", {**ENTRY, "fieldName": "title"})
        typing = (await bob.event("presence:typing"))[0]
        self.assertEqual((typing["fieldName"], typing["user"]["id"]), ("title", 1))
        await bob.until(lambda: bob.named("presence:typing")[-1][0]["fieldName"] is None, "the end of typing")
        for tab in tabs:
            await tab.close()
        updates = lambda name: [u for e in bob.named("presence:update") for u in e[0][name]]
        await bob.until(lambda: updates("left"), "the leave")
        await self.barrier([bob])
        self.assertEqual([u["id"] for u in updates("joined")], [2, 1])
        self.assertEqual([u["id"] for u in updates("left")], [1])

    async def test_users_are_online_until_the_last_tab_or_node_is_gone(self):
        bob = await self.user(20, 0)
        self.assertEqual((await bob.call("online:watch", {"userIds": [21, 22]}))["online"], [])
        tabs = [await self.user(21, node) for node in (0, 1)]
        doomed = await self.user(22, 2)
        changes = lambda: sorted((e[0]["userId"], e[0]["online"]) for e in bob.named("online:changed"))
        await bob.until(lambda: changes() == [(21, True), (22, True)], "both online")
        users, cursor = [], ""
        while cursor is not None:
            page = await self.api().get(f"/io/online-users?limit=1{cursor and '&cursor=' + cursor}")
            users += [user["userId"] for user in page["users"]]
            cursor = page["next"]
        self.assertEqual(sorted(users), [20, 21, 22])
        self.assertEqual(page["counts"]["total"], 3)
        for tab in tabs:
            await tab.close()
        await bob.until(lambda: (21, False) in changes(), "21 offline")
        self.own.kill_node(self.own.nodes[2])
        try:
            await bob.until(lambda: (22, False) in changes(), "22 offline", LEASE + 5)
        finally:
            self.own.start_node(self.own.nodes[2])
        await asyncio.sleep(0)
        self.assertEqual(len(bob.named("online:changed")), 4)


class Preview(StateTestCase):
    async def test_drafts_are_shown_to_each_as_far_as_he_may_see(self):
        reader = await self.user(1, 1)
        visitor = await self.client(self.own.nodes[2].url)
        for client in (reader, visitor):
            self.assertTrue((await client.call("preview:subscribe", ENTRY))["success"])
        old = {"documentId": "abc", "title": "a", "draftNotes": "secret", "author": {"id": 1, "name": "Ada", "email": "x"}}
        new = {**old, "title": "b", "draftNotes": "more", "author": {"id": 1, "name": "Eve", "email": "y"}}
        await self.api().post(
            "/io/entities/api::article.article/abc/preview", {"kind": "change", "data": new, "previous": old}
        )
        for client, fields in ((reader, ["title", "author"]), (visitor, ["title"])):
            change = (await client.event("preview:change"))[0]
            self.assertEqual(sorted(change["diff"]["changedFields"]), sorted(fields))
            self.assertNotIn("secret", str(change))
            self.assertNotIn("email", str(change))
