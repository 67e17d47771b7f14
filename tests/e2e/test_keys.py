"""The pool by hand: states, commands over control.sock and `sfproxy keys`, tests, balances, and what survives a restart."""
import json
import signal
import stat
import threading
import time

import pytest

from harness import CANARY, CHAT, Wire, error_of, key, load, wait_until

CHATS = "/v1/chat/completions"
MODEL = "Qwen/Qwen3-8B"
PAID = "Qwen/Qwen3-32B"


def used(standin):
    return {r["key"] for r in standin.requests()}


def ok(done):
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert CANARY not in done.stdout + done.stderr
    return done.stdout


def restart(p, number=signal.SIGTERM):
    p.stop(number)
    p.start()


def saved(p):
    return (p.state_dir / "keys").read_text() if (p.state_dir / "keys").exists() else ""


# --- adding and removing ---
def test_add_by_the_command_line(start, standin):
    p = start([])
    text = f"# mine\nwork = {key('a')} account=A balance=3.5\n{key('b')}, {key('c')}\nexport KEYS={key('d')}\n{key('a')}\n"
    out = ok(p.cli("keys", "add", input=text))
    assert "4 new" in out and "1 duplicate" in out
    wait_until("they were tested", p.all_tested)
    assert {k["state"] for k in p.snapshot()["keys"]} == {"ready"}
    for _ in range(8):
        assert p.chat()[0] == 200
    assert used(standin) == {key(n) for n in "abcd"}
    wait_until("the file is written", lambda: all(key(n) in saved(p) for n in "abcd"))
    assert stat.S_IMODE((p.state_dir / "keys").stat().st_mode) == 0o600
    assert p.key("work")["balance"]["value"] == 3.5
    listing = ok(p.cli("keys", "list"))
    assert "work" in listing and listing.count("ready") == 4


def test_import_a_file(start, tmp_path):
    p = start([])
    path = tmp_path / "keys.txt"
    path.write_text("".join(f"k{i} = {key('f', i)}\n" for i in range(30)))
    assert "30 new" in ok(p.cli("keys", "import", path))
    assert "30 duplicate" in ok(p.cli("keys", "import", "-", input=path.read_text()))
    assert len(p.snapshot()["keys"]) == 30
    missing = p.cli("keys", "import", tmp_path / "nothing")
    assert missing.returncode == 1 and "cannot be read" in missing.stderr
    empty = p.cli("keys", "add", input="")
    assert empty.returncode == 1 and "no key" in empty.stderr


def test_keys_are_no_arguments(start):
    p = start([])
    done = p.cli("keys", "add", key("a"))
    assert done.returncode == 2 and CANARY not in done.stderr + done.stdout
    assert p.snapshot()["keys"] == []


@pytest.mark.parametrize("args", [("keys",), ("keys", "dance"), ("keys", "enable"), ("status", "--loud"), ("fly",)])
def test_usage_errors(proxy, args):
    done = proxy.cli(*args)
    assert done.returncode == 2 and done.stderr


def test_remove(start, standin):
    p = start([key("file")])
    ok(p.cli("keys", "add", input=f"mine = {key('mine')}\n"))
    wait_until("it was tested", p.all_tested)
    refused = p.cli("keys", "remove", "k0")
    assert refused.returncode == 1 and "sfproxy.conf:6" in refused.stderr
    ok(p.cli("keys", "remove", "mine"))
    assert [k["label"] for k in p.snapshot()["keys"]] == ["k0"]
    wait_until("the file forgets it", lambda: key("mine") not in saved(p))
    restart(p)
    assert [k["label"] for k in p.snapshot()["keys"]] == ["k0"]
    for _ in range(4):
        assert p.chat()[0] == 200
    assert used(standin) == {key("file")}


