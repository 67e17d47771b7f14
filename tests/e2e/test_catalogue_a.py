"""What can go wrong on the client's side: one test or more per row of docs/testing-catalogue.md, part A."""
import hashlib
import json
import os
import pathlib
import re
import resource
import select
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from harness import BINARY, CHAT, SLOW, Wire, free_port, key, wait_until
from rawhttp import (BODY, CHATS, HZ, Raw, answers_in, chunked, chunked_post, code_of, cpu_seconds, post, memory, send)

MiB = 1 << 20


def limits(**values):
    return "[limits]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())


def drip(wires, byte, enough):
    """Feeds every connection single bytes until all of them have ended."""
    deadline = time.monotonic() + 20 * SLOW
    open_wires = list(wires)
    while open_wires:
        assert time.monotonic() < deadline, f"{len(open_wires)} {enough}"
        select.select([w.sock for w in open_wires], [], [], 0.02)
        for w in open_wires:
            if not w.heard():
                w.say(byte)
        open_wires = [w for w in open_wires if not w.ended]


def upstream_saw(standin):
    return standin.report()["totals"]["requests"]


def alive(proxy):
    return proxy.request("GET", "/healthz")[0] == 200


# --- A1, A2: slow senders ---

def test_A1_slow_headers(start, standin):
    p = start([key("k")], limits(head_timeout="1s"))
    wires = [Raw(p, b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Slow: ") for _ in range(100)]
    assert p.chat()[0] == 200  # others are not held up
    drip(wires, b"x", "slow heads are still open")
    for w in wires:
        assert [a.status for a in answers_in(w.got)] == [408]
    assert upstream_saw(standin) == 1


def test_A1_A4_connect_and_say_nothing(start):
    p = start([key("k")], limits(head_timeout="500ms", keepalive_timeout="1h"))
    before = p.fds()
    with Raw(p) as w:
        assert w.all() == b""
    wires = [Raw(p) for _ in range(500)]
    assert alive(p)
    assert all(w.all() == b"" for w in wires)
    wait_until("all descriptors are closed", lambda: p.fds() <= before)


def test_A4_idle_keep_alive(start):
    p = start([key("k")], limits(head_timeout="20s", keepalive_timeout="500ms"))
    with Raw(p, HZ) as w:
        assert w.answer().status == 200
        assert answers_in(w.all())[0].status == 200  # closed without a word


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_A2_slow_body(start, standin, framing):
    p = start([key("k")], limits(body_timeout="1s"))
    wires = [Raw(p, post(b"", framing, length=False)) for _ in range(20)]
    drip(wires, b"1\r\nx\r\n" if "chunked" in framing else b"x", "slow bodies are still open")
    for w in wires:
        assert [a.status for a in answers_in(w.got)] == [408]
    assert upstream_saw(standin) == 0


def test_A2_a_body_that_comes_fast_enough_is_not_slow(start, standin):
    p = start([key("k")], limits(body_timeout="300ms"))
    body = BODY + b" " * 60000
    with Raw(p, post(b"", f"Content-Length: {len(body)}", length=False)) as w:
        begun = time.monotonic()
        for i in range(0, len(body), 1000):  # longer than body_timeout as a whole, in pieces that come often
            w.say(body[i:i + 1000])
            assert not w.heard(0.02) or i + 1000 >= len(body), w.got
        assert time.monotonic() - begun > 0.3
        assert w.answer().status == 200


def test_A2_a_length_alone_costs_no_memory(start, standin):
    p = start([key("k")], limits(max_body="2M", upload_memory="400M"))
    before = memory(p)
    head = post(b"", f"Content-Length: {2 * MiB}", "Expect: 100-continue", length=False)
    wires = []
    for _ in range(200):  # 100: it is charged
        wires.append(Raw(p, head))
        assert wires[-1].answer().status == 100
    with Raw(p, head) as w:
        answer = w.answer()
    assert memory(p) - before < 30 * MiB
    assert (answer.status, code_of(answer)) == (503, "busy_memory") and answer.headers["retry-after"]
    for w in wires:
        w.sock.close()
    wait_until("the memory is given back", lambda: p.chat()[0] == 200 and
               p.request("POST", CHATS, json.dumps(CHAT) + " " * MiB)[0] == 200)


# --- A4: the cap ---

def test_A4_at_the_cap_the_longest_idle_makes_room(start):
    p = start([key("k")], limits(max_connections=16), env={"SFPROXY_SERVER_WORKERS": "1"})
    wires = [Raw(p, HZ) for _ in range(16)]
    for w in wires:
        assert w.answer().status == 200
    with Raw(p, HZ) as late:
        assert late.answer().status == 200
        assert wires[0].all() and wires[0].ended
        assert wires[-1].say(HZ) and wires[-1].answer(2).status == 200  # the newest was not touched
        late.say(HZ)
        assert late.answer(2).status == 200


def test_A4_at_the_cap_with_nobody_idle(start, standin):
    p = start([key("k", n) for n in range(3)], limits(max_connections=16))
    standin.rules({"match": {"path": CHATS}, "act": {"slow_first_byte_ms": 100000}})
    wires = [Wire(p, {**CHAT, "stream": True}) for _ in range(16)]
    standin.wait(in_flight=16)
    wait_until("16 are counted", lambda: p.snapshot()["totals"]["in_flight"] == 16)
    answer = send(p, b"")[0]
    assert answer.status == 503 and answer.headers["connection"] == "close" and answer.headers["retry-after"]
    assert code_of(answer) == "busy_memory"
    assert standin.report()["totals"]["in_flight"] == 16  # nobody lost a request for it
    for w in wires:
        w.leave("rst")
    standin.wait(in_flight=0)
    wait_until("there is room again", lambda: alive_or_not(p))


def alive_or_not(p):
    try:
        return alive(p)
    except OSError:
        return False


# --- A5, A6: sizes ---

@pytest.mark.parametrize("data, status", [
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET /" + b"a" * 9000, 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(100)) + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: %s\r\n" % (i, b"y" * 800) for i in range(30)) + b"\r\n", 431),
], ids=["long target", "endless target", "long header", "101 headers", "24 KB of headers"])
def test_A5_oversized_heads(proxy, data, status):
    found = send(proxy, data + HZ)
    assert [a.status for a in found] == [status] and found[0].headers["connection"] == "close"
    assert alive(proxy)


