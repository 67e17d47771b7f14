"""Every clock of a request, and a client that reads slowly or not at all."""
import time

import pytest

from harness import CHAT, MODE, SLOW, Wire, error_of, events, key, wait_until

CHATS = "/v1/chat/completions"
STREAM = {**CHAT, "stream": True}


def begin(start, upstream="", limits=""):
    return start([key("k", n) for n in range(3)], f"[upstream]\n{upstream}\n[limits]\n{limits}\n")


def act(standin, **what):
    standin.rules({"match": {"path": CHATS}, "act": what})


def last(p):
    return p.wait_idle()["requests"][0]


@pytest.mark.parametrize("stream", [False, True])
def test_first_byte(start, standin, stream):
    p = begin(start, "first_byte_timeout = 300ms")
    act(standin, stall_before_head=True)
    answer = p.chat(stream=stream)
    assert (answer[0], error_of(answer)["code"]) == (504, "upstream_timeout")
    assert "first_byte_timeout" in error_of(answer)["message"]
    assert len(standin.requests()) == 1
    standin.wait(cancelled=1, in_flight=0)
    assert last(p)["reason"] == "timeout"


def test_a_stalled_key_rests(start, standin):
    p = begin(start, "first_byte_timeout = 300ms")
    standin.rules({"match": {"key": key("k", 1), "path": CHATS}, "act": {"stall_before_head": True}})
    statuses = [p.chat()[0] for _ in range(9)]
    assert sorted(statuses) == [200] * 8 + [504]
    assert [c["reason"] for c in p.key("k1")["cooldowns"]] == ["gateway_timeout"]


def test_first_byte_with_a_head_and_no_event(start, standin):
    """The head alone does not stop the clock of the first byte."""
    p = begin(start, "first_byte_timeout = 500ms\ngate_timeout = 20s")
    act(standin, stall=0)
    answer = p.chat(stream=True)
    assert (answer[0], error_of(answer)["code"]) == (504, "upstream_timeout")


def test_a_plain_head_without_a_body(start, standin):
    p = begin(start, "first_byte_timeout = 500ms\nidle_timeout = 20s")
    act(standin, slow_body_ms=60000)
    answer = p.chat()
    assert (answer[0], error_of(answer)["code"]) == (504, "upstream_timeout")


def test_gate_opens_with_comments(start, standin):
    p = begin(start, "gate_timeout = 300ms")
    act(standin, slow_first_byte_ms=2500 * SLOW)
    began = time.monotonic()
    wire = Wire(p, STREAM)
    wire.read_until(b": waiting\n\n")
    assert time.monotonic() - began < 2 * SLOW, "the head waited for the first event"
    assert b"data:" not in wire.got and b"text/event-stream" in wire.got
    status, body, complete = wire.answer()
    assert status == 200 and complete and body.endswith(b"data: [DONE]\n\n")
    assert body.startswith(b": waiting\n\ndata: ")
    assert last(p)["reason"] == "ok"


def test_after_the_gate_nothing_is_retried(start, standin):
    p = begin(start, "gate_timeout = 300ms\nfirst_byte_timeout = 1500ms\nretry_stalls = yes")
    act(standin, stall=0)
    status, body, complete = Wire(p, STREAM).answer()
    error = events(body)[-1]["error"]
    assert status == 200 and not complete and error["code"] == "upstream_timeout" and "first_byte" in error["message"]
    assert len(standin.requests()) == 1


def test_the_gate_of_a_stream_that_is_lost_while_waiting(start, standin):
    p = begin(start, "gate_timeout = 300ms")
    act(standin, slow_first_byte_ms=1000, cut=0)
    status, body, complete = Wire(p, STREAM).answer()
    assert status == 200 and not complete
    assert len(standin.requests()) == 1


def test_only_event_streams_get_comments(start, standin):
    p = begin(start, "gate_timeout = 200ms")
    act(standin, slow_body_ms=1000)
    answer = p.chat()
    assert answer[0] == 200 and b"waiting" not in answer[2]


@pytest.mark.parametrize("after", [1, 4])
def test_idle(start, standin, after):
    p = begin(start, "idle_timeout = 400ms")
    act(standin, stall=after)
    wire = Wire(p, STREAM)
    wire.sock.settimeout(10 * SLOW)  # far more than idle_timeout, less than all others
    status, body, complete = wire.answer()
    error = events(body)[-1]["error"]
    assert status == 200 and not complete and error["code"] == "upstream_timeout"
    assert error["message"].count("idle_timeout") == 1, error
    standin.wait(cancelled=1, in_flight=0)
    snapshot = p.wait_idle()
    assert snapshot["requests"][0]["reason"] == "timeout"
    assert all(not k["cooldowns"] for k in snapshot["keys"]), "no key is to blame for a stall in the middle"


