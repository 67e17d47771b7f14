"""The ledger: exactly one row per admitted request, figures that survive a restart, and everything that can go wrong with
the disk under it."""
import json
import os
import random
import sqlite3
import threading
import time

import pytest
from harness import CHAT, Proxy, Standin, Wire, key, load, wait_until

COUNT = int(os.environ.get("LEDGER_REQUESTS", "2000"))
KILLS = int(os.environ.get("LEDGER_KILLS", "8"))
QUIET = "[log]\nlevel = warn\n"


def read(proxy, sql, *args):
    with sqlite3.connect(f"file:{proxy.state_dir}/state.db?mode=ro", uri=True, timeout=20) as db:
        return db.execute(sql, args).fetchall()


def number(proxy, sql, *args):
    return read(proxy, sql, *args)[0][0]


def wait_rows(proxy, count):
    wait_until(f"{count} rows in the ledger", lambda: number(proxy, "SELECT count(*) FROM request") >= count)
    return number(proxy, "SELECT count(*) FROM request")


def test_a_row_says_what_happened(standin, start):
    """A refused try, then a stream that is answered."""
    p = start([f"main = {key('main')}", f"second = {key('second')} account=B"])
    standin.rules({"match": {"key": key("main")}, "times": 1, "act": {"preset": "429_rpm"}})
    status, head, _ = p.chat(stream=True)
    assert status == 200
    wait_rows(p, 1)
    row = dict(zip([c[1] for c in read(p, "PRAGMA table_info(request)")], read(p, "SELECT * FROM request")[0]))
    ids = {k["label"]: k["id"] for k in p.snapshot()["keys"]}
    sent = standin.requests()[-1]
    assert row["model"] == row["asked"] == CHAT["model"]
    assert row["status"] == 200 and row["reason"] == "ok" and row["stream"] == 1
    assert row["path"] == "/chat/completions" and row["client"] == "127.0.0.1"
    assert row["tokens_in"] == sent["tokens_in"] and row["tokens_out"] == sent["tokens_out"]
    assert row["attempts"] == int(head["x-sfproxy-attempts"])
    assert row["key_id"] in ids.values()
    if row["key_id"] == ids["second"]:
        assert row["account"] == "B"
    assert abs(row["time"] / 1000 - time.time()) < 60 and 0 <= row["ttft"] <= row["duration"]
    assert row["bytes_down"] > 0
    assert row["day"] == int(time.strftime("%Y%m%d", time.gmtime(row["time"] / 1000 + 8 * 3600)))


def test_only_admitted_requests_have_a_row(standin, start):
    p = start([key("main")], "[server]\nclient_key = secret\n")
    auth = {"Authorization": "Bearer secret"}
    assert p.chat()[0] == 401
    assert p.request("GET", "/v1/models", headers=auth)[0] == 200
    assert p.request("POST", "/v1/chat/completions", "{", headers=auth)[0] == 400
    assert p.request("POST", "/v1/chat/completions", {"messages": []}, headers=auth)[0] == 400
    assert p.request("GET", "/healthz")[0] == 200
    assert p.chat(headers=auth)[0] == 200
    assert wait_rows(p, 1) == 1
    assert read(p, "SELECT client FROM request") == [("default",)]
    assert p.stop() == 0
    assert number(p, "SELECT count(*) FROM request") == 1


