#!/usr/bin/env python3
"""The support desk: a back end that the gateway asks over HTTP. It needs nothing but Python."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import time

SECRET = base64.b64decode("YW4gZXhhbXBsZSdzIHNlY3JldCBvZiAzMiBieXRlcw==")
tickets = {}  # number -> {"owner": user id, "subject": text}


def is_genuine(headers, body):
    """Whether the gateway has sent this, and just now: https://www.standardwebhooks.com"""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(hmac.compare_digest(signature, one) for one in headers["webhook-signature"].split())


def answer(event):
    """What the gateway is to do: acknowledge, emit, let a client join a room."""
    kind, socket = event["type"], event["data"]["socket"]
    name = socket["user"].get("username", "somebody")
    if kind == "disconnect":
        left = [number for number, ticket in tickets.items() if ticket["owner"] == socket["userId"]]
        return {"emit": [{"room": f"ticket-{n}", "event": "ticket:left", "data": {"ticket": n, "by": name}} for n in left]}
    argument = event["data"]["args"][0]
    if kind == "ticket:open":
        number = str(len(tickets) + 1)
        tickets[number] = {"owner": socket["userId"], "subject": argument["subject"]}
        opened = {"ticket": number, "subject": argument["subject"], "by": name}
        return {
            "ack": {"ticket": number},
            "join": [f"ticket-{number}"],
            "emit": [{"rooms": ["agents", f"ticket-{number}"], "event": "ticket:opened", "data": opened}],
        }
    number = argument["ticket"]
    if number not in tickets or (socket["role"] == "customer" and tickets[number]["owner"] != socket["userId"]):
        return {"ack": {"error": "There is no such ticket"}}
    said = {"ticket": number, "by": name, "text": argument["text"]}
    return {
        "ack": {},
        # An agent who answers hears the rest of it.
        "join": [f"ticket-{number}"],
        "emit": [{"room": f"ticket-{number}", "event": "ticket:said", "data": said}],
    }


class Desk(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not is_genuine(self.headers, body):
            return self.send_error(401)
        text = json.dumps(answer(json.loads(body))).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    port = int(os.environ.get("DESK_PORT", "8001"))
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Desk).serve_forever()