def test_remove_while_it_serves(start, standin):
    p = start([])
    ok(p.cli("keys", "add", input=f"mine = {key('mine')}\n"))
    wait_until("it was tested", p.all_tested)
    standin.rules({"match": {"path": CHATS}, "act": {"chunks": 50, "chunk_interval_ms": 20}})
    wire = Wire(p, {**CHAT, "stream": True})
    wire.read_until(b"data: ")
    ok(p.cli("keys", "remove", "mine"))
    assert p.snapshot()["keys"] == [] and p.chat()[0] == 503
    status, body, complete = wire.answer()
    assert complete and b"[DONE]" in body


def test_no_such_key(proxy):
    for verb in ("enable", "disable", "test", "remove"):
        done = proxy.cli("keys", verb, "nobody")
        assert done.returncode == 1 and "nobody" in done.stderr
    proxy.api("POST", "keys/00000000/enable", status=404)
    proxy.api("DELETE", "keys/00000000", status=404)


# --- off and on ---
def test_disable_and_enable(proxy, standin):
    ok(proxy.cli("keys", "disable", "k1"))
    assert proxy.key("k1")["state"] == "off" and not proxy.key("k1")["enabled"]
    for _ in range(6):
        assert proxy.chat()[0] == 200
    assert used(standin) == {key("good", 0), key("good", 2)}
    restart(proxy)
    assert proxy.key("k1")["state"] == "off"
    ok(proxy.cli("keys", "enable", proxy.key("k1")["id"][:6]))
    for _ in range(6):
        assert proxy.chat()[0] == 200
    assert key("good", 1) in used(standin)


def test_a_disabled_key_drains(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "act": {"chunks": 40, "chunk_interval_ms": 20}})
    wire = Wire(p, {**CHAT, "stream": True})
    wire.read_until(b"data: ")
    p.api("POST", f"keys/{p.key('k0')['id']}/disable")
    assert p.key("k0")["state"] == "draining"
    answer = p.chat()
    assert (answer[0], error_of(answer)["code"]) == (503, "no_usable_key")
    assert wire.answer()[2]
    wait_until("it has drained", lambda: p.key("k0")["state"] == "off")


def test_disabling_all_under_load_loses_nothing(start, standin):
    keys = [key("k", n) for n in range(4)]
    p = start(keys)
    ids = [k["id"] for k in p.snapshot()["keys"]]
    stop = threading.Event()

    def toggle():
        n = 0
        while not stop.is_set():
            verb = "disable" if n % 2 == 0 else "enable"
            p.api("POST", f"keys/{ids[n // 2 % 3]}/{verb}")  # the fourth stays on
            n += 1
    thread = threading.Thread(target=toggle)
    thread.start()
    answers = load(p, 400, clients=8)
    stop.set()
    thread.join()
    assert {status for status, _ in answers} == {200}
    assert p.wait_idle()["totals"]["requests_total"] == 400


# --- tests ---
def test_a_manual_test(start, standin):
    standin.script(keys=[{"key": key("bad"), "account": "X", "kind": "invalid"}])
    p = start([key("good"), key("bad")])
    good = p.cli("keys", "test", "k0")
    assert good.returncode == 0 and "works" in good.stdout
    bad = p.cli("keys", "test", "k1")
    assert bad.returncode == 1 and ".cn / .com" in bad.stderr
    out = ok(p.cli("keys", "test", "all"))
    assert "ready" in out and "bad" in out
    for k in p.snapshot()["keys"]:
        assert k["ok"] == k["failed"] == k["limited"] == 0
    assert p.snapshot()["totals"]["rpm"] == 0
    assert standin.requests() == []


def test_a_deep_test_sends_one_token(proxy, standin):
    k = proxy.key("k0")
    proxy.api("POST", f"keys/{k['id']}/test?deep=yes")
    row = standin.requests()[0]
    assert row["key"] == key("good", 0) and row["model"] == MODEL and row["tokens_out"] == 1
    assert proxy.wait_idle()["totals"]["rpm"] == 0