def test_A5_at_the_limit(proxy):
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    assert send(proxy, head + b"".join(b"X%d: y\r\n" % i for i in range(98)) + b"\r\n")[0].status == 200
    assert send(proxy, head + b"X: " + b"a" * (8192 - 3) + b"\r\n\r\n")[0].status == 200


def test_A5_ten_megabytes_of_header(proxy):
    before = memory(proxy)
    with Raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nX: ") as w:
        sent = 0
        while sent < 10 * MiB and not w.heard() and w.say(b"x" * 65536):
            sent += 65536
        assert answers_in(w.all())[0].status == 431
    assert memory(proxy) - before < 4 * MiB
    assert alive(proxy)


def test_A6_oversized_bodies(start, standin):
    p = start([key("k")], limits(max_body="1M", max_upload="2M"))
    late = send(p, post(b"", f"Content-Length: {MiB + 1}", length=False))  # no byte of the body is sent
    assert [a.status for a in late] == [413] and code_of(late[0]) == "body_too_large"
    big = [b"x" * 65536] * 16
    found = send(p, chunked_post(chunked(*big, b"x") + HZ))
    assert [a.status for a in found] == [413]
    upload = send(p, post(b"", f"Content-Length: {2 * MiB + 1}", path="/v1/audio/transcriptions", length=False))
    assert [a.status for a in upload] == [413]
    assert upstream_saw(standin) == 0
    exact = BODY + b" " * (MiB - len(BODY))
    assert p.request("POST", CHATS, exact)[0] == 200
    assert send(p, chunked_post(chunked(exact[:500000], exact[500000:]), "Connection: close"))[0].status == 200


# --- A7, A8, A9: framing ---

