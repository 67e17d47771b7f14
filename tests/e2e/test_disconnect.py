"""Clients that leave: whenever and however they do, the platform's work is stopped at once and nothing is left behind."""
import random
import socket
import threading

import pytest

from harness import CHAT, SLOW, Wire, key, load, wait_until

CHATS = "/v1/chat/completions"
STREAM = {**CHAT, "stream": True}
LONG = {"chunks": 100000, "chunk_interval_ms": 5}
HOWS = ["fin", "close", "rst"]


def act(standin, **what):
    standin.rules({"match": {"path": CHATS}, "act": what})


def nobody_to_blame(p):
    snapshot = p.wait_idle()
    for k in snapshot["keys"]:
        assert k["state"] == "ready" and not k["cooldowns"] and not k["failed"] and not k["limited"], k
    return snapshot


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["plain", "stream"])
def test_before_the_first_byte(proxy, standin, how, body):
    act(standin, stall_before_head=True)
    wire = Wire(proxy, body)
    standin.wait(in_flight=1)
    wire.leave(how)
    standin.wait(cancelled=1, in_flight=0, timeout_ms=3000)
    snapshot = nobody_to_blame(proxy)
    row = snapshot["requests"][0]
    assert row["reason"] == "client_abort" and row["attempts"] == 1
    assert snapshot["totals"]["rpm"] == 1 and snapshot["totals"]["errors_per_min"] == 0
    assert standin.requests()[0]["cancelled"]["phase"] == "waiting"


@pytest.mark.parametrize("how", HOWS)
def test_in_the_middle_of_a_stream(proxy, standin, how):
    act(standin, **LONG, prompt_tokens=50)
    wire = Wire(proxy, STREAM)
    wire.read_until(b"data: ")
    standin.wait(events=5)
    wire.leave(how)
    standin.wait(cancelled=1, in_flight=0, timeout_ms=3000)
    row = nobody_to_blame(proxy)["requests"][0]
    assert row["reason"] == "client_abort"
    assert row["tokens_in"] == 50 and 0 < row["tokens_out"] <= standin.requests()[0]["tokens_out"]


@pytest.mark.parametrize("how", HOWS)
def test_with_a_head_but_no_event(start, standin, how):
    p = start([key("k")], "[upstream]\ngate_timeout = 200ms\n")
    act(standin, stall=0)
    wire = Wire(p, STREAM)
    wire.read_until(b": waiting")
    wire.leave(how)
    standin.wait(cancelled=1, in_flight=0, timeout_ms=3000)
    nobody_to_blame(p)


@pytest.mark.parametrize("how", HOWS)
def test_in_the_middle_of_a_plain_answer(proxy, standin, how):
    act(standin, slow_body_ms=60000)
    wire = Wire(proxy, CHAT)
    standin.wait(in_flight=1)
    wire.leave(how)
    standin.wait(cancelled=1, in_flight=0, timeout_ms=3000)
    nobody_to_blame(proxy)


@pytest.mark.parametrize("how", HOWS)
def test_while_its_body_is_coming(proxy, standin, how):
    head = f"POST {CHATS} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".encode()
    wire = Wire(proxy, send=head + b'{"model":"Qwen/Qwen3-8B",' + b" " * 30000)
    wait_until("the connection is there", lambda: proxy.snapshot()["totals"]["connections"] >= 2)
    wire.leave(how)
    wait_until("the connection is gone", lambda: proxy.snapshot()["totals"]["connections"] <= 1)
    assert standin.requests() == [] and nobody_to_blame(proxy)["totals"]["rpm"] == 0


@pytest.mark.parametrize("how", HOWS)
def test_while_its_body_goes_to_the_platform(start, how):
    """A platform that reads nothing: the upload is stuck in the middle when the client leaves."""
    ended = threading.Event()
    begun = threading.Event()

    def serve(listener):
        while True:
            try:
                peer = listener.accept()[0]
            except OSError:
                return
            head = peer.recv(2000)
            if not head.startswith(b"POST"):
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                peer.close()
                continue
            begun.set()
            wait_until("the client is gone", lambda: gone.is_set(), 20)
            try:
                while peer.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            ended.set()
            peer.close()

    gone = threading.Event()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        p = start([key("k")], upstream=f"http://127.0.0.1:{listener.getsockname()[1]}")
        wire = Wire(p, {**CHAT, "messages": [{"role": "user", "content": "x" * (24 << 20)}]})
        assert begun.wait(20 * SLOW)
        wire.leave(how)
        gone.set()
        assert ended.wait(20 * SLOW), "the upload goes on without its client"
        nobody_to_blame(p)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("how", HOWS)
