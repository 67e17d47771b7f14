"""What only a long time shows (docs/testing-catalogue.md, part E), as far as minutes can: `make soak` has the rest."""
import http.client
import json
import os
import pathlib

import pytest

from harness import CHAT, MODE, Wire, key, load, wait_until

CHATS = "/v1/chat/completions"


def in_use(p, standin):
    """Once nothing happens any more: (descriptors without pooled connections to the stand-in, threads)."""
    def counted():
        totals = p.snapshot()["totals"]
        return totals["in_flight"] == 0 and totals["leases"] == 0 and totals["connections"] <= 1
    wait_until("it is idle", counted)
    standin.wait(in_flight=0)
    to_standin = {row.split()[9] for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
                  if row.split()[2].endswith(f":{standin.port:04X}")}
    folder, own = f"/proc/{p.process.pid}", 0
    for fd in os.listdir(folder + "/fd"):
        try:
            target = os.readlink(f"{folder}/fd/{fd}")
        except OSError:  # of the question itself
            continue
        own += not (target.startswith("socket:[") and target[8:-1] in to_standin)
    return own, len(os.listdir(folder + "/task"))


def test_E2_descriptors_and_threads(start, standin):
    """As many as before, whatever happened: answers, streams, refusals, failures, cuts, clients that leave, tests of keys,
    reloads."""
    keys = [key("k", n) for n in range(4)]
    p = start(keys)
    load(p, 20)
    before = in_use(p, standin)
    standin.rules({"match": {"path": CHATS, "every": 7}, "act": {"preset": "429_rpm", "headers": {"Retry-After": "1"}}},
                  {"match": {"path": CHATS, "every": 11}, "act": {"close_before_head": True}},
                  {"match": {"path": CHATS, "stream": True, "every": 5}, "act": {"cut": 2}},
                  {"match": {"path": CHATS, "stream": True}, "act": {"chunks": 5, "chunk_interval_ms": 20}})
    for turn in range(5):
        load(p, 60, clients=12)
        for how in ("fin", "rst") * 4:
            w = Wire(p, {**CHAT, "stream": True})
            w.read_until(b"HTTP/1.1 ")
            w.leave(how)
        p.api("POST", "keys/test", {"what": "all"})
        p.write_conf(keys, f"[models]\nban = nobody/{turn}\n")
        p.api("POST", "reload")
    wait_until("as many as before", lambda: in_use(p, standin) == before)


def rss_kb(p):
    text = pathlib.Path(f"/proc/{p.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif(MODE in ("asan", "tsan"), reason="a sanitizer keeps what was freed")
def test_E6_names_from_outside_fill_nothing(start, standin):
    """Each request with a model, a program name and a trace id that were never seen before, every fifth from a new
    address. Tables fill to their limits (8192 cells of key and model, 4096 known models in each worker), and then
    nothing grows."""
    p = start([key("k", n) for n in range(4)])
    for n in range(0, 10000, 5):
        ask(p, n, 5)
    warm = rss_kb(p)
    for n in range(10000, 15000, 5):
        ask(p, n, 5)
    assert rss_kb(p) < warm + 4096  # 0.9 MB was seen; the ledger's queue and SQLite's cache are in it
    s = p.wait_idle()
    assert s["totals"]["requests_total"] == 15000
    assert len(s["clients"]) <= 257 and sum(c["requests"] for c in s["clients"]) == 15000
    assert len(s["models"]) < 700


def ask(p, n, count):
    source = f"127.{1 + n // 60000}.{n // 250 % 240}.{1 + n % 250}"
    connection = http.client.HTTPConnection(*p.address, timeout=20, source_address=(source, 0))
    for i in range(n, n + count):
        body = json.dumps({**CHAT, "model": f"made/up-{i}"})
        connection.request("POST", CHATS, body, {"Content-Type": "application/json", "User-Agent": f"made-up/{i}",
                                                 "X-Trace-Id": f"t{i}"})
        connection.getresponse().read()
    connection.close()