def test_idle_in_a_plain_answer(start, standin):
    p = begin(start, "idle_timeout = 400ms")
    act(standin, stall=1)
    answer = p.chat(timeout=10)
    assert (answer[0], error_of(answer)["code"]) == (504, "upstream_timeout")
    assert "idle_timeout" in error_of(answer)["message"]


def test_idle_after_the_last_word_is_an_end(start, standin):
    """finish_reason and [DONE] came, the connection stays open: the client gets a clean end."""
    p = begin(start, "idle_timeout = 400ms")
    act(standin, chunks=2, stall=50)
    status, body, complete = Wire(p, STREAM).answer()
    assert status == 200 and complete and body.endswith(b"data: [DONE]\n\n")


def test_total(start, standin):
    p = begin(start, "total_timeout = 1s")
    act(standin, chunks=2000, chunk_interval_ms=20)
    status, body, complete = Wire(p, STREAM).answer()
    error = events(body)[-1]["error"]
    assert status == 200 and not complete and "total_timeout" in error["message"]
    assert error["message"].count("total_timeout") == 1
    standin.wait(cancelled=1, in_flight=0)


@pytest.mark.parametrize("stream", [False, True])
def test_total_before_the_first_byte(start, standin, stream):
    p = begin(start, "total_timeout = 1s\nretry_stalls = yes\nfirst_byte_timeout = 20s")
    act(standin, stall_before_head=True)
    answer = p.chat(stream=stream)
    assert answer[0] == 504 and "total_timeout" in error_of(answer)["message"]
    assert len(standin.requests()) == 1


# --- slow readers ---
BIG = {"chunks": 12000, "chunk_bytes": 4000, "chunk_interval_ms": 0}  # 48 MB and more


def sent(standin):
    return standin.report()["totals"]["bytes_out"]


def settled(standin):
    """The stand-in's count of bytes once it has stopped growing for half a second."""
    before = [-1, time.monotonic()]

    def still():
        now = sent(standin)
        if now != before[0]:
            before[:] = [now, time.monotonic()]
        return time.monotonic() - before[1] > 0.5 and now
    return wait_until("the platform is paused", still)


def test_a_slow_reader_pauses_the_platform(start, standin):
    p = begin(start, "idle_timeout = 1s", "write_timeout = 60s")
    act(standin, **BIG)
    wire = Wire(p, STREAM, rcvbuf=65536)
    wire.read_until(b"data: ")
    stopped = settled(standin)
    assert stopped < 24 << 20, "the proxy took it all"
    time.sleep(1.5)  # longer than idle_timeout, which stands still while the client is slow
    assert sent(standin) == stopped
    assert p.snapshot()["totals"]["in_flight"] == 1
    status, body, complete = wire.answer()
    assert status == 200 and complete and body.endswith(b"data: [DONE]\n\n") and len(body) > 48 << 20
    assert last(p)["reason"] == "ok"


def test_a_slow_reader_of_a_big_plain_answer(start, standin):
    p = begin(start)
    act(standin, big_body=40 << 20)
    wire = Wire(p, CHAT, rcvbuf=65536)
    wire.read_until(b"\r\n\r\n")
    assert settled(standin) < 24 << 20
    status, body, complete = wire.answer()
    assert status == 200 and complete and len(body) > 40 << 20


def test_a_client_that_reads_nothing_is_dropped(start, standin):
    p = begin(start, limits="write_timeout = 1s")
    act(standin, **BIG)
    wire = Wire(p, STREAM, rcvbuf=65536)
    wire.read_until(b"data: ")
    standin.wait(cancelled=1, in_flight=0)
    snapshot = p.wait_idle()
    assert snapshot["requests"][0]["reason"] == "client_stalled"
    assert all(not k["cooldowns"] and not k["failed"] for k in snapshot["keys"])
    assert p.chat("Qwen/Qwen3.5-4B", stream=False, max_tokens=3)[0] == 200
    wire.close()


@pytest.mark.skipif(MODE in ("asan", "tsan"), reason="sanitizers have a memory of their own")
def test_many_slow_readers_cost_little_memory(start, standin):
    p = begin(start)
    act(standin, **BIG)

    def rss():
        text = open(f"/proc/{p.process.pid}/statm").read().split()
        return int(text[1]) * 4096
    before = rss()
    wires = [Wire(p, STREAM, rcvbuf=16384) for _ in range(40)]
    for w in wires:
        w.read_until(b"data: ")
    settled(standin)
    assert rss() - before < (40 << 20) * SLOW
    for w in wires:
        w.leave("rst")
    standin.wait(in_flight=0, cancelled=40)
    p.wait_idle()