def test_between_two_tries(proxy, standin, how):
    act(standin, preset="503_50505")
    wire = Wire(proxy, CHAT)
    wait_until("it waits for its second try",
               lambda: any(r["state"] == "backoff" for r in proxy.snapshot()["requests"]))
    wire.leave(how)
    snapshot = proxy.wait_idle()
    assert snapshot["requests"][0]["reason"] == "client_abort" and len(standin.requests()) == 1


def test_the_probe_of_a_half_open_key_leaves(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": {"preset": "429_rpm", "headers": {"Retry-After": "1"}}},
                  {"match": {"path": CHATS}, "times": 1, "act": {"stall_before_head": True}})
    assert p.chat()[0] == 429
    wait_until("the cooldown is over", lambda: not p.key("k0")["cooldowns"])
    probe = Wire(p, CHAT)
    standin.wait(in_flight=1)
    assert p.chat()[0] == 429
    probe.leave("rst")
    standin.wait(cancelled=1, in_flight=0)
    p.wait_idle()
    assert p.chat()[0] == 200


def test_keep_alive_goes_on_after_a_cancelled_neighbour(proxy, standin):
    """A connection to the platform that was cut for one client is not used for the next."""
    act(standin, **LONG)
    for how in HOWS * 5:
        wire = Wire(proxy, STREAM)
        wire.read_until(b"data: ")
        wire.leave(how)
    standin.wait(in_flight=0)
    standin.clear()
    assert {status for status, _ in load(proxy, 50, clients=4)} == {200}


def test_many_leave_at_random(proxy, standin):
    standin.rules({"match": {"path": CHATS, "stream": True}, "act": {"chunks": 60, "chunk_interval_ms": 5, "latency_ms": 20}},
                  {"match": {"path": CHATS}, "act": {"latency_ms": 60}})
    load(proxy, 20)
    proxy.wait_idle()
    wait_until("idle connections are settled", lambda: proxy.snapshot()["totals"]["connections"] <= 1)
    before = proxy.fds()
    dice = random.Random(7)
    total = 240 // SLOW

    def client(count, seed):
        r = random.Random(seed)
        for _ in range(count):
            wire = Wire(proxy, STREAM if r.random() < 0.6 else CHAT)
            wire.sock.settimeout(r.random() * 0.3)
            try:
                wire.read_until(b"[DONE]")
            except (TimeoutError, AssertionError, OSError):
                pass
            wire.leave(r.choice(HOWS))
            wire.close()
    threads = [threading.Thread(target=client, args=(total // 12, dice.random())) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    standin.wait(in_flight=0)
    snapshot = nobody_to_blame(proxy)
    assert snapshot["totals"]["requests_total"] == total // 12 * 12 + 20
    assert snapshot["totals"]["cancelled"] + snapshot["totals"]["ok"] == snapshot["totals"]["requests_total"]
    assert snapshot["totals"]["cancelled"] > 10
    wait_until("client connections are gone", lambda: proxy.snapshot()["totals"]["connections"] <= 1)
    assert proxy.fds() <= before + 60, "descriptors leak"  # pooled connections to the platform stay
    assert {status for status, _ in load(proxy, 40)} == {200}


def test_cancelled_by_the_operator(proxy, standin):
    act(standin, **LONG)
    wire = Wire(proxy, STREAM)
    wire.read_until(b"data: ")
    row = next(r for r in proxy.snapshot()["requests"] if r["state"] == "stream")
    proxy.api("POST", f"requests/{row['id']}/cancel")
    status, body, complete = wire.answer()
    assert status == 200 and not complete and b"cancelled by the operator" in body
    standin.wait(cancelled=1, in_flight=0, timeout_ms=3000)
    assert nobody_to_blame(proxy)["requests"][0]["reason"] == "killed"


def test_cancelled_before_the_first_byte(proxy, standin):
    act(standin, stall_before_head=True)
    wire = Wire(proxy, CHAT)
    standin.wait(in_flight=1)
    row = wait_until("it runs", lambda: next((r for r in proxy.snapshot()["requests"] if r["state"] == "await"), None))
    proxy.api("POST", f"requests/{row['id']}/cancel")
    status, body, complete = wire.answer()
    assert status == 503 and complete and b"cancelled by the operator" in body
    standin.wait(cancelled=1, in_flight=0, timeout_ms=3000)
    nobody_to_blame(proxy)
