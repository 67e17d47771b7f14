"""Keys that fail, and who hears of it: retries, budgets, cooldowns, the words of the refusals."""
import collections
import itertools
import json
import socket
import threading
import time

import pytest

from harness import CHAT, SLOW, Wire, error_of, free_port, key, load, wait_until

MODEL = "Qwen/Qwen3-8B"      # free
PAID = "Qwen/Qwen3-32B"
CHATS = "/v1/chat/completions"
ACTS = {"429": {"preset": "429_rpm"}, "401": {"preset": "401_30014"}, "402": {"preset": "402_30001"},
        "403": {"preset": "403_30003"}, "500": {"preset": "500"}, "reset": {"reset_before_head": True},
        "stall": {"stall_before_head": True}}
FAILURES = ("500", "reset", "stall")


def mixes():
    """Every way of at most two failures among five bad keys, filled up with refusals in turn."""
    refusals = itertools.cycle(["429", "401", "402", "403"])
    for n in range(3):
        for failures in itertools.combinations_with_replacement(FAILURES, n):
            yield failures + tuple(next(refusals) for _ in range(5 - n))
    yield ("429",) * 5
    yield ("401",) * 5


def bad_keys(standin, acts, **match):
    standin.rules(*({"match": {"key": k, "path": CHATS, **match}, "act": act} for k, act in acts))


def keys_used(standin, model=None):
    return collections.Counter(r["key"] for r in standin.requests() if model in (None, r["model"]))


@pytest.mark.parametrize("mix", list(mixes()), ids="-".join)
def test_five_of_six_keys_fail(start, standin, mix):
    bad, good = [key("bad", n) for n in range(5)], key("good")
    p = start(bad[:2] + [good] + bad[2:], "[upstream]\nretry_stalls = yes\nfirst_byte_timeout = 1s\n")
    bad_keys(standin, zip(bad, (ACTS[a] for a in mix)))
    count = 1000 // SLOW
    answers = load(p, count, make=lambda i: {**CHAT, "stream": i % 3 == 0})
    assert collections.Counter(status for status, _ in answers) == {200: count}
    assert all(b"[DONE]" in body or b'"finish_reason"' in body for _, body in answers)
    seen = standin.report()["totals"]["requests"]
    assert seen <= 1.5 * count, (seen, keys_used(standin))
    totals = p.wait_idle()["totals"]
    assert totals["rpm"] == count and totals["errors_per_min"] == 0


def test_rate_limit_is_per_model(start, standin):
    keys = [key("k", n) for n in range(2)]
    p = start(keys)
    bad_keys(standin, [(keys[0], ACTS["429"])], model=MODEL)
    for _ in range(6):
        assert p.chat()[0] == 200
    assert p.key("k0")["state"] == "cooling"
    assert keys_used(standin, MODEL) == {keys[0]: 1, keys[1]: 6}
    for _ in range(6):
        assert p.chat("Qwen/Qwen3.5-4B")[0] == 200
    assert keys_used(standin, "Qwen/Qwen3.5-4B") == {keys[0]: 3, keys[1]: 3}
    assert [c["model"] for c in p.key("k0")["cooldowns"]] == [MODEL]


def test_keys_of_one_account_cool_together(start, standin):
    a, b, c = key("a"), key("b"), key("c")
    p = start([f"a = {a} account=A", f"b = {b} account=A", f"c = {c} account=B"])
    bad_keys(standin, [(a, ACTS["429"]), (b, ACTS["429"])])
    for _ in range(8):
        assert p.chat()[0] == 200
    used = keys_used(standin)
    assert used[a] + used[b] == 1 and used[c] == 8
    assert p.key("a")["cooldowns"] and p.key("b")["cooldowns"]