class Mixed:
    """Clients that do everything a client may do, and what the proxy is expected to have counted."""

    RULES = [
        {"match": {"model": "m/400"}, "act": {"preset": "400_20015"}},
        {"match": {"model": "m/429", "every": 2}, "act": {"preset": "429_tpm"}},
        {"match": {"model": "m/5xx", "every": 3}, "act": {"preset": "503_50505"}},
        {"match": {"model": "m/cut", "stream": True}, "act": {"cut": 3}},
        {"match": {"model": "m/slow", "stream": True}, "act": {"chunks": 50, "chunk_interval_ms": 20}},
        {"match": {"model": "m/stall"}, "act": {"stall": 2, "stall_ms": 100}},
    ]
    MODELS = ["m/fine", "m/fine", "m/fine", "m/400", "m/429", "m/5xx", "m/cut", "m/stall"]

    def __init__(self, proxy, seed):
        self.proxy, self.random = proxy, random.Random(seed)
        self.sent = 0
        self.lock = threading.Lock()

    def one(self):
        with self.lock:
            self.sent += 1
            kind = self.random.random()
            model = self.random.choice(self.MODELS)
            stream = self.random.random() < 0.5
        if kind < 0.05:
            self.abort()
            return
        try:
            self.proxy.chat(model, stream=stream)
        except (OSError, ValueError, Exception):  # a stream that was cut: the client sees it as it likes
            pass

    def abort(self):
        wire = Wire(self.proxy, {**CHAT, "model": "m/slow", "stream": True})
        wire.read_until(b"data: ")
        wire.leave("rst")

    def run(self, count, clients=16):
        def client(n):
            for _ in range(n):
                self.one()
        threads = [threading.Thread(target=client, args=(count // clients,)) for _ in range(clients)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def test_every_admitted_request_has_one_row(standin, start):
    """The figures of the rows are those of the platform; sums and slices say the same as the rows."""
    standin.rules(*Mixed.RULES)
    p = start([f"k{i} = {key('k', i)} account=A{i}" for i in range(6)], QUIET + "[upstream]\nmax_attempts = 2\n")
    mixed = Mixed(p, 7)
    mixed.run(COUNT)
    totals = p.wait_idle()["totals"]
    assert totals["requests_total"] == mixed.sent
    assert wait_rows(p, mixed.sent) == mixed.sent
    reasons = dict(read(p, "SELECT reason, count(*) FROM request GROUP BY reason"))
    assert reasons == {k: v for k, v in totals["ends"].items() if v}
    assert {"ok", "client_error", "client_abort", "stream_broken"} <= set(reasons)
    assert number(p, "SELECT sum(attempts) FROM request") == totals["tries"]
    # completed ones: token for token what the platform counted
    rows = [r for r in standin.report(20000)["requests"] if r["path"].endswith("/chat/completions")]
    done = [r for r in rows if r["ending"] == "completed" and r["status"] == 200]
    assert len(rows) == totals["tries"]
    assert reasons["ok"] == len(done) - number(
        p, "SELECT count(*) FROM request WHERE reason IN ('client_abort', 'client_stalled') AND tokens_out = 50")
    assert read(p, "SELECT sum(tokens_in), sum(tokens_out) FROM request WHERE reason = 'ok'") == [
        (sum(r["tokens_in"] for r in done), sum(r["tokens_out"] for r in done))]
    # three ways to say it
    sums = "sum(requests), sum(ok), sum(errors), sum(attempts), sum(tokens_in), sum(tokens_out)"
    days = read(p, f"SELECT {sums} FROM day_total")[0]
    assert days == read(p, "SELECT count(*), sum(reason = 'ok'), sum(reason NOT IN ('ok', 'client_error', 'client_abort',"
                           " 'client_stalled')), sum(attempts), sum(tokens_in), sum(tokens_out) FROM request")[0]
    assert days[2] == totals["errors"]
    slices = dict((k, (r, t)) for k, r, t in read(p, "SELECT kind, sum(requests), sum(tokens) FROM slice GROUP BY kind"))
    assert slices[0] == (mixed.sent, days[4] + days[5]) == slices[1] == slices[2]
    assert slices[3] == (totals["tries"], days[4] + days[5])
    assert totals["rpd"] == mixed.sent and totals["tpd"] == days[4] + days[5]
    assert number(p, "SELECT count(*) FROM request WHERE reason <> 'client_abort' AND status IS NULL") == 0


def test_figures_come_back_after_a_restart(standin, start):
    """Windows, graphs and sums of today: of the whole, keys, models and clients; and nothing is counted twice."""
    p = start([f"main = {key('main')}", f"second = {key('second')}"])
    load(p, 60, clients=4)
    p.chat("Qwen/Qwen2.5-7B-Instruct")
    before = p.wait_idle()
    wait_rows(p, 61)
    assert p.stop() == 0
    p.start()
    for _ in range(2):
        after = p.snapshot()
        for name in ("rpd", "tpd"):
            assert after["totals"][name] == before["totals"][name]
        for part, name in (("keys", "id"), ("models", "id"), ("clients", "name")):
            was = {x[name]: (x["rpd"], x["tpd"]) for x in before[part] if x["rpd"]}
            assert was and was == {x[name]: (x["rpd"], x["tpd"]) for x in after[part] if x["rpd"]}
        assert sum(v or 0 for v in after["series"]["rpm"]) == 61
        assert after["totals"]["requests_total"] == 0
    p.chat()
    wait_until("it goes on from there", lambda: p.snapshot()["totals"]["rpd"] == 62)
    wait_rows(p, 62)


def test_D2_kill_under_load(standin, start):
    """Answers older than a second are never lost, the database stays whole, and the next start knows it all."""
    p = start([key("main"), key("second")], QUIET)
    answered, end, rounds, begun = [], threading.Event(), [0], time.monotonic()
    lock = threading.Lock()

    def client():
        while not end.is_set():
            try:
                if p.chat()[0] == 200:
                    with lock:
                        answered.append(time.monotonic())
            except Exception:  # it was killed
                time.sleep(0.01)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    try:
        for n in range(KILLS):
            seen = len(answered)
            wait_until("there is traffic", lambda: len(answered) > seen + 20)
            time.sleep(random.random() * 0.5)  # at any moment of its work
            p.expect_exit = -9
            killed = time.monotonic()  # before: waiting for its end takes its time on a busy machine
            p.process.kill()
            p.process.wait()
            with lock:
                old = sum(begun < t < killed - 1 for t in answered)
            assert read(p, "PRAGMA integrity_check") == [("ok",)]
            rows = number(p, "SELECT count(*) FROM request")
            assert rows - rounds[-1] >= old, f"kill {n}"
            assert number(p, "SELECT total(requests) FROM day_total") == rows
            assert number(p, "SELECT total(requests) FROM slice WHERE kind = 0") == rows
            rounds.append(rows)
            begun = time.monotonic()
            p.start(tested=False)
            p.expect_exit = 0
            # in flight when it was killed: no row, and nothing twice
            assert p.snapshot()["totals"]["rpd"] >= rows, read(p, "SELECT * FROM slice WHERE kind = 0")
    finally:
        end.set()
        for t in threads:
            t.join()
    p.wait_idle()
    assert rounds == sorted(rounds)
    assert number(p, "SELECT count(*) FROM request") <= len(answered) + 8 * (KILLS + 1)


def test_a_request_that_runs_at_the_end_has_its_row(standin, start):
    standin.rules({"act": {"chunks": 1000, "chunk_interval_ms": 50}})
    p = start([key("main")], "[server]\ndrain = 200ms\n")
    wire = Wire(p, {**CHAT, "stream": True})
    wire.read_until(b"data: ")
    assert p.stop() == 0
    assert read(p, "SELECT reason FROM request") == [("killed",)]


def test_old_rows_are_forgotten(standin, start):
    p = start([key("main")], "[store]\nkeep_requests = 1h\n")
    p.chat()
    wait_rows(p, 1)
    assert p.stop() == 0
    with sqlite3.connect(p.state_dir / "state.db") as db:
        db.execute("UPDATE request SET time = time - 3700000")
        for _ in range(12):
            db.execute("INSERT INTO request SELECT NULL, time, day, duration, ttft, asked, model, key_id, account, client,"
                       " path, status, reason, attempts, tokens_in, tokens_out, tokens_cached, tokens_reasoning, units,"
                       " cost, stream, bytes_up, bytes_down FROM request")
    assert number(p, "SELECT count(*) FROM request") == 4096
    p.start()
    wait_until("the old ones are gone", lambda: number(p, "SELECT count(*) FROM request") == 0)
    assert number(p, "SELECT sum(requests) FROM day_total") == 1


# --- usage ---

def test_usage_over_the_socket_and_from_the_file(standin, start):
    """The same figures by API, table, CSV and JSON; also when no instance runs."""
    p = start([f"main = {key('main')}"])
    for model in ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "Qwen/Qwen2.5-7B-Instruct"):
        assert p.chat(model)[0] == 200
    wait_rows(p, 3)
    wait_until("the key's label was saved", lambda: number(p, "SELECT count(*) FROM key WHERE label = 'main'"))
    sent = standin.requests()
    tokens_in, tokens_out = sum(r["tokens_in"] for r in sent), sum(r["tokens_out"] for r in sent)
    answer = p.api("GET", "usage?since=7d&by=model")
    assert [(r["model"], r["requests"]) for r in answer["rows"]] == [("Qwen/Qwen3-8B", 2), ("Qwen/Qwen2.5-7B-Instruct", 1)]
    assert (answer["total"]["tokens_in"], answer["total"]["tokens_out"]) == (tokens_in, tokens_out)
    assert p.api("GET", "usage?since=1h&by=model")["rows"] == answer["rows"], "from the rows"
    by_key = p.api("GET", "usage?by=day,key&since=all")["rows"]
    assert [(r["key"], r["label"], r["requests"]) for r in by_key] == [(p.key("main")["id"], "main", 3)]
    assert p.api("GET", "usage?by=client")["rows"][0]["client"] == "127.0.0.1"
    for bad in ("since=yesterday", "by=colour", "since=-1d", "since=0d", "by="):
        assert p.control("GET", "/admin/api/usage?" + bad)[0] == 400, bad

    def printed():
        return [p.cli("usage", *a).stdout for a in ((), ("--csv",), ("--json",), ("--by", "day,key", "--csv"))]
    table, csv, as_json, keys = running = printed()
    assert json.loads(as_json)["rows"] == answer["rows"]
    lines = table.splitlines()
    assert lines[0].split()[:3] == ["MODEL", "REQUESTS", "OK"]
    assert any(line.split()[:2] == ["total", "3"] for line in lines)
    rows = csv.split("\n")
    assert rows[0].startswith("model,requests,ok,errors,attempts,tokens_in") and rows[1].startswith("Qwen/Qwen3-8B,2,2,0,2,")
    assert keys.splitlines()[1].split(",")[1:4] == [p.key("main")["id"], "main", "3"]
    assert p.cli("usage", "--by", "colour").returncode == 1 and p.cli("usage", "--csv", "--json").returncode == 2
    assert p.stop() == 0
    assert printed() == running, "without an instance"


def test_usage_needs_the_admin(standin, start):
    p = start([key("main")], "[server]\nclient_key = secret\n")
    assert p.request("GET", "/admin/api/usage", headers={"Authorization": "Bearer secret"})[0] == 401
    token = (p.state_dir / "admin.token").read_text().strip()
    assert p.request("GET", "/admin/api/usage", headers={"Authorization": "Bearer " + token})[0] == 200


# --- billing ---

def nextchat(p, head):
    """app/client/platforms/openai.ts, usage(): [used, total]."""
    first, tomorrow = time.strftime("%Y-%m-01", shanghai()), time.strftime("%Y-%m-%d", shanghai(86400))
    used = p.request("GET", f"/dashboard/billing/usage?start_date={first}&end_date={tomorrow}", headers=head)
    subs = p.request("GET", "/dashboard/billing/subscription", headers=head)
    assert used[0] == subs[0] == 200 and used[1]["access-control-allow-origin"] == "*"
    used, subs = json.loads(used[2]), json.loads(subs[2])
    return round(used["total_usage"]) / 100, round(subs["hard_limit_usd"] * 100) / 100


def one_api(p, head):
    """controller/channel-billing.go, updateChannelBalance(): the balance."""
    subs = json.loads(p.request("GET", "/v1/dashboard/billing/subscription", headers=head)[2])
    begin = time.strftime("%Y-%m-01", shanghai())
    if not subs["has_payment_method"]:
        begin = time.strftime("%Y-%m-%d", shanghai(-100 * 86400))
    end = time.strftime("%Y-%m-%d", shanghai())
    used = json.loads(p.request("GET", f"/v1/dashboard/billing/usage?start_date={begin}&end_date={end}", headers=head)[2])
    return subs["hard_limit_usd"] - used["total_usage"] / 100


def shanghai(plus=0):
    return time.gmtime(time.time() + 8 * 3600 + plus)


def test_billing_as_clients_read_it(standin, start):
    head = {"Authorization": "Bearer secret"}
    p = start([f"a = {key('a')} account=A balance=10.00", f"b = {key('b')} account=A balance=10.00",
               f"c = {key('c')} account=C balance=4.50", key("unknown")], "[server]\nclient_key = secret\n")
    assert nextchat(p, head) == (0, 14.5)
    assert one_api(p, head) == pytest.approx(14.5)
    assert p.chat(headers=head)[0] == 200
    wait_rows(p, 1)
    assert p.stop() == 0
    now, earlier = int(time.strftime("%Y%m%d", shanghai())), int(time.strftime("%Y%m01", shanghai(-40 * 86400)))
    with sqlite3.connect(p.state_dir / "state.db") as db:  # 2.50 this month, 100 long ago
        db.execute("UPDATE day_total SET cost = 2500000, cost_unknown = 0 WHERE day = ?", (now,))
        db.execute("INSERT INTO day_total SELECT ?, model, key_id, client, requests, ok, errors, attempts, tokens_in,"
                   " tokens_out, tokens_cached, tokens_reasoning, units, 100000000, 0 FROM day_total", (earlier,))
    p.start()
    used, total = nextchat(p, head)
    assert used == 2.5 and total == pytest.approx(17.0, abs=0.01)
    assert one_api(p, head) == pytest.approx(14.5, abs=0.01)
    grants = json.loads(p.request("GET", "/v1/dashboard/billing/credit_grants", headers=head)[2])
    assert grants["total_used"] == 2.5 and grants["total_granted"] - 2.5 == pytest.approx(grants["total_available"])
    all_of_it = json.loads(p.request("GET", "/dashboard/billing/usage?start_date=2020-01-01&end_date=2099-01-01",
                                     headers=head)[2])
    assert all_of_it["object"] == "list" and all_of_it["total_usage"] == 10250
    assert [d["line_items"] for d in all_of_it["daily_costs"]] == [[{"name": CHAT["model"], "cost": 10000}],
                                                                    [{"name": CHAT["model"], "cost": 250}]]
    for path in ("subscription", "usage", "credit_grants"):
        assert p.request("GET", f"/dashboard/billing/{path}")[0] == 401
        assert p.request("GET", f"/v1/dashboard/billing/{path}")[0] == 401
    assert p.request("GET", "/dashboard/billing/usage?start_date=soon", headers=head)[0] == 400
    assert not any("billing" in r["path"] for r in standin.requests()), "nothing of it goes to the platform"
