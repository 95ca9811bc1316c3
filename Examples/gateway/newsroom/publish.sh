#!/bin/sh
# What a content management system tells the gateway when editors work.
url=${SOCKETIO_URL:-http://127.0.0.1:3001}
post() { curl -sS --fail-with-body -H "Authorization: Bearer ${SOCKETIO_TOKEN:-example-key}" "$url$1" -d "$2" && echo; }

# A draft: nobody hears of it.
post /io/emit '{"event": "create", "schema": "api::article.article",
  "data": {"documentId": "a1", "title": "Rain ahead", "publishedAt": null}}'
# It is published. The notes and the address of the author stay behind.
post /io/emit '{"event": "publish", "schema": "api::article.article",
  "data": {"documentId": "a1", "title": "Rain ahead", "views": 0, "draftNotes": "Check the map",
    "publishedAt": "2026-03-01T08:00:00Z", "author": {"id": 3, "name": "Mia", "email": "mia@example.com"}}}'
post /io/emit '{"event": "update", "schema": "api::article.article",
  "data": {"documentId": "a1", "title": "Rain ahead", "views": 12, "publishedAt": "2026-03-01T08:00:00Z"}}'