def test_a_failed_test_of_a_working_key_is_only_shown(proxy, standin):
    standin.rules({"match": {"path": "/v1/models"}, "act": {"preset": "500"}})
    proxy.api("POST", f"keys/{proxy.key('k0')['id']}/test", status=502)
    assert proxy.key("k0")["state"] == "ready" and proxy.key("k0")["last_error"]["status"] == 500
    assert not proxy.key("k0")["cooldowns"]


def test_tests_are_paced(start, standin):
    p = start([key("k", n) for n in range(30)])
    standin.rules({"match": {"path": "/v1/models"}, "act": {"latency_ms": 100}})
    standin.reset()
    assert p.api("POST", "keys/test", {"what": "all"}, status=202)["ok"]
    most = 0
    while any(k["state"] == "testing" for k in p.snapshot()["keys"]):
        most = max(most, standin.report()["totals"]["in_flight"])
        assert p.chat()[0] == 200, "a key under test serves"
    assert 1 <= most <= 5
    assert sum(r["path"] == "/v1/models" for r in standin.report(1000)["requests"]) == 30


def test_tests_can_be_stopped(start, standin):
    p = start([key("k", n) for n in range(30)])
    standin.rules({"match": {"path": "/v1/models"}, "act": {"latency_ms": 200}})
    standin.reset()
    p.api("POST", "keys/test", {"what": "all"}, status=202)
    p.api("POST", "keys/test", {"what": "stop"})
    wait_until("nothing is tested", lambda: all(k["state"] == "ready" for k in p.snapshot()["keys"]))
    assert sum(r["path"] == "/v1/models" for r in standin.report(1000)["requests"]) < 30


# --- balances and classes ---
def test_balance_by_the_platform(start, standin):
    standin.script(user_info="legacy", keys=[
        {"key": key("rich"), "account": "A", "kind": "paid", "balance": "14.00"},
        {"key": key("twin"), "account": "A", "kind": "paid", "balance": "14.00"},
        {"key": key("poor"), "account": "B", "kind": "free", "balance": "0.02"}])
    p = start([key("rich"), key("twin"), key("poor")])
    wait_until("balances are there", lambda: all(k["balance"]["origin"] == "api" for k in p.snapshot()["keys"]))
    rich, twin, poor = p.snapshot()["keys"]
    assert rich["balance"]["value"] == 14 and rich["class"] == "PAID"
    assert poor["balance"]["value"] == 0.02 and poor["class"] == "FREE"
    assert rich["account"] == twin["account"] != poor["account"]


def test_user_info_is_asked_once_when_it_is_retired(start, standin):
    p = start([key("k", n) for n in range(3)])
    for _ in range(2):
        ok(p.cli("keys", "test", "all"))
    assert not [r for r in standin.report(1000)["requests"] if r["path"].endswith("/user/info")]
    assert {k["state"] for k in p.snapshot()["keys"]} == {"ready"}


def test_balance_and_label_by_hand(proxy):
    k = proxy.key("k0")
    proxy.api("POST", f"keys/{k['id']}/balance", {"balance": "7.25"})
    proxy.api("POST", f"keys/{k['id']}/label", {"label": "mum's <b>\u001b[31m"})
    proxy.api("POST", f"keys/{k['id']}/balance", {"balance": "much"}, status=400)
    got = proxy.key(k["id"])
    assert got["balance"] == {"value": 7.25, "origin": "set", "age_s": got["balance"]["age_s"]}
    assert got["label"].startswith("mum's <b>") and "\u001b" not in got["label"]
    restart(proxy)
    again = proxy.key(k["id"])
    assert again["label"] == got["label"] and again["balance"]["value"] == 7.25


