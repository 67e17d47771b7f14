"""`make soak`: a long run under mixed load, with everything that changes state going on beside it.

    python3 tests/bench/soak.py [--seconds 1800] [--rps 400] [--sfproxy build/sfproxy] [--seed 1]

Load: build/traffic (a connection for each request, one in sixteen goes away early) and checking clients on keep-alive
connections (chat, stream, embeddings, aborts in the middle). The stand-in refuses, fails, delays and cuts now and then.
Beside it: a reload every 10 s, each with a changed file, and about two commands a second over control.sock.

At the end, after everything is idle, it must hold that
  * descriptors (idle pooled connections to the upstream apart) and threads are as many as before, no lease is out;
  * memory grew by less than 10 KB a minute: linear fit of RSS, the lowest of each minute (what comes and goes is no
    growth), over the last two thirds (judged from 20 minutes on; shorter runs only print it, since the warm-up is in
    them);
  * no client saw an error that the script did not ask for;
  * requests and tries are as many as the clients and the stand-in counted.
The exit code says whether all of it did."""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYS, PARKED = 12, 4  # of them; the first PARKED are switched off and on
CLIENTS, SAMPLE_S, RELOAD_S, COMMAND_S = 8, 5, 10, 0.5
SLOPE_LIMIT, SLOPE_JUDGED_FROM_S = 10.0, 1200  # KB a minute
FAULTS = [
    {"match": {"path": "/v1/chat/completions", "every": 2003}, "act": {"preset": "429_rpm"}},
    {"match": {"path": "/v1/chat/completions", "every": 1009}, "act": {"preset": "503_50505"}},
    {"match": {"path": "/v1/chat/completions", "every": 997}, "act": {"close_before_head": True}},
    {"match": {"path": "/v1/chat/completions", "stream": True, "every": 499}, "act": {"cut": 3}},
    {"match": {"path": "/v1/chat/completions", "every": 251}, "act": {"latency_ms": 400}},
    {"match": {"path": "/v1/chat/completions", "every": 211}, "act": {"connection_close": True}},
]
CLOSED, CUT = 2, 3  # their places
MODELS = ["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3.2", "Qwen/Qwen3-32B", "THUDM/GLM-Z1-9B-0414"]


class Client(threading.Thread):
    """One keep-alive client: requests at a steady pace, every answer judged. Keeps its counts to itself."""

    def __init__(self, proxy, rps, seed, stop):
        super().__init__(daemon=True)
        self.proxy, self.gap, self.random, self.stop = proxy, 1 / rps, random.Random(seed), stop
        self.seen = collections.Counter()
        self.examples = {}
        self.connection = None

    def run(self):
        due = time.monotonic()
        while not self.stop.is_set():
            due = max(due + self.gap, time.monotonic() - 1)
            self.stop.wait(max(0, due - time.monotonic()))
            self.one()

    def one(self):
        kind = self.random.choices(["chat", "stream", "embeddings", "abort"], [35, 35, 20, 10])[0]
        if not self.connection:
            self.connection = http.client.HTTPConnection(*self.proxy.address, timeout=60)
        try:
            self.connection.request("POST", *self.request_of(kind), {"Content-Type": "application/json"})
            self.seen["sent"] += 1
            response = self.connection.getresponse()
            if kind == "abort" and response.status == 200:
                response.read(100)
                result = "left"
                self.drop()
            else:
                result = judge(kind, response.status, response.read())
        except (OSError, http.client.HTTPException) as e:
            self.drop()
            result = ("cut " if isinstance(e, http.client.IncompleteRead) else "lost ") + kind
            if isinstance(e, http.client.IncompleteRead) and b'"error"' in e.partial:
                result = "cut, said so"
        self.seen[result] += 1

    def request_of(self, kind):
        if kind == "embeddings":
            return "/v1/embeddings", json.dumps({"model": "BAAI/bge-m3", "input": "hi" * self.random.randrange(1, 200)})
        words = "hi " * self.random.randrange(1, 2000)
        body = {"model": self.random.choice(MODELS), "messages": [{"role": "user", "content": words}]}
        return "/v1/chat/completions", json.dumps({**body, "stream": kind != "chat"})

    def drop(self):
        self.connection.close()
        self.connection = None


def judge(kind, status, body):
    if status != 200:
        code = json.loads(body).get("error", {}).get("code") if body[:1] == b"{" else body[:60]
        return f"{status} {code}"
    if kind in ("stream", "abort"):
        return "ok" if body.rstrip().endswith(b"data: [DONE]") else "stream without its end"
    json.loads(body)
    return "ok"


