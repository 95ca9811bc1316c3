#!/bin/sh
# Two tenants' back ends.
url=${SOCKETIO_URL:-http://127.0.0.1:3001}
post() { curl -sS --fail-with-body -H "Authorization: Bearer ${SOCKETIO_TOKEN:-example-key}" "$url$1" -d "$2" && echo; }

post /io/raw '{"event": "notice", "rooms": ["acme-all"], "data": {"text": "Acme: the office is closed today"}}'
post /io/raw '{"event": "notice", "rooms": ["globex-all"], "data": {"text": "Globex: payday"}}'
post /io/raw '{"event": "notice", "rooms": ["acme-sales"], "data": {"text": "Acme sales: new price list"}}'
