#!/bin/sh
# The demonstration behind `make demo`: stand-in upstream, made traffic, and the real program with a state of its own.
# Everything started here is stopped when the program ends. DEMO_ARGS are given to sfproxy.
set -eu
cd "$(dirname "$0")/../.."
dir=build/demo
mkdir -p "$dir"
rm -f "$dir/port"
build/standin --port 0 --portfile "$dir/port" --script tests/upstream/demo.json >"$dir/standin.log" 2>&1 &
standin=$!
traffic=
trap 'kill $standin $traffic 2>/dev/null || true' EXIT INT TERM HUP
tries=0
until [ -s "$dir/port" ]; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { echo "the stand-in upstream did not start: $dir/standin.log" >&2; exit 1; }
    sleep 0.05
done
listen=${DEMO_LISTEN:-127.0.0.1:7861}
cat >"$dir/sfproxy.conf" <<CONF
[server]
listen = $listen
[upstream]
base_url = http://127.0.0.1:$(cat "$dir/port")
[pool]
keys_file = $PWD/tests/upstream/demo-keys.txt
CONF
build/traffic --url "http://$listen" --rps "${DEMO_RPS:-6}" >"$dir/traffic.log" 2>&1 &
traffic=$!
build/sfproxy -c "$dir/sfproxy.conf" --state "$dir/state" ${DEMO_ARGS:-}
