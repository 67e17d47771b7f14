"""wait_for_key: requests stand in line for a key, first come first served, and leave when they must. And how many
requests one client may have."""
import collections
import signal
import threading

import pytest

from harness import CHAT, Wire, error_of, key, load, wait_until

MODEL = "Qwen/Qwen3-8B"
CHATS = "/v1/chat/completions"


def limited(standin, seconds=2, times=1, **match):
    standin.rules({"match": {"path": CHATS, **match}, "times": times,
                   "act": {"preset": "429_rpm", "headers": {"Retry-After": str(seconds)}}})


def body(n, **more):
    return {**CHAT, "messages": [{"role": "user", "content": "x" * n}], **more}


def waiting(p):
    return p.snapshot()["totals"]["waiting"]


def stand_in_line(p, count, **more):
    """That many requests, each in line before the next one comes."""
    wires = []
    for n in range(count):
        wires.append(Wire(p, body(100 * (n + 1), **more), headers="Connection: close\r\n"))
        wait_until(f"{n + 1} wait", lambda n=n: waiting(p) == n + 1)
    return wires


def test_a_limited_key_is_waited_for(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 30s\n")
    limited(standin)
    answer = p.chat()
    rows = standin.requests()
    assert answer[0] == 200 and answer[1]["x-sfproxy-attempts"] == "2"
    assert len(rows) == 2 and rows[1]["time_ms"] - rows[0]["time_ms"] >= 1900, "before the deadline"
    totals = p.wait_idle()["totals"]
    assert totals["waiting"] == 0 and totals["rpm"] == 1 and totals["leases"] == 0


def test_first_come_first_served(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 60s\n")
    limited(standin, 4)
    first = Wire(p, body(50), headers="Connection: close\r\n")
    wait_until("the first one waits", lambda: waiting(p) == 1)
    others = []
    for n in range(6):
        others.append(Wire(p, body(100 * (n + 1), stream=n % 2 == 0), headers="Connection: close\r\n"))
        wait_until(f"{n + 2} wait", lambda n=n: waiting(p) == n + 2)
    assert [r["state"] for r in p.snapshot()["requests"] if r["live"]] == ["wait"] * 7
    for w in [first] + others:
        status, _, complete = w.answer()
        assert status == 200 and complete
    sizes = [r["body_bytes"] for r in standin.requests()][1:]
    assert sizes == sorted(sizes) and len(sizes) == 7, sizes


def test_without_the_option_nobody_waits(start, standin):
    p = start([key("k")])
    limited(standin, 10)
    for _ in range(3):
        answer = p.chat()
        assert answer[0] == 429 and int(answer[1]["retry-after"]) >= 1
    assert len(standin.requests()) == 1


def test_waiting_that_cannot_help_is_refused_at_once(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 5s\n")
    limited(standin, 100)
    answer = p.chat()
    assert answer[0] == 429 and error_of(answer)["code"] == "all_cooling"
    assert 90 <= int(answer[1]["retry-after"]) <= 100 and waiting(p) == 0


def test_the_wait_ends_with_an_honest_answer(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 3s\n")
    limited(standin, 2, times=100)
    answer = p.chat()
    rows = standin.requests()
    assert answer[0] == 429 and error_of(answer)["code"] == "all_cooling", answer
    assert len(rows) == 2 and rows[1]["time_ms"] - rows[0]["time_ms"] < 3000
    assert int(answer[1]["retry-after"]) >= 1
    assert waiting(p) == 0


@pytest.mark.parametrize("how", ["fin", "close", "rst"])
def test_a_client_that_leaves_the_line(start, standin, how):
    p = start([key("k")], "[pool]\nwait_for_key = 60s\n")
    limited(standin, 3)
    one, two, three = stand_in_line(p, 3)
    one.leave(how)
    two.leave(how)
    wait_until("they left the line", lambda: waiting(p) == 1)
    assert three.answer()[0] == 200
    sizes = [r["body_bytes"] for r in standin.requests()]
    assert len(sizes) == 2 and sizes[1] > sizes[0]
    ends = p.wait_idle()["totals"]["ends"]
    assert ends["client_abort"] == 2 and ends["ok"] == 1


def test_the_line_is_full(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 60s\n[limits]\nwait_queue = 2\n")
    limited(standin, 3)
    wires = stand_in_line(p, 2)
    answer = p.chat()
    assert (answer[0], error_of(answer)["code"]) == (429, "queue_full")
    assert 1 <= int(answer[1]["retry-after"]) <= 3 and "x-should-retry" not in answer[1]
    for w in wires:
        assert w.answer()[0] == 200


def test_a_key_that_is_added_serves_who_waits(start, standin):
    k = key("k")
    p = start([k], "[pool]\nwait_for_key = 60s\n")
    limited(standin, 50, times=100, key=k)
    wires = stand_in_line(p, 3)
    p.api("POST", "keys", key("new"))
    for w in wires:
        assert w.answer()[0] == 200
    assert collections.Counter(r["key"] for r in standin.requests()) == {k: 1, key("new"): 3}


def test_models_wait_apart(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 60s\n")
    limited(standin, 4, model=MODEL)
    waiter, = stand_in_line(p, 1)
    assert p.chat("Qwen/Qwen3.5-4B")[0] == 200
    assert waiting(p) == 1
    assert waiter.answer()[0] == 200


def test_many_wait_and_the_key_is_not_overrun(start, standin):
    """One key that is limited again and again: with waiting everybody is served, each refusal costs one try."""
    p = start([key("k")], "[pool]\nwait_for_key = 10m\n")
    act = {"preset": "429_rpm", "headers": {"Retry-After": "1"}}
    standin.rules({"match": {"path": CHATS, "every": 9}, "act": act})
    answers = load(p, 24, clients=24)
    statuses = collections.Counter(status for status, _ in answers)
    assert statuses == {200: 24}, statuses
    rows = standin.requests()
    assert len(rows) - 24 == sum(r["status"] == 429 for r in rows) == len(rows) // 9
    snapshot = p.wait_idle()
    assert snapshot["totals"]["leases"] == 0 and snapshot["totals"]["waiting"] == 0


def test_the_end_of_the_process_ends_the_line(start, standin):
    p = start([key("k")], "[pool]\nwait_for_key = 60s\n")
    limited(standin, 50)
    wires = stand_in_line(p, 2)
    p.signal(signal.SIGTERM)
    wait_until("it drains", lambda: not p.socket_path.exists())
    p.signal(signal.SIGTERM)
    for w in wires:
        status, answer, complete = w.answer()
        assert status == 503 and complete and b'"draining"' in answer
    p.expect_exit = p.process.wait(30)
    assert p.expect_exit in (0, 130)


# --- per client ---
def test_one_client_has_so_many_requests(start, standin):
    conf = "[limits]\nmax_requests_per_client = 2\n[clients]\nana = key-of-ana-0123456789\nbob = key-of-bob-0123456789\n"
    p = start([key("k")], conf)
    standin.rules({"match": {"path": CHATS}, "act": {"stall_before_head": True}})
    ana, bob = ({"Authorization": f"Bearer key-of-{n}-0123456789"} for n in ("ana", "bob"))
    line = "Authorization: Bearer key-of-ana-0123456789\r\n"
    wires = [Wire(p, headers=line) for _ in range(2)]
    standin.wait(in_flight=2)
    for _ in range(3):
        answer = p.chat(headers=ana)
        assert (answer[0], error_of(answer)["code"]) == (429, "client_busy")
        assert answer[1]["retry-after"] == "1" and answer[1]["x-should-retry"] == "false"
    other = threading.Thread(target=lambda: p.chat(headers=bob))
    other.start()
    standin.wait(in_flight=3)
    for w in wires:
        w.close()
    standin.wait(in_flight=1)
    standin.clear()
    wait_until("ana may again", lambda: p.chat(headers=ana)[0] == 200)
    live = [r for r in p.snapshot()["requests"] if r["live"]]
    assert {r["client"] for r in live} <= {"bob"}
    for r in live:
        p.api("POST", f"requests/{r['id']}/cancel")
    other.join()


def test_the_count_of_a_client_never_leaks(start, standin):
    p = start([key("k")], "[limits]\nmax_requests_per_client = 4\n")
    statuses = collections.Counter(status for status, _ in load(p, 300, clients=12))
    assert set(statuses) <= {200, 429} and statuses[200] >= 75, statuses
    for n in range(8):
        p.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{\"a\": 1}}")
    assert {status for status, _ in load(p, 40, clients=4)} == {200}