# --- what survives ---
def test_cooldowns_and_classes_survive(start, standin):
    p = start([key("k", n) for n in range(3)])
    standin.rules({"match": {"path": CHATS, "key": key("k", 0)}, "act": {"preset": "429_rph"}},
                  {"match": {"path": CHATS, "key": key("k", 1)}, "act": {"preset": "402_30001"}})
    for _ in range(2):
        assert p.chat(PAID)[0] == 200
    before = p.snapshot()["keys"]
    assert before[0]["cooldowns"][0]["reason"] == "rate_hour" and before[1]["class"] == "FREE"
    restart(p)
    after = p.snapshot()["keys"]
    for b, a in zip(before[:2], after[:2]):
        assert a["class"] == b["class"] and [c["model"] for c in a["cooldowns"]] == [c["model"] for c in b["cooldowns"]]
        assert 0 <= b["cooldowns"][0]["seconds_left"] - a["cooldowns"][0]["seconds_left"] < 30
    standin.reset()
    for _ in range(3):
        assert p.chat(PAID)[0] == 200
    assert used(standin) == {key("k", 2)}


def test_a_reset_by_hand_ends_a_cooldown(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": {"preset": "429_rpd"}})
    assert p.chat()[0] == 429 and p.chat()[0] == 429
    assert p.key("k0")["state"] == "cooling"
    p.api("POST", f"keys/{p.key('k0')['id']}/reset")
    assert p.chat()[0] == 200 and p.key("k0")["state"] == "ready"


def test_kill_9_loses_no_key(start):
    p = start([])
    for n in range(5):
        ok(p.cli("keys", "add", input=f"r{n} = {key('r', n)}\n"))
    p.api("POST", f"keys/{p.key('r3')['id']}/disable")
    p.api("POST", "models/ban", {"model": PAID})
    wait_until("it is on the disk", lambda: key("r", 4) in saved(p))
    time.sleep(1.5)  # "loses at most the last second"
    restart(p, signal.SIGKILL)
    keys = p.snapshot()["keys"]
    assert [k["label"] for k in keys] == [f"r{n}" for n in range(5)]
    assert p.key("r3")["state"] == "off"
    assert p.chat(PAID)[0] == 404


def test_bans(proxy, standin):
    proxy.api("POST", "models/ban", {"model": PAID})
    answer = proxy.chat(PAID)
    assert (answer[0], error_of(answer)["code"]) == (404, "model_banned")
    restart(proxy)
    assert proxy.chat(PAID)[0] == 404
    listed = json.loads(proxy.request("GET", "/v1/models")[2])["data"]
    assert PAID not in {m["id"] for m in listed}
    proxy.api("POST", "models/unban", {"model": PAID})
    assert proxy.chat(PAID)[0] == 200
    proxy.api("POST", "models/unban", {"model": PAID}, status=404)
    assert len(standin.requests()) == 1


def test_read_only(start):
    p = start([key("k")], args=["--readonly"])
    ident = p.key("k0")["id"]
    for verb in ("disable", "reset", "label"):
        p.api("POST", f"keys/{ident}/{verb}", {"label": "x"}, status=403)
    done = p.cli("keys", "add", input=key("b"))
    assert done.returncode == 1 and len(p.snapshot()["keys"]) == 1
    assert p.chat()[0] == 200


# --- looking ---
def test_status(proxy):
    for _ in range(3):
        proxy.chat()
    proxy.wait_idle()
    text = ok(proxy.cli("status"))
    assert "RPM 3" in text and "3 ready" in text and proxy.address[0] in text
    snapshot = json.loads(ok(proxy.cli("status", "--json")))
    assert snapshot["totals"]["rpm"] == 3 and len(snapshot["keys"]) == 3
    line = ok(proxy.cli("status", "--tmux"))
    assert line.count("\n") == 1 and "RPM 3" in line and "✓3" in line


def test_nobody_is_running(proxy):
    proxy.stop()
    for args in (("status",), ("keys", "list")):
        done = proxy.cli(*args)
        assert done.returncode == 1 and "control.sock" in done.stderr or "running" in done.stderr


def test_keys_are_masked(proxy):
    for k in proxy.snapshot()["keys"]:
        assert k["masked"].startswith("sk-") and ".." in k["masked"] and CANARY not in k["masked"]
    for path in ("/", "/metrics", "/healthz", "/v1/models"):
        assert CANARY.encode() not in proxy.control("GET", path)[1]