GOOD = b"%x\r\n" % len(BODY) + BODY + b"\r\n"
END = b"0\r\n\r\n"
BAD_CHUNKS = [
    b"0x10\r\n" + END, b"-1\r\n" + END, b"+5\r\nhello\r\n" + END, b"5 \r\nhello\r\n" + END, b" 5\r\nhello\r\n" + END,
    b"5;\r\nhello\r\n" + END, b"5;=x\r\nhello\r\n" + END, b"5;a=\r\nhello\r\n" + END, b"5;a=\"x\r\nhello\r\n" + END,
    b"5;a\x00\r\nhello\r\n" + END, b"5\nhello\r\n" + END, b"5\r\nhello\n" + END, b"5\r\nhello" + END,
    b"5\r\nhelloX\r\n" + END, b"\r\nhello\r\n" + END, b"g\r\n" + END, b"1_0\r\n" + b"x" * 16 + b"\r\n" + END,
    b"ffffffffffffffff\r\nx", b"10000000000000000\r\nx", b"7fffffffffffffff1\r\nx", b"5\rhello\r\n" + END,
    b"5;" + b"a" * 300 + b"\r\nhello\r\n" + END, b"5 ;a\r\nhello\r\n" + END, b"0" * 300 + b"5\r\nhello\r\n" + END,
    GOOD + b"0\r\nBad Trailer: x\r\n\r\n", GOOD + b"0\r\nX: a\x00\r\n\r\n",
    GOOD + b"0\r\n" + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    GOOD + b"0\n\n", GOOD + b"0\r\n\n", GOOD + b"00x\r\n\r\n", b"\xff\r\n" + END, b"5,5\r\nhello\r\n" + END,
]


@pytest.mark.parametrize("framed", BAD_CHUNKS, ids=lambda b: ascii(b[:24]))
def test_A7_malformed_chunks(shared, standin, framed):
    found = send(shared, chunked_post(framed + HZ))
    assert [a.status for a in found] == [400] and found[0].headers["connection"] == "close"
    assert upstream_saw(standin) == 0


