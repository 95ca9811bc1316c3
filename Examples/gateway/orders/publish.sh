#!/bin/sh
# What a shop tells the gateway.
url=${SOCKETIO_URL:-http://127.0.0.1:3001}
post() { curl -sS --fail-with-body -H "Authorization: Bearer ${SOCKETIO_TOKEN:-example-key}" "$url$1" -d "$2" && echo; }

post /io/emit '{"event": "create", "schema": "api::order.order",
  "data": {"documentId": "o-100", "number": "100", "status": "paid", "customer": 7, "purchasePrice": 12.5}}'
post /io/emit '{"event": "create", "schema": "api::order.order",
  "data": {"documentId": "o-101", "number": "101", "status": "paid", "customer": 8, "purchasePrice": 3}}'
post /io/emit '{"event": "update", "schema": "api::order.order",
  "data": {"documentId": "o-100", "number": "100", "status": "sent", "customer": 7, "purchasePrice": 12.5}}'
