#!/bin/sh
# What the referee's program does. "./publish.sh reset" begins a new match.
url=${SOCKETIO_URL:-http://127.0.0.1:3001}/io/rooms/match-1/state
call() { curl -sS --fail-with-body -H "Authorization: Bearer ${SOCKETIO_TOKEN:-example-key}" "$@" && echo; }

if [ "$1" = reset ]; then
    call -X DELETE "$url/Reds" && call -X DELETE "$url/Blues"
else
    call -X PUT "$url/Reds" -d '{"value": 1}'
    call -X PUT "$url/Blues" -d '{"value": 0}'
    call -X PUT "$url/Reds" -d '{"value": 2}'
fi
