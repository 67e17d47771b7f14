#!/bin/sh
# `make smoke KEYS=sk-...`: four requests on a free model to the real platform. Opt-in; never part of a test run.
set -eu
cd "$(dirname "$0")/../.."
[ -n "${KEYS:-}" ] || { echo "usage: make smoke KEYS=sk-... (real keys; four requests on a free model)" >&2; exit 2; }
dir=$(mktemp -d)
port=${SMOKE_PORT:-7869}
model=${SMOKE_MODEL:-Qwen/Qwen3-8B}
touch "$dir/sfproxy.conf"
PORT=$port KEYS=$KEYS build/sfproxy -c "$dir/sfproxy.conf" --state "$dir/state" --headless 2>"$dir/log" &
proxy=$!
trap 'kill $proxy 2>/dev/null || true; wait $proxy 2>/dev/null || true; rm -rf "$dir"' EXIT
url=http://127.0.0.1:$port
tries=0
until curl -sf "$url/readyz" >/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
done
body="{\"model\":\"$model\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}],\"max_tokens\":16"
failed=0
ask() {
    name=$1; shift
    if curl -sS --fail-with-body -m 60 "$@" >"$dir/answer"; then echo "ok    $name"; else echo "FAIL  $name: $(head -c 300 "$dir/answer")"; failed=$((failed + 1)); fi
}
ask "models" "$url/v1/models"
ask "chat" -H 'Content-Type: application/json' -d "$body}" "$url/v1/chat/completions"
ask "chat, stream" -N -H 'Content-Type: application/json' -d "$body,\"stream\":true}" "$url/v1/chat/completions"
ask "messages" -H 'Content-Type: application/json' -d "$body}" "$url/v1/messages"
build/sfproxy -c "$dir/sfproxy.conf" --state "$dir/state" keys list
echo "$((4 - failed)) passed, $failed failed"
[ $failed -eq 0 ]