@pytest.mark.parametrize("preset", ["400_20012", "400_20015", "400_20015_max_prompt", "400_20015_no_user", "400_openai",
                                    "404_text", "413_20015", "413_gateway", "451"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_clients_own_fault_touches_no_key(proxy, standin, preset, stream):
    standin.rules({"match": {"path": CHATS}, "act": {"preset": preset}})
    for _ in range(4):
        answer = proxy.chat(stream=stream)
        assert answer[0] == int(preset[:3])
    assert len(standin.requests()) == 4
    for k in proxy.wait_idle()["keys"]:
        assert k["state"] == "ready" and not k["cooldowns"] and k["failed"] == k["limited"] == 0, k


def test_a_400_that_quotes_a_refusal_touches_no_key(proxy, standin):
    text = "Token is invalid. balance is insufficient, rate limit TPM, too busy, 实名"
    standin.rules({"match": {"path": CHATS}, "act": {"status": 400, "content_type": "application/json",
                                                     "body": json.dumps({"code": 20015, "message": text})}})
    answer = proxy.chat()
    assert answer[0] == 400 and text in error_of(answer)["message"]
    assert all(k["state"] == "ready" and not k["cooldowns"] for k in proxy.wait_idle()["keys"])


# --- budgets: (act, conf, tries upstream, status, code) ---
BUDGETS = [
    ("429", "", 9, 429, "all_cooling"),
    ("402", "", 9, 402, "insufficient_funds"),
    ("403", "", 9, 403, "model_denied"),
    ("401", "", 9, 503, "no_usable_key"),
    ("429", "max_refusals = 2", 3, 429, "all_cooling"),
    ("429", "max_refusals = 0", 1, 429, "all_cooling"),
    ("500", "", 3, 502, "upstream_error"),
    ("reset", "", 3, 502, "upstream_error"),
    ("500", "max_attempts = 1", 1, 502, "upstream_error"),
    ("500", "max_attempts = 5", 5, 502, "upstream_error"),
    ("stall", "first_byte_timeout = 300ms", 1, 504, "upstream_timeout"),
    ("stall", "first_byte_timeout = 300ms\nretry_stalls = yes", 3, 504, "upstream_timeout"),
]


@pytest.mark.parametrize("act,conf,tries,status,code", BUDGETS)
def test_budget_of_one_request(start, standin, act, conf, tries, status, code):
    p = start([key("k", n) for n in range(12)], f"[upstream]\n{conf}\n")
    standin.rules({"match": {"path": CHATS}, "act": ACTS[act]})
    answer = p.chat()
    rows = standin.requests()
    assert (answer[0], error_of(answer)["code"]) == (status, code)
    assert len({r["key"] for r in rows}) == tries
    resent = sum(r["nth"] > 1 for r in rows) if act == "reset" else 0  # a pooled connection: libcurl sends it once more
    assert len(rows) == tries + resent
    assert answer[1]["x-sfproxy-attempts"] == str(tries)
    totals = p.wait_idle()["totals"]
    assert totals["rpm"] == 1


@pytest.mark.parametrize("refusals,failures,ok", [(8, 0, True), (0, 2, True), (6, 2, True), (0, 3, False), (9, 0, False)])
def test_both_budgets_of_one_request(start, standin, refusals, failures, ok):
    p = start([key("k", n) for n in range(12)])
    if refusals:
        standin.rules({"match": {"path": CHATS}, "times": refusals, "act": ACTS["429"]})
    if failures:
        standin.rules({"match": {"path": CHATS}, "times": failures, "act": ACTS["500"]})
    answer = p.chat()
    assert (answer[0] == 200) == ok
    assert len(standin.requests()) == refusals + failures + ok


def test_504_is_not_retried(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "504"}})
    answer = proxy.chat()
    assert (answer[0], error_of(answer)["code"]) == (504, "upstream_timeout")
    assert len(standin.requests()) == 1


@pytest.mark.parametrize("preset", ["503_50505", "503_50508", "503_text", "429_busy_50610", "429_50603", "200_50609"])
def test_busy_is_retried_once_after_a_while(proxy, standin, preset):
    standin.rules({"match": {"path": CHATS}, "act": {"preset": preset}})
    answer = proxy.chat()
    rows = standin.requests()
    assert (answer[0], error_of(answer)["code"]) == (503, "upstream_unavailable")
    assert int(answer[1]["retry-after"]) >= 1
    assert len(rows) == 2 and rows[1]["time_ms"] - rows[0]["time_ms"] >= 500
    assert rows[0]["key"] != rows[1]["key"]
    assert all(not k["cooldowns"] for k in proxy.wait_idle()["keys"])


