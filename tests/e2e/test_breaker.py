"""When every key gets the same failure: clients are refused at once, the platform is left alone but for probes, no key
is blamed, and one success ends it."""
import collections

import pytest

from harness import CHAT, Wire, error_of, free_port, key, load, wait_until

MODEL = "Qwen/Qwen3-8B"
OTHER = "Qwen/Qwen3.5-4B"
PAID = "Qwen/Qwen3-32B"
CHATS = "/v1/chat/completions"


def model_of(p, model=MODEL):
    return next(m for m in p.snapshot()["models"] if m["id"] == model)


def is_refused(answer):
    return answer[0] == 503 and error_of(answer)["code"] == "upstream_unavailable"


def refuse(p, model=MODEL):
    """The answer of a request that the breaker refused; the breaker must be open."""
    answer = p.chat(model)
    assert is_refused(answer), answer
    assert int(answer[1]["retry-after"]) >= 1 and "x-should-retry" not in answer[1]
    return answer


def open_breaker(p, standin, act, model=MODEL):
    """Requests until the model's breaker is open; returns how many tries that took."""
    standin.rules({"match": {"path": CHATS, "model": model}, "act": act})
    wait_until("the breaker is open", lambda: p.chat(model) and model_of(p, model)["breaker"] != "closed", 30)
    return len([r for r in standin.requests() if r["model"] == model])


def answers_again(p, model=MODEL):
    wait_until("it answers again", lambda: p.chat(model)[0] == 200, 40)


@pytest.mark.parametrize("act", [{"preset": "503_50505"}, {"preset": "500"}, {"reset_before_head": True}])
def test_the_platform_is_left_alone(start, standin, act):
    p = start([key("k", n) for n in range(4)])
    tries = open_breaker(p, standin, act)
    assert 5 <= tries <= 9
    before = len(standin.requests())
    answers = load(p, 300, clients=8)
    assert collections.Counter(status for status, _ in answers)[503] >= 298
    assert len(standin.requests()) - before <= 4, "more than a probe or two"
    snapshot = p.wait_idle()
    assert all(k["state"] in ("ready", "busy") and not k["cooldowns"] for k in snapshot["keys"]), snapshot["keys"]
    assert snapshot["upstream"]["breaker"] == "closed", "one model is not the whole platform"
    assert model_of(p)["breaker"] in ("open", "half-open") and model_of(p)["trouble"]
    assert p.chat(OTHER)[0] == 200
    standin.clear()
    answers_again(p)
    assert model_of(p)["breaker"] == "closed" and model_of(p)["trouble"] is None
    assert {status for status, _ in load(p, 40, clients=8)} == {200}


def test_refused_at_once_with_an_honest_wait(start, standin):
    p = start([key("k", n) for n in range(2)])
    open_breaker(p, standin, {"preset": "503_50505"})
    before = len(standin.requests())
    answer = refuse(p)
    assert "x-sfproxy-attempts" in answer[1] and answer[1]["x-sfproxy-attempts"] == "0"
    assert 1 <= int(answer[1]["retry-after"]) <= 4
    assert MODEL in error_of(answer)["message"] and "again in" in error_of(answer)["message"]
    assert len(standin.requests()) == before


def test_one_probe_at_a_time(start, standin):
    p = start([key("k", n) for n in range(4)])
    open_breaker(p, standin, {"preset": "503_50505"})
    standin.clear()
    standin.rules({"match": {"path": CHATS, "model": MODEL}, "times": 1, "act": {"latency_ms": 1500}})
    seen = []

    def probe_is_out():
        seen.append(load(p, 4, clients=4))
        return standin.report()["totals"]["requests"] >= 1
    wait_until("a probe went out", probe_is_out)
    assert standin.report()["totals"]["requests"] - sum(s == 200 for s, _ in sum(seen, [])) <= 1
    assert [r["model"] for r in standin.requests()][0] == MODEL
    first = standin.requests()[0]
    others = [r for r in standin.requests() if r["seq"] != first["seq"] and r["time_ms"] < first["end_ms"]]
    assert others == [], "others went through while the probe was out"
    answers_again(p)


def test_probes_come_slower(start, standin):
    p = start([key("k", n) for n in range(2)])
    open_breaker(p, standin, {"preset": "500"})
    before = len(standin.requests())
    wait_until("two probes failed", lambda: p.chat() and len(standin.requests()) >= before + 2, 30)
    at = [r["time_ms"] for r in standin.requests()][before - 1:before + 2]
    assert at[1] - at[0] >= 1900 and at[2] - at[1] >= 3900, at
    assert all(not k["cooldowns"] for k in p.snapshot()["keys"])