@pytest.mark.parametrize("framed", [
    GOOD + END, b"5;a=b\r\n" + BODY[:5] + b"\r\n%X;x\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n" + END,
    b"000%x\r\n" % len(BODY) + BODY + b"\r\n000\r\n\r\n", GOOD + b"0;a=\"q\\\"\"\r\nTrailer: x\r\n\r\n",
], ids=["plain", "extensions, upper case", "leading zeros", "quoted extension, trailer"])
def test_A7_odd_but_good_chunks(shared, standin, framed):
    found = send(shared, chunked_post(framed) + HZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert [a.status for a in found] == [200, 200]
    assert standin.requests()[-1]["body_sha256"] == hashlib.sha256(BODY).hexdigest()


N = len(BODY)
BAD_FRAMING = [
    [f"Content-Length: {N}", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", f"Content-Length: {N}"],
    [f"Content-Length: {N}", f"Content-Length: {N}"], [f"Content-Length: {N}", f"Content-Length: {N + 1}"],
    [f"Content-Length: {N}, {N}"], [f"Content-Length: +{N}"], [f"Content-Length: -{N}"], ["Content-Length: 0x20"],
    ["Content-Length: "], ["Content-Length: 1e2"], ["Content-Length: 99999999999999999999"], [f"Content-Length: {N}."],
    [f"Content-Length: {N} {N}"], ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked, chunked"], ["Transfer-Encoding: "], ["Transfer-Encoding: ,chunked"],
    ["Transfer-Encoding: chunked,"], ["Transfer-Encoding: chunked;a=b"], ["Transfer-Encoding: \"chunked\""],
    ["Transfer-Encoding: chunked, identity"], ["Transfer-Encoding: chunk\x0bed"], ["Transfer-Encoding : chunked"],
    ["Transfer-Encoding:\x0bchunked"], [f"Content-Length : {N}"], ["Transfer_Encoding: x", "Content-Length: \t"],
    [" Transfer-Encoding: chunked"], ["X: y", " Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked\rX: y"],
]


@pytest.mark.parametrize("lines", BAD_FRAMING, ids=lambda x: ascii(" | ".join(x)))
def test_A8_doubtful_framing(shared, standin, lines):
    found = send(shared, post(BODY, *lines, length=False) + HZ)
    assert [a.status for a in found] == [400] and found[0].headers["connection"] == "close"
    assert upstream_saw(standin) == 0


@pytest.mark.parametrize("coding, status",
                         [("gzip, chunked", 501), ("gzip", 400), ("xchunked", 400), ("identity", 400)])
def test_A8_codings_we_do_not_have(shared, standin, coding, status):
    found = send(shared, post(END, f"Transfer-Encoding: {coding}", length=False) + HZ)
    assert [a.status for a in found] == [status] and found[0].headers["connection"] == "close"
    assert upstream_saw(standin) == 0


def test_A8_chunked_in_http_1_0(shared, standin):
    data = chunked_post(GOOD + END).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert [a.status for a in send(shared, data + HZ)] == [400]
    assert upstream_saw(standin) == 0


def test_A9_nothing_is_smuggled_upstream(shared, standin):
    inner = post(BODY)
    payloads = [post(BODY, *lines, length=False) + inner for lines in BAD_FRAMING]
    payloads += [chunked_post(framed + inner) for framed in BAD_CHUNKS]
    payloads += [
        post(inner, "Connection: close"),                                            # a request as a body
        chunked_post(chunked(b"0\r\n\r\n" + inner), "Connection: close"),
        chunked_post(chunked(BODY) + inner.replace(b"Host", b"Connection: close\r\nHost")),
        post(BODY + inner.replace(b"Host", b"Connection: close\r\nHost"), f"Content-Length: {N}", length=False),
        post(b"", "Content-Length: 0", "Connection: close", length=False),
    ]
    good = 0
    for payload in payloads:
        good += sum(a.status == 200 for a in send(shared, payload))
    totals = standin.report()["totals"]
    assert totals["requests"] == good == 4  # two each of the two that are two honest requests
    assert totals["bad_requests"] == 0 and totals["partial_requests"] == 0


# --- A10, A11 ---

def test_A10_hop_by_hop_fields_stay_here(proxy, standin):
    odd = ["Connection: authorization, keep-alive, content-length, host", "TE: trailers", "Upgrade: h2c",
           "HTTP2-Settings: AAAA",
           "Proxy-Authorization: Basic eA==", "Proxy-Connection: keep-alive", "Keep-Alive: timeout=5",
           "Trailer: X-Late", "Accept-Encoding: gzip, br", "Authorization: Bearer client", "Cookie: a=b", "Via: 1.1 x",
           "X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Api-Key: client", "Host2: x",
           "api-base: http://evil",
           "Origin: http://evil", "Expect: 100-continue"]
    with Raw(proxy, post(BODY, *odd)) as w:
        w.answer(2 if b" 100 " in w.got[:20] else 1)
    standin.wait(completed=1)
    fields = {name.lower(): value for name, value in standin.requests()[-1]["headers"]}
    assert set(fields) <= {"host", "content-type", "content-length", "accept", "accept-encoding", "authorization",
                           "user-agent"}, fields
    assert fields["content-type"] == "application/json"
    assert fields["accept-encoding"] == "identity" and fields["host"] == f"127.0.0.1:{standin.port}"
    assert fields["authorization"].startswith("Bearer sk-good")  # Connection cannot delete ours


def test_A11_pipelining(proxy, standin):
    bodies = [json.dumps({**CHAT, "seed": i, "stream": i % 3 == 0}).encode() for i in range(100)]
    with Raw(proxy) as w:
        w.say(b"".join(post(b, f"X-Request-Id: r{i}", *(["Connection: close"] if i == 99 else []))
                       for i, b in enumerate(bodies)))
        found = w.answers()
    assert [a.headers["x-request-id"] for a in found] == [f"r{i}" for i in range(100)]
    assert {a.status for a in found} == {200}
    assert all((b"[DONE]" in a.body) == (i % 3 == 0) for i, a in enumerate(found))
    assert [r["body_sha256"] for r in standin.requests()] == [hashlib.sha256(b).hexdigest() for b in bodies]


def test_A11_what_follows_a_refused_body_is_not_read(proxy, standin):
    found = send(proxy, post(b"{", f"Content-Length: {1 << 40}", length=False) + post() + HZ)
    assert [a.status for a in found] == [413] and upstream_saw(standin) == 0


# --- A12, A13 ---

def test_A12_http_1_0_stream(proxy):
    found = send(proxy, post(json.dumps({**CHAT, "stream": True}).encode()).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert [a.status for a in found] == [200] and "transfer-encoding" not in found[0].headers
    assert found[0].headers["connection"] == "close" and found[0].body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("data, status", [
    (b"GET /\r\n", 400), (b"GET / \r\n\r\n", 400), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), (b"GET / HTTP/0.9\r\n\r\n", 505), (b"GET / HTTP/1.10\r\n\r\n", 400),
    (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400), (b"\x00\x01\x02\x03\r\n", 400), (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    (b"\x80\x2e\x01\x03\x01", 400),
], ids=lambda x: ascii(x))
def test_A12_other_protocols(shared, data, status):
    found = send(shared, data)
    assert [a.status for a in found] == [status] and found[0].headers["connection"] == "close"


def test_A12_tls_on_the_plain_port_is_told_once(proxy):
    hello = bytes.fromhex("16030100c8010000c40303") + os.urandom(190)
    for _ in range(30):
        assert [a.status for a in send(proxy, hello)] == [400]
    for _ in range(30):
        assert [a.status for a in send(proxy, b"rubbish\r\n\r\n")] == [400]
    wait_until("it is in the log", lambda: "plain HTTP" in proxy.log() and "no HTTP request" in proxy.log())
    lines = [x for x in proxy.log().splitlines() if "127.0.0.1" in x and "listens" not in x]
    assert len(lines) <= 3, lines
    assert "use http://" in lines[0]


@pytest.mark.parametrize("method, path, status", [
    ("HEAD", "/healthz", 200), ("HEAD", "/v1/models", 200), ("OPTIONS", CHATS, 204), ("OPTIONS", "*", 204),
    ("TRACE", CHATS, 405), ("TRACE", "/", 405), ("TRACE", "/healthz", 405), ("CONNECT", "/healthz", 405),
    ("BREW", CHATS, 405), ("GET", CHATS, 405), ("PUT", CHATS, 405), ("DELETE", "/healthz", 405),
    ("get", "/healthz", 405),
    ("HEAD", CHATS, 405), ("POST", "/v1/models", 405), ("BREW", "/v1/no/such", 405),
])
def test_A13_methods(shared, standin, method, path, status):
    data = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    found = send(shared, data, heads=(0,) if method == "HEAD" else ())
    assert [a.status for a in found] == [status]
    if status == 405 or status == 204:
        assert "OPTIONS" in found[0].headers["allow"]
    if method == "HEAD" and status == 200:
        whole = send(shared, data.replace(b"HEAD", b"GET"))[0]
        assert found[0].headers["content-length"] == str(len(whole.body))
        assert set(found[0].headers) == set(whole.headers)
    assert upstream_saw(standin) == 0


# --- A14: leaving ---

def test_A14_half_close(proxy, standin):
    with Raw(proxy, HZ) as w:  # a local answer is given anyway
        w.sock.shutdown(socket.SHUT_WR)
        assert w.answers()[0].status == 200
    standin.rules({"match": {"path": CHATS}, "act": {"stall_before_head": True}})
    with Raw(proxy, post()) as w:  # a request that costs something is abandoned
        standin.wait(in_flight=1)
        w.sock.shutdown(socket.SHUT_WR)
        standin.wait(in_flight=0, cancelled=1)
        assert w.all() == b""
    proxy.wait_idle()
    assert proxy.snapshot()["requests"][0]["reason"] == "client_abort"


# --- A16: Expect ---

def test_A16_expect_continue(start, standin):
    p = start([key("k")], "[clients]\nme = right-client-key\n" + limits(max_body="1M"))
    expect = ["Expect: 100-continue", "Authorization: Bearer "]
    bad = post(b"", expect[0], expect[1] + "wrong", f"Content-Length: {N}", length=False)
    assert [a.status for a in send(p, bad)] == [401]
    large = post(b"", expect[0], expect[1] + "right-client-key", f"Content-Length: {MiB + 1}", length=False)
    assert [a.status for a in send(p, large)] == [413]
    nowhere = post(b"", expect[0], "Content-Length: 5", path="/nowhere", length=False)
    assert [a.status for a in send(p, nowhere)] == [404]
    with Raw(p, post(b"", expect[0], expect[1] + "right-client-key", f"Content-Length: {N}", length=False)) as w:
        assert w.answer().status == 100
        w.say(BODY)
        assert w.answer(2).status == 200
    assert upstream_saw(standin) == 1


# --- A17, A18: injection ---

BAD_LINES = [
    b"X: a\rb", b"X: a\nb", b"X: a\x00b", b"X: a\x0bb", b"X: a\x7fb", b"X : a", b" X: a", b"X\t: a", b": a", b"X", b"",
    b"X: a\r\n folded", b"X: a\r\n\tfolded", b"X\x00: a", b"X\xe9: a", b"X(a): b", b"X a: b", b"X[]: b", b"\"X\": b",
    b"X: a\r\r", b"X: \x1b[31m", b"X: a\x08",
]


@pytest.mark.parametrize("line", [x for x in BAD_LINES if x], ids=ascii)
def test_A17_malformed_header_lines(shared, line):
    found = send(shared, b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + line + b"\r\nY: z\r\n\r\n" + HZ)
    assert [a.status for a in found] == [400] and found[0].headers["connection"] == "close"


def test_A17_line_ends_in_json_are_reflected_nowhere(proxy, standin):
    evil = "a\r\nX-Evil: 1\r\n\r\nHTTP/1.1 200 OK"
    for body in ({**CHAT, "user": evil}, {**CHAT, "model": evil}, {**CHAT, "stream": evil}, {**CHAT, evil: 1}):
        status, headers, answer = proxy.request("POST", CHATS, body)
        assert "x-evil" not in headers and b"\r\nX-Evil" not in answer
        assert status in (200, 400)


NAUGHTY = [
    "undefined", "null", "-1/0", "0x0", "١٢٣", "<script>alert(1)</script>", "' OR 1=1 --", "../../../etc/passwd%00",
    "`id`",
    "$(touch /tmp/x)", "%s%s%s%n", "{{7*7}}", "田中さんにあげて下さい", "👾🙇💁", "\u202etest\u202c", "\u200b\ufeff", "Ω≈ç√∫˜µ≤",
    "ﷺ" * 30,
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞", "a" * 129, "a" * 4000, "\"quoted\"",
    "back\\slash", "semi;colon,comma",
    "sk-notakey", "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "javascript:alert(1)",
    "A:b/c@d-e.f_g",
]


@pytest.mark.parametrize("field", ["X-Request-Id", "User-Agent", "model"])
def test_A18_naughty_strings(proxy, standin, field):
    for text in NAUGHTY:
        if field == "model":
            data = post(json.dumps({**CHAT, "model": text}, ensure_ascii=False).encode(), "Connection: close")
        else:
            data = post(BODY, f"{field}: {text}", "Connection: close")
        answer, = send(proxy, data)
        assert answer.status in ((200, 400) if field == "model" else (200,)), (text, answer)
        reflected = answer.headers["x-request-id"]
        assert re.fullmatch(r"[A-Za-z0-9._:/@-]{1,128}", reflected), reflected
        assert (reflected == text) == (field == "X-Request-Id" and text in ("undefined", "null", "-1/0", "0x0",
                                                                            "sk-notakey",
                                                                            "javascript:alert", "A:b/c@d-e.f_g"))
    log = proxy.log()
    assert all(c == "\n" or c.isprintable() for c in log), ascii(log)
    assert proxy.snapshot()["totals"]["in_flight"] == 0


# --- A19, A20 ---

@pytest.mark.parametrize("path", [
    "/..", "/../etc/passwd", "/dashboard/../../etc/passwd", "/v1/../admin/api/snapshot", "/v1/./models",
    "/%2e%2e/etc/passwd",
    "/v1/%2e%2e/admin/api/keys", "/v1%2fmodels", "/v1/models%00", "/%00", "/healthz%20", "/healthz;a", "/HEALTHZ",
    "/healthz.", "/v1/chat%2fcompletions", "/style.css/../healthz", "/.git/config", "/etc/passwd", "/admin", "/admin/",
    "/admin/api", "/admin/api/nothing", "/sfproxy.conf", "/keys", "/server-status", "/" + "a" * 5000, "/\\..\\x",
    "/~root",
    "/v1/..;/admin/api/keys", "/v1/chat/completions/../../../admin/api/keys", "/.", "/...//..",
])
def test_A19_path_tricks(shared, standin, path):
    found = send(shared, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert [a.status for a in found] == [404], found
    assert b"root:" not in found[0].body and upstream_saw(standin) == 0


@pytest.mark.parametrize("target, status", [
    ("/v1/models#x", 400), ("*", 400), ("http://a/healthz", 200), ("HTTP://evil.example/healthz", 200),
    ("http://127.0.0.1", 401), ("http://evil.example", 421),
    ("ftp://a/healthz", 400), ("http://a:99999/healthz", 400), ("http://u@a/healthz", 400), ("healthz", 400),
    ("//healthz", 200), ("/healthz?a=b&&c", 200), ("/healthz?", 200), ("/" + "a" * 100000, 414), ("/heal\x01thz", 400),
    ("/heal\x7fthz", 400), ("/é", 400),
], ids=lambda x: ascii(x)[:30])
def test_A19_targets(shared, target, status):
    data = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    assert [a.status for a in send(shared, data)] == [status]


@pytest.mark.parametrize("path",
                         ["/v1/chat/completions", "/chat/completions", "//v1//chat//completions",
                          "/v1/v1/chat/completions",
                                  "/v1/chat/completions?&", "/v1/chat/completions/"])
def test_A19_tolerated_paths(shared, standin, path):
    assert send(shared, post(BODY, "Connection: close", path=path))[0].status == 200
    assert standin.requests()[-1]["path"] == CHATS


@pytest.mark.parametrize("lines, status", [
    ("", 400), ("Host: a\r\nHost: a\r\n", 400), ("Host: a\r\nHost: b\r\n", 400), ("Host: \r\n", 400),
    ("Host: a b\r\n", 400),
    ("Host: a/b\r\n", 400), ("Host: u@a\r\n", 400), ("Host: a:b\r\n", 400), ("Host: a:99999\r\n", 400),
    ("Host: [::1\r\n", 400),
    ("Host: a,b\r\n", 400), ("Host: a:\r\n", 200), ("Host: [::1]:80\r\n", 200), ("Host: anything.example:1\r\n", 200),
    ("hOsT: a\r\n", 200), ("Host: é\r\n", 400), ("Host: a#b\r\n", 400), ("Host: a?b\r\n", 400),
    ("Host: [::1]x\r\n", 400),
], ids=ascii)
def test_A20_host(shared, lines, status):
    data = f"GET /healthz HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode()
    assert [a.status for a in send(shared, data)] == [status]


# --- A21: segmentation ---

def essence(found):
    return [(a.status, sorted(set(a.headers) - {"date"}), len(a.body) if a.status == 200 else a.body) for a in found]


@pytest.mark.parametrize("data", [
    post(BODY, "Connection: close"), chunked_post(chunked(BODY[:20], BODY[20:]), "Connection: close"),
    HZ + HZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"\r\n\r\n" + post(BODY, "Connection: close"),
    chunked_post(b"5 \r\nhello\r\n"), b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
], ids=["length", "chunked", "two", "empty lines first", "bad chunk", "bad header"])
def test_A21_segmentation(shared, data):
    whole = essence(send(shared, data))
    for cut in range(1, len(data), 3):
        with Raw(shared, data[:cut]) as w:
            w.heard()
            w.say(data[cut:])
            assert essence(w.answers()) == whole, cut
    with Raw(shared) as w:
        for i in range(len(data)):
            w.say(data[i:i + 1])
        assert essence(w.answers()) == whole


# --- A22, A23: resources ---

def test_A22_out_of_descriptors(proxy, standin):
    standin.rules({"match": {"stream": True}, "act": {"chunks": 60, "chunk_interval_ms": 20}})
    assert proxy.chat()[0] == 200
    stream = Wire(proxy, {**CHAT, "stream": True})
    stream.read_until(b"data: ")
    pid = proxy.process.pid
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(x) for x in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 21, old[1]))
    cpu, begun = cpu_seconds(proxy), time.monotonic()
    wires = [Raw(proxy) for _ in range(400)]
    wait_until("it says so", lambda: "cannot accept connections for a moment" in proxy.log())
    status, body, complete = stream.answer()
    assert status == 200 and complete and body.endswith(b"data: [DONE]\n\n")
    wall = time.monotonic() - begun
    assert cpu_seconds(proxy) - cpu < 0.5 * wall + 0.3, "it spins"
    assert proxy.log().count("cannot accept connections for a moment") <= 7
    for w in wires:
        w.sock.close()
    wait_until("it accepts again", lambda: alive_or_not(proxy))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    assert proxy.chat()[0] == 200


@pytest.fixture
def foreign_home():
    """A directory with the program in it, of a user who has no process: (path, uid)."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become another user")
    home, uid = pathlib.Path(tempfile.mkdtemp(prefix="sfproxy-")), 60000 + os.getpid() % 5000
    shutil.copy(BINARY, home / "sfproxy")
    os.chown(home, uid, uid)
    home.chmod(0o755)
    yield home, uid
    shutil.rmtree(home)


@pytest.mark.parametrize("threads, sentence",
                         [(1, "cannot start the disk thread"), (2, "cannot start the resolver's thread"),
                                               (3, "cannot start worker thread 1"),
                          (4, "cannot start worker thread 2")])
def test_A23_no_thread(foreign_home, threads, sentence):
    """RLIMIT_NPROC counts the threads of a user, and binds everybody but root."""
    home, uid = foreign_home
    conf = home / "sfproxy.conf"
    conf.write_text(f"[server]\nlisten = 127.0.0.1:{free_port()}\nworkers = 4\n")
    conf.chmod(0o644)
    done = subprocess.run([str(home / "sfproxy"), "-c", str(conf), "--state", str(home / "state"), "--headless"],
                          user=uid, group=uid, extra_groups=[],
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads)),
                          capture_output=True, text=True, timeout=20 * SLOW,
                          env={"HOME": str(home), "PATH": "/usr/bin",
                               "ASAN_OPTIONS": "detect_leaks=0"})  # its leak check wants a thread, too
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert sentence in done.stderr and "BUG" not in done.stderr and "Sanitizer" not in done.stderr, done.stderr


# --- A24, A25 ---

@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "gzip, gzip"])
def test_A24_encoded_bodies(shared, standin, coding):
    found = send(shared, post(b"\x1f\x8b\x08" + b"\0" * 50, f"Content-Encoding: {coding}", "Connection: close"))
    assert [a.status for a in found] == [415] and code_of(found[0]) == "unsupported_encoding"
    assert upstream_saw(standin) == 0
    assert send(shared, post(BODY, "Content-Encoding: identity", "Connection: close"))[0].status == 200


FORM = "/v1/audio/transcriptions"


def form(boundary, parts, end=True):
    b = boundary.encode()
    body = b"".join(b"--" + b + b"\r\nContent-Disposition: form-data; name=\"" + n + b"\"\r\n\r\n" + v + b"\r\n" for n,
                    v in parts)
    return body + (b"--" + b + b"--\r\n" if end else b"")


def multipart(body, boundary):
    return (f"POST {FORM} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


MODEL_PART = (b"model", b"FunAudioLLM/SenseVoiceSmall")


def test_A25_multipart(shared, standin):
    rows = [
        (form("x" * 71, [MODEL_PART]), "x" * 71, 400),
        (form("x", [MODEL_PART], end=False), "x", 400),
        (form("x", [MODEL_PART]), "y", 400),
        (form("x", [MODEL_PART, MODEL_PART]), "x", 400),
        (form("x", [(b"f%d" % i, b"") for i in range(20000)]), "x", 400),
        (b"--x" * 100000, "x", 400),
        (b"", "x", 400),
    ]
    for body, boundary, status in rows:
        assert [a.status for a in send(shared, multipart(body, boundary))] == [status], body[:60]
    assert [a.status for a in send(shared, multipart(form("x", [MODEL_PART]), "x" * MiB)[:200000])] == [431]
    assert upstream_saw(standin) == 0
    many = form("x" * 70, [(b"f", b"v") for _ in range(100000)] + [MODEL_PART, (b"file", b"RIFF")])
    before = cpu_seconds(shared)
    assert [a.status for a in send(shared, multipart(many, "x" * 70))] == [200]
    assert cpu_seconds(shared) - before < 2 * SLOW
    row = standin.requests()[-1]
    assert row["body_sha256"] == hashlib.sha256(many).hexdigest() and row["model"] == MODEL_PART[1].decode()
