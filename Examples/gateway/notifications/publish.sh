#!/bin/sh
# What the team's programs tell.
url=${SOCKETIO_URL:-http://127.0.0.1:3001}
post() { curl -sS --fail-with-body -H "Authorization: Bearer ${SOCKETIO_TOKEN:-example-key}" "$url$1" -d "$2" && echo; }

post /io/raw '{"event": "notification", "rooms": ["team-1"], "data": {"text": "The build is green"}}'
post /io/raw '{"event": "notification", "rooms": ["team-1"], "data": {"text": "Version 2 is out"}}'