class Meddler(threading.Thread):
    """Reloads and commands over control.sock, some of them refused; none may ever go unanswered."""

    def __init__(self, proxy, keys, seed, stop):
        super().__init__(daemon=True)
        self.proxy, self.keys, self.random, self.stop = proxy, keys, random.Random(seed), stop
        self.seen = collections.Counter()

    def run(self):
        next_reload, turn = time.monotonic() + RELOAD_S, 0
        while not self.stop.wait(COMMAND_S):
            try:
                if time.monotonic() >= next_reload:
                    next_reload += RELOAD_S
                    turn += 1
                    self.reload(turn)
                else:
                    self.command()
            except Exception as e:  # a thread that dies unseen would make the run look good
                self.seen[f"failed: {e!r}"] += 1

    def reload(self, turn):
        self.proxy.write_conf(self.keys, f"[models]\nban = nobody/model-{turn}\n")
        self.ask("POST", "reload", None)

    def command(self):
        ids = [k["id"] for k in self.proxy.snapshot()["keys"] if k["from_file"]]
        one, parked = self.random.choice(ids), self.random.choice(ids[:PARKED])
        new = f"sk-extra{self.random.randrange(8)}CANARY7f3e9b".ljust(50, "x")
        added = [k["id"] for k in self.proxy.snapshot()["keys"] if not k["from_file"]]
        choices = [
            ("POST", f"keys/{parked}/disable", None), ("POST", f"keys/{parked}/enable", None),
            ("POST", f"keys/{parked}/enable", None), ("POST", f"keys/{one}/test", None),
            ("POST", f"keys/{one}/reset", None), ("POST", f"keys/{one}/label", {"label": f"n{self.random.random():.4f}"}),
            ("POST", f"keys/{one}/balance", {"balance": "12.50"}), ("POST", "keys", new),
            ("POST", "keys/test", {"what": "all"}), ("POST", "keys/test", {"what": "stop"}),
            ("POST", "models/ban", {"model": "nobody/else"}), ("POST", "models/unban", {"model": "nobody/else"}),
            ("GET", "requests", None), ("GET", "models", None), *[("DELETE", f"keys/{i}", None) for i in added]]
        self.ask(*self.random.choice(choices))

    def ask(self, method, path, body):
        status, _ = self.proxy.control(method, "/admin/api/" + path, body)
        verb = path.split("/")[-1] if method != "DELETE" else "remove"
        self.seen[f"{verb} {status}"] += 1


