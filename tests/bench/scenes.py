"""Parts e, f and g of the bench: what a proxy does with thousands of waiting requests, with clients that leave, and with
clients that read slowly. Each scene gets a freshly started proxy and returns one dict of figures."""

import json
import socket
import statistics
import struct
import time
from http.client import HTTPConnection
from pathlib import Path

WAITING = 6000
LEAVERS = 12  # per phase and way of leaving
READERS, BIG_ANSWER = 8, 32 << 20

SCRIPT = {"rules": [{"match": {"model": "hold/waiting"}, "act": {"stall_before_head": True}},
                    {"match": {"model": "hold/stream"}, "act": {"chunks": 100000, "chunk_interval_ms": 50}}]}


def ask(upstream, method, path, body=None):
    c = HTTPConnection("127.0.0.1", upstream, timeout=30)
    c.request(method, "/_standin/" + path, json.dumps(body) if body is not None else None)
    answer = json.loads(c.getresponse().read() or "null")
    c.close()
    return answer


def request(model, stream=False):
    body = json.dumps({"model": model, "stream": stream, "messages": []}).encode()
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-bench\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


def send(port, what, receive_buffer=0):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.connect(("127.0.0.1", port))
    s.sendall(what)
    return s


def waiting(bench, port, pid):
    """(e) CPU of a small request alone and beside thousands that wait for their first byte."""
    small = ("req", "--model", "bench/json-2048", "-b", 1024, "-t", bench.options.seconds, "-c", 64)
    alone = bench.load(*small, port=port, pid=pid)
    ask(bench.upstream, "POST", "script", SCRIPT)
    held = []
    try:
        for i in range(WAITING):
            held.append(send(port, request("hold/waiting")))
            if i % 200 == 0:
                time.sleep(0.02)
        there = ask(bench.upstream, "GET", f"wait?in_flight_min={WAITING}&timeout_ms=20000")["ok"]
        beside = bench.load(*small, port=port, pid=pid)
    finally:
        for s in held:
            s.close()
    ask(bench.upstream, "GET", "wait?in_flight=0&timeout_ms=20000")
    return {"errors": alone["errors"] + beside["errors"] + (not there),
            "alone_us": alone["cpu_us"] / max(alone["requests"], 1),
            "beside_us": beside["cpu_us"] / max(beside["requests"], 1)}


def leave(s, reset):
    if reset:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    at = time.monotonic_ns()
    s.close()
    return at


def one_cancel(bench, port, streaming, reset):
    """Milliseconds until the stand-in saw its request given up; None: not within two seconds."""
    ask(bench.upstream, "POST", "reset")
    s = send(port, request("hold/stream" if streaming else "hold/waiting", streaming))
    if streaming:
        s.recv(4096)
    ask(bench.upstream, "GET", f"wait?{'open_streams' if streaming else 'in_flight'}=1&timeout_ms=5000")
    left_at = leave(s, reset)
    if not ask(bench.upstream, "GET", "wait?cancelled=1&timeout_ms=2000")["ok"]:
        return None
    row = ask(bench.upstream, "GET", "report?last=1")["requests"][-1]
    return (row["cancelled"]["monotonic_ns"] - left_at) / 1e6


def cancels(bench, port, _pid):
    """(f) From the client's close() to the stand-in's clock when it lost the request."""
    ask(bench.upstream, "POST", "script", SCRIPT)
    out = {"errors": 0}
    for name, streaming, reset in (("waiting_fin", False, False), ("waiting_rst", False, True),
                                   ("streaming_fin", True, False), ("streaming_rst", True, True)):
        delays = []
        for _ in range(LEAVERS):
            delays.append(one_cancel(bench, port, streaming, reset))
            if delays[-1] is None:
                break
        seen = None not in delays
        out[name] = statistics.median(delays) if seen else None
        out[name + "_max"] = max(delays) if seen else None
    ask(bench.upstream, "POST", "clear")
    return out


def pss_kb(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def slow_readers(_bench, port, pid):
    """(g) Clients with a small receive buffer that read 4 KB a second of a large answer."""
    before = pss_kb(pid)
    readers = [send(port, request(f"bench/json-{BIG_ANSWER}"), 16384) for _ in range(READERS)]
    most, got = 0, 0
    for _ in range(12):
        got += sum(len(s.recv(1024)) for s in readers)
        time.sleep(0.25)
        most = max(most, pss_kb(pid) - before)
    for s in readers:
        s.close()
    return {"errors": int(got == 0), "kb_per_reader": most / READERS}


SCENES = {"e": waiting, "f": cancels, "g": slow_readers}


def milliseconds(name):
    return lambda r: r[name]


TITLES = {
    "e": f"**(e) small requests beside {WAITING:,} that wait for their first byte**",
    "f": f"**(f) a client leaves: ms until the upstream's request is given up, median / longest of {LEAVERS}**",
    "g": f"**(g) {READERS} clients that read 4 KB a second of {BIG_ANSWER >> 20} MB, receive buffer 16 KB**",
}
COLUMNS = {
    "e": [("alone, CPU us/request", lambda r: r["alone_us"], 1, False),
          (f"beside {WAITING:,}", lambda r: r["beside_us"], 1, True),
          ("factor", lambda r: r["beside_us"] / r["alone_us"], 2, False)],
    "f": [(f"{phase}, {how.upper()}{', longest' if longest else ''}", milliseconds(f"{phase}_{how}{longest}"), 1, False)
          for phase in ("waiting", "streaming") for how in ("fin", "rst") for longest in ("", "_max")],
    "g": [("KB/reader (most)", lambda r: r["kb_per_reader"], 0, False)],
}