def test_busy_with_one_key_tries_that_key_again(start, standin):
    p = start([key("only")])
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": {"preset": "503_50505"}})
    assert p.chat()[0] == 200
    assert len(standin.requests()) == 2


# --- the host ---
def no_key_to_blame(p):
    for k in p.wait_idle()["keys"]:
        assert not k["cooldowns"] and k["state"] != "bad", k


def test_a_closed_port(start):
    p = start([key("k", n) for n in range(3)], upstream=f"http://127.0.0.1:{free_port()}", tested=False)
    began = time.monotonic()
    answer = p.chat()
    assert (answer[0], error_of(answer)["code"]) == (502, "upstream_connect")
    assert answer[1]["x-sfproxy-attempts"] == "2" and time.monotonic() - began >= 0.5
    no_key_to_blame(p)


def test_tls_towards_a_plain_port(start):
    """A server that answers the hello in clear, as nginx does."""
    heard = []

    def plain(listener):
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            heard.append(client.recv(4096))
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            client.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=plain, args=(listener,))
        thread.start()
        p = start([key("k", n) for n in range(3)], upstream=f"https://127.0.0.1:{listener.getsockname()[1]}",
                  tested=False)
        answer = p.chat()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert (answer[0], error_of(answer)["code"]) == (502, "upstream_tls")
    assert heard and b"CANARY" not in b"".join(heard)
    no_key_to_blame(p)


def test_a_name_that_does_not_resolve(start):
    p = start([key("k")], upstream="http://nothing.invalid\nconnect_timeout = 1s", tested=False)
    answer = p.chat()
    assert (answer[0], error_of(answer)["code"]) == (502, "upstream_dns")
    no_key_to_blame(p)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(proxy, standin, status):
    standin.rules({"match": {"path": CHATS},
                   "act": {"redirect": status, "location": f"{standin.url}/v1/chat/completions?again=1"}})
    answer = proxy.chat()
    assert (answer[0], error_of(answer)["code"]) == (502, "upstream_redirect")
    assert "location" not in answer[1] and len(standin.requests()) == 1
    no_key_to_blame(proxy)


@pytest.mark.parametrize("act", [{"garbage_reply": True}, {"two_content_lengths": True}, {"huge_head": 200000},
                                 {"many_1xx": 400}, {"empty_reply": True}])
def test_what_is_not_http_is_retried(proxy, standin, act):
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": act})
    assert proxy.chat()[0] == 200
    standin.rules({"match": {"path": CHATS}, "act": act})
    answer = proxy.chat("Qwen/Qwen3.5-4B")
    assert answer[0] == 502 and error_of(answer)["code"] in ("upstream_garbage", "upstream_error")


@pytest.mark.parametrize("delay", [0, 5, 50])
def test_stale_connections_cost_nothing(proxy, standin, delay):
    standin.rules({"match": {"path": CHATS}, "act": {"close_after_response": True, "delay_ms": delay}})
    count = 500
    answers = load(proxy, count, clients=8)
    assert collections.Counter(status for status, _ in answers) == {200: count}
    snapshot = proxy.wait_idle()
    assert snapshot["totals"]["rpm"] == count
    assert sum(k["ok"] for k in snapshot["keys"]) == count and sum(k["failed"] for k in snapshot["keys"]) == 0
    assert standin.report()["totals"]["requests"] == count


def test_connections_that_are_reset_at_the_next_request(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"close_idle_silently": True}})
    answers = load(proxy, 300, clients=4)
    assert collections.Counter(status for status, _ in answers) == {200: 300}
    assert sum(k["failed"] for k in proxy.wait_idle()["keys"]) == 0