def upstream_sockets(port):
    """Inodes of this machine's TCP sockets whose other end is the stand-in."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {r[9] for r in rows if r[2].endswith(f":{port:04X}")}


def usage_of(proxy, standin):
    """(descriptors without pooled upstream connections, those, threads)."""
    pooled, pool, own = upstream_sockets(standin.port), 0, 0
    folder = f"/proc/{proxy.process.pid}"
    for fd in os.listdir(folder + "/fd"):
        try:
            target = os.readlink(f"{folder}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in pooled:
            pool += 1
        else:
            own += 1
    return own, pool, len(os.listdir(folder + "/task"))


def rss_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def lowest_of_each_minute(samples):
    lowest = {}
    for at, kb in samples:
        lowest[int(at // 60)] = min(lowest.get(int(at // 60), (at, kb)), (at, kb), key=lambda s: s[1])
    return list(lowest.values())


def slope_per_minute(samples):
    """Least squares over (seconds, KB)."""
    n = len(samples)
    mean_x, mean_y = sum(s[0] for s in samples) / n, sum(s[1] for s in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


def settle(proxy, standin):
    """Idle, and only the connection that asks is open."""
    proxy.wait_idle()
    harness.wait_until("the clients' connections are closed", lambda: proxy.snapshot()["totals"]["connections"] <= 1)
    standin.wait(in_flight=0)
    return usage_of(proxy, standin)


def sample(proxy, seconds):
    began, out = time.monotonic(), []
    while (at := time.monotonic() - began) < seconds:
        out.append((at, rss_kb(proxy.process.pid)))
        time.sleep(min(SAMPLE_S, max(0.1, seconds - at)))
        if len(out) % 12 == 0:
            print(f"  {at / 60:5.1f} min  RSS {out[-1][1]} KB  {proxy.snapshot()['totals']['requests_total']} requests",
                  flush=True)
    return out


def tries_seen(standin):
    report = standin.report(1)
    fired = [r.get("fired", r.get("hits", 0)) for r in report["rules"]]
    return sum(m["requests"] for k in report["keys"].values() for m in k["models"].values()), fired


def run_load(proxy, keys, options):
    """Load for that long; returns RSS samples, what clients saw, what the meddler saw, and how many requests were sent
    with how many of them dropped at the end, when it is open whether they arrived."""
    stop, clients_rps = threading.Event(), options.rps * 0.4
    clients = [Client(proxy, clients_rps / CLIENTS, options.seed + i, stop) for i in range(CLIENTS)]
    meddler = Meddler(proxy, keys, options.seed, stop)
    with tempfile.TemporaryFile("w+") as said:
        traffic = subprocess.Popen([str(harness.BUILD / "traffic"), "--url", proxy.url, "--rps", str(options.rps * 0.6),
                                    "--seed", str(options.seed)], stdout=said, stderr=said)
        for t in [*clients, meddler]:
            t.start()
        samples = sample(proxy, options.seconds)
        stop.set()
        for t in [*clients, meddler]:
            t.join(90)
            if t.is_alive():
                meddler.seen["failed: a thread hangs"] += 1
        traffic.terminate()
        traffic.wait(30)
        said.seek(0)
        line = said.read().strip()
    seen = sum((c.seen for c in clients), collections.Counter())
    for c in clients:
        if c.connection:
            c.drop()
    print(line)
    started, answered, left, _ = map(int, re.findall(r"\d+", line))
    return samples, seen, meddler.seen, (started + seen["sent"], started - answered - left)


def verdicts(before, after, totals, seen, meddled, standin, options, samples):
    """(holds, sentence) of everything that must hold."""
    tries, fired = tries_seen(standin)
    fit = samples[len(samples) // 3:]
    slope = slope_per_minute(lowest_of_each_minute(fit))
    cuts = fired[CUT] if fired else 0
    good = {"sent", "ok", "left", "cut, said so"}
    wrong = {k: n for k, n in seen.items() if k not in good}
    failed = {k: n for k, n in meddled.items() if k.startswith("failed") or k.split()[-1].startswith("5")}
    ends = totals["ends"]
    bad_ends = {k: ends[k] for k in ("upstream_error", "no_key", "timeout", "client_stalled", "killed") if ends[k]}
    yield before[0] == after[0], f"descriptors: {before[0]} before, {after[0]} after; pooled {before[1]} and {after[1]}"
    yield before[2] == after[2], f"threads: {before[2]} before, {after[2]} after"
    yield totals["leases"] == 0 and totals["in_flight"] == 0, f"leases {totals['leases']}, in flight {totals['in_flight']}"
    yield slope < SLOPE_LIMIT or options.seconds < SLOPE_JUDGED_FROM_S, \
        f"RSS: {slope:.1f} KB a minute over the last {fit[-1][0] - fit[0][0]:.0f} s ({slope_per_minute(fit):.1f} over all samples), " \
        f"{samples[0][1]} KB to {samples[-1][1]} KB, at most {max(s[1] for s in samples)}"
    yield not wrong, f"errors that clients should not see: {wrong or 'none'}"
    yield not bad_ends, f"ends of requests that nobody scripted: {bad_ends or 'none'}; all: {ends}"
    yield ends["stream_broken"] <= cuts, f"broken streams: {ends['stream_broken']}, scripted {cuts}"
    yield not failed, f"commands: {sum(meddled.values())}, failed: {failed or 'none'}"
    again = fired[CLOSED] if fired else 0
    yield abs(totals["tries"] - tries) <= again, \
        f"tries: {totals['tries']} here, {tries} at the stand-in (libcurl may repeat the {again} closed connections)"
    yield totals["requests_total"] == sum(ends.values()), \
        f"requests: {totals['requests_total']} admitted in all, {sum(ends.values())} ended"


def soak(options):
    keys = [harness.key("soak", n) for n in range(KEYS)]
    standin = harness.Standin()
    try:
        standin.script(rules=FAULTS)
        proxy = harness.Proxy(standin, keys)
        for _ in range(20):  # warm: workers, shards, the ledger
            proxy.chat()
        standin.reset()
        before, count = settle(proxy, standin), proxy.snapshot()["totals"]
        samples, seen, meddled, asked = run_load(proxy, keys, options)
        after = settle(proxy, standin)
        totals = proxy.snapshot()["totals"]
        totals["tries"] -= count["tries"]
        admitted = totals["requests_total"] - count["requests_total"]
        print(f"{totals['requests_total']} requests in {options.seconds} s, {totals['requests_total'] / options.seconds:.0f} "
              f"a second; clients that check: {dict(seen)}\ncommands: {dict(meddled)}")
        results = list(verdicts(before, after, totals, seen, meddled, standin, options, samples))
        results.append((asked[0] - asked[1] <= admitted <= asked[0],
                        f"requests: {asked[0]} sent by clients, {asked[1]} of them dropped at the end; {admitted} admitted"))
        proxy.close()  # no lease, no BUG line, no key in anything written
    finally:
        standin.close()
    for holds, sentence in results:
        print("ok    " if holds else "FAILED", sentence)
    return all(holds for holds, _ in results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--rps", type=float, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sfproxy", default=os.environ.get("SFPROXY", str(ROOT / "build/sfproxy")))
    parsed = parser.parse_args()
    os.environ["SFPROXY"] = parsed.sfproxy
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    import harness
    sys.exit(0 if soak(parsed) else 1)