def test_a_request_under_way_closes_it(start, standin):
    keys = [key("k", n) for n in range(3)]
    p = start(keys)
    standin.rules({"match": {"path": CHATS, "stream": True}, "times": 1, "act": {"latency_ms": 6000}})
    slow = Wire(p, {**CHAT, "stream": True})
    standin.wait(in_flight=1)
    standin.rules({"match": {"path": CHATS, "stream": False}, "act": {"preset": "503_50505"}})
    wait_until("the breaker is open", lambda: load(p, 4, clients=4) and model_of(p)["breaker"] != "closed")
    slow.read_until(b"[DONE]")
    slow.close()
    assert model_of(p)["breaker"] == "closed"


def test_one_key_has_no_breaker(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "503_50505"}})
    answers = load(p, 8, clients=8)
    assert {status for status, _ in answers} == {503}
    assert len(standin.requests()) == 16 and model_of(p)["breaker"] == "closed"


@pytest.mark.parametrize("preset", ["429_rpm", "402_30001", "403_30003", "400_20015", "504"])
def test_what_opens_nothing(start, standin, preset):
    p = start([key("k", n) for n in range(4)])
    standin.rules({"match": {"path": CHATS}, "act": {"preset": preset}})
    load(p, 24, clients=4, make=lambda i: {**CHAT, "model": PAID})
    snapshot = p.wait_idle()
    assert snapshot["upstream"]["breaker"] == "closed" and model_of(p, PAID)["breaker"] == "closed"


def test_a_closed_port_is_everybodys(start):
    p = start([key("k", n) for n in range(2)], upstream=f"http://127.0.0.1:{free_port()}", tested=False)
    load(p, 4, clients=4)
    upstream = p.snapshot()["upstream"]
    assert upstream["breaker"] in ("open", "half-open") and "could not be reached" in upstream["reason"]
    for model in (OTHER, MODEL):
        refuse(p, model)
    assert all(k["state"] != "bad" and not k["cooldowns"] for k in p.snapshot()["keys"])


def test_all_keys_refused_at_once_are_not_all_bad(start, standin):
    p = start([key("k", n) for n in range(6)])
    assert {status for status, _ in load(p, 12, clients=1)} == {200}
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "401_30014"}})
    assert p.chat()[0] == 503
    snapshot = p.wait_idle()
    assert {k["state"] for k in snapshot["keys"]} == {"ready"}, [(k["id"], k["state"]) for k in snapshot["keys"]]
    assert "INVALID" not in {k["class"] for k in snapshot["keys"]}
    assert snapshot["upstream"]["breaker"] == "open"
    before = len(standin.requests())
    for model in (MODEL, OTHER):
        refuse(p, model)
    assert len(standin.requests()) == before
    standin.clear()
    answers_again(p)
    assert {status for status, _ in load(p, 12, clients=4)} == {200}


def test_single_keys_that_are_revoked_are_bad(start, standin):
    keys = [key("k", n) for n in range(6)]
    p = start(keys)
    load(p, 12, clients=1)
    standin.rules(*({"match": {"key": k, "path": CHATS}, "act": {"preset": "401_30014"}} for k in keys[:4]))
    assert {status for status, _ in load(p, 24, clients=2)} == {200}
    snapshot = p.wait_idle()
    assert [k["state"] for k in snapshot["keys"]].count("bad") == 4 and snapshot["upstream"]["breaker"] == "closed"


def test_system_busy_stops_everything_for_a_minute(start, standin):
    p = start([key("k", n) for n in range(3)])
    standin.rules({"match": {"path": CHATS}, "times": 2, "act": {"preset": "429_50603"}})
    first = p.chat()
    assert is_refused(first) and 50 <= int(first[1]["retry-after"]) <= 60
    assert len(standin.requests()) == 2
    for model in (MODEL, OTHER):
        assert 50 <= int(refuse(p, model)[1]["retry-after"]) <= 60
    assert len(standin.requests()) == 2


def test_another_upstream_starts_afresh(start, standin):
    p = start([key("k", n) for n in range(2)], upstream=f"http://127.0.0.1:{free_port()}", tested=False)
    load(p, 4, clients=4)
    assert p.snapshot()["upstream"]["breaker"] != "closed"
    p.upstream = standin.url
    p.write_conf([key("k", n) for n in range(2)])
    p.api("POST", "reload")
    assert p.snapshot()["upstream"]["breaker"] == "closed"
    assert p.chat()[0] == 200