# --- what is said, and when it is over ---
def test_retry_after_is_honoured(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": {"preset": "429_rpm", "headers": {"Retry-After": "300"}}})
    first = p.chat()
    assert first[0] == 429 and 290 <= int(first[1]["retry-after"]) <= 300
    assert 290 <= p.key("k0")["cooldowns"][0]["seconds_left"] <= 300
    second = p.chat()
    assert second[0] == 429 and 290 <= int(second[1]["retry-after"]) <= 300
    assert len(standin.requests()) == 1


def test_all_keys_cooling(start, standin):
    p = start([key("k", n) for n in range(3)])
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "429_tpm"}})
    assert p.chat()[0] == 429
    for stream in (False, True):
        answer = p.chat(stream=stream)
        error = error_of(answer)
        assert answer[0] == 429 and error["code"] == "all_cooling" and error["type"] == "rate_limit_error"
        assert "all 3 keys that can serve Qwen/Qwen3-8B are cooling down, soonest in" in error["message"]
        assert 1 <= int(answer[1]["retry-after"]) <= 20
        assert answer[1]["x-should-retry"] == "false"
    assert len(standin.requests()) == 3
    status, _, body = p.request("POST", "/v1/messages", {**CHAT, "max_tokens": 5})
    assert status == 429 and json.loads(body)["error"]["type"] == "rate_limit_error" and json.loads(body)["type"] == "error"


def test_no_keys(start):
    p = start([])
    answer = p.chat()
    assert (answer[0], error_of(answer)["code"]) == (503, "no_keys")
    assert p.request("GET", "/readyz")[0] == 503 and p.request("GET", "/healthz")[0] == 200


def test_no_funds(start, standin):
    p = start([key("k", n) for n in range(2)])
    standin.rules({"match": {"path": CHATS, "model": PAID}, "act": {"preset": "402_30001"}})
    for _ in range(3):
        answer = p.chat(PAID)
        assert (answer[0], error_of(answer)["code"]) == (402, "insufficient_funds")
    assert len(standin.requests()) == 2
    assert {k["class"] for k in p.snapshot()["keys"]} == {"FREE"}
    assert p.chat(MODEL)[0] == 200


def test_debt_stops_the_free_models_too(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "402_30001"}})
    assert p.chat(MODEL)[0] == 402
    answer = p.chat("Qwen/Qwen3.5-4B")
    assert (answer[0], error_of(answer)["code"]) == (402, "insufficient_funds")
    assert len(standin.requests()) == 1


def test_pro_and_plain_models_are_two_purses(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS, "model": "Pro/*"}, "act": {"preset": "402_30001"}})
    assert p.chat("Pro/zai-org/GLM-5.1")[0] == 402
    assert p.chat(PAID)[0] == 200
    assert p.chat("Pro/deepseek-ai/DeepSeek-V3")[0] == 402
    assert len(standin.requests()) == 2


def test_not_verified(start, standin):
    p = start([key("k", n) for n in range(2)])
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "403_realname"}})
    for _ in range(2):
        answer = p.chat()
        assert (answer[0], error_of(answer)["code"]) == (403, "not_verified")
    assert len(standin.requests()) == 2
    assert {k["class"] for k in p.snapshot()["keys"]} == {"UNVER"}


def test_a_pool_of_one_key_says_why(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "429_rpd"}})
    p.chat()
    message = error_of(p.chat())["message"]
    assert "the only key that can serve Qwen/Qwen3-8B" in message and "rate limit per day" in message, message


def test_an_invalid_key_is_set_aside_and_comes_back(start, standin):
    bad, good = key("bad"), key("good")
    p = start([bad, good])
    standin.rules({"match": {"key": bad}, "act": ACTS["401"]})
    for _ in range(6):
        assert p.chat()[0] == 200
    assert keys_used(standin) == {bad: 1, good: 6}
    assert p.key("k0")["state"] == "bad" and p.key("k0")["class"] == "INVALID"
    standin.clear()
    p.api("POST", f"keys/{p.key('k0')['id']}/test")
    assert p.key("k0")["state"] == "ready"
    for _ in range(4):
        assert p.chat()[0] == 200
    assert keys_used(standin)[bad] == 2


def test_every_key_invalid_is_not_the_clients_401(start, standin):
    p = start([key("k", n) for n in range(2)])
    standin.rules({"match": {}, "act": {"preset": "401_bare_string"}})
    for path in ("/v1/chat/completions", "/v1/messages"):
        status = p.request("POST", path, {**CHAT, "max_tokens": 5})[0]
        assert status == 503
    answer = p.request("GET", "/v1/some/other/path")
    assert answer[0] not in (401, 403), answer


def test_a_key_refused_at_the_start_is_never_used(start, standin):
    standin.script(keys=[{"key": key("bad"), "account": "X", "kind": "invalid"}])
    p = start([key("bad"), key("good")])
    assert p.key("k0")["state"] == "bad"
    for _ in range(5):
        assert p.chat()[0] == 200
    assert keys_used(standin) == {key("good"): 5}


def test_half_open_lets_one_through(start, standin):
    a, b = key("a"), key("b")
    p = start([a, b])
    standin.rules({"match": {"key": a, "path": CHATS}, "times": 1,
                   "act": {"preset": "429_rpm", "headers": {"Retry-After": "1"}}},
                  {"match": {"key": a, "path": CHATS}, "times": 1, "act": {"latency_ms": 1500}})
    for _ in range(2):
        assert p.chat()[0] == 200
    assert keys_used(standin)[a] == 1
    wait_until("the cooldown is over", lambda: p.key("k0")["state"] == "ready")
    probe = Wire(p)
    standin.wait(in_flight=1)
    answers = load(p, 20, clients=8)
    assert {status for status, _ in answers} == {200}
    assert keys_used(standin)[a] == 2, "others went through while the probe was out"
    probe.read_until(b'"finish_reason"')
    probe.close()
    assert {status for status, _ in load(p, 20, clients=1)} == {200}
    assert keys_used(standin)[a] >= 10


def test_half_open_probe_that_is_refused_cools_longer(start, standin):
    a, b = key("a"), key("b")
    p = start([a, b])
    act = {"preset": "500"}
    standin.rules({"match": {"key": a, "path": CHATS}, "act": act})
    for _ in range(2):
        assert p.chat()[0] == 200
    first = p.key("k0")["cooldowns"][0]["seconds_left"]
    wait_until("the cooldown is over", lambda: p.key("k0")["state"] == "ready")
    for _ in range(2):
        assert p.chat()[0] == 200
    assert p.key("k0")["cooldowns"][0]["seconds_left"] > first
    assert keys_used(standin)[a] == 2


# --- the books ---
def test_tokens_are_those_of_the_platform(start, standin):
    keys = [key("k", n) for n in range(6)]
    p = start(keys)
    bad_keys(standin, [(keys[0], ACTS["429"]), (keys[1], ACTS["500"]), (keys[2], ACTS["401"])])
    standin.rules({"match": {"path": CHATS, "stream": True, "every": 9}, "act": {"cut": 4}},
                  {"match": {"path": CHATS, "stream": False, "every": 11}, "act": {"preset": "400_20015"}})
    count = 500

    def body(i):
        return {**CHAT, "stream": i % 2 == 0, "messages": [{"role": "user", "content": "x" * (i % 97)}],
                "max_tokens": 8 - i % 3}
    answers = load(p, count - 10, clients=8, make=body)
    standin.rules({"match": {"model": "Qwen/Qwen3.5-4B"}, "act": {"chunk_interval_ms": 30, "chunks": 500}})
    for i in range(10):
        wire = Wire(p, {**CHAT, "model": "Qwen/Qwen3.5-4B", "stream": True})
        wire.read_until(b"data: ")
        wire.leave("rst")
    standin.wait(in_flight=0)
    totals = p.wait_idle()["totals"]
    rows = [r for r in standin.requests(20000) if r["status"] == 200]
    done = [r for r in rows if r["ending"] == "completed"]
    assert len(done) == sum(1 for s, b in answers if s == 200 and (b"[DONE]" in b or b'"usage"' in b and b"data: " not in b))
    broken = [r for r in rows if r["ending"] == "faulted"]
    gone = [r for r in rows if r["ending"] == "cancelled"]
    assert len(broken) > 10 and len(gone) == 10
    assert totals["rpm"] == count
    cut_out = sum(r["tokens_out"] for r in broken)
    tokens = totals["tokens_in"] + totals["tokens_out"]
    least = sum(r["tokens_in"] + r["tokens_out"] for r in done + broken)
    most = least + sum(r["tokens_in"] + r["tokens_out"] for r in gone)
    assert least + sum(r["tokens_in"] for r in gone) <= tokens <= most, (least, tokens, most, cut_out)
    assert totals["tpm"] == tokens
