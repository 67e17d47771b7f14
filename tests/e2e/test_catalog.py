"""The run-time catalogue: the platform's own list, kinds, what is free, bans, aliases; and how a mixed pool of keys finds
its classes by traffic alone."""
import http.server
import json
import subprocess
import threading
import urllib.parse

import pytest

from harness import key, wait_until

ON = {"SFPROXY_MODELS_REFRESH": "1h"}
FREE, PAID, PRO = "Qwen/Qwen3-8B", "Qwen/Qwen3-32B", "Pro/deepseek-ai/DeepSeek-V3"
KINDS = ["chat", "embedding", "reranker", "text-to-image", "image-to-image", "speech-to-text", "text-to-speech",
         "text-to-video", "image-to-video"]
SITE = [{"id": FREE, "type": "text", "sub_type": "chat", "free": True},
        {"id": PAID, "type": "text", "sub_type": "chat", "free": False},
        {"id": "new/Talk-1", "type": "text", "sub_type": "chat", "free": True},
        {"id": "new/Picture-1", "type": "image", "sub_type": "text-to-image", "free": False}]


def listed(p, query=""):
    status, _, body = p.request("GET", "/v1/models" + query)
    assert status == 200
    answer = json.loads(body)
    assert answer["object"] == "list" and answer["success"] is True
    return {m["id"]: m for m in answer["data"]}


def models_calls(standin):
    rows = [r for r in standin.report(1000)["requests"] if r["path"].endswith("/v1/models")]
    return [urllib.parse.parse_qs(r["query"]).get("sub_type", [""])[0] for r in rows], rows


def refresh(p, status=None):
    return p.api("POST", "models/refresh", status=status)


def wait_listed(p, model="new/Talk-1"):
    wait_until("the platform's list is there", lambda: model in listed(p))


def wait_logged(p, text):
    wait_until(f"the log says {text}", lambda: text in p.log())


# --- refresh ---

def test_the_platforms_list_at_start(standin, start):
    standin.script(models=SITE)
    p = start([key("good")], env=ON)
    wait_listed(p)
    models = listed(p)
    assert {m for m in models if not m.endswith(("-thinking", "-openwebui"))} == {m["id"] for m in SITE}
    assert (models["new/Picture-1"]["type"], models["new/Picture-1"]["sub_type"]) == ("image", "text-to-image")
    assert models[FREE]["free"] is True and models[FREE]["root"] == FREE and models[FREE]["parent"] is None
    assert models[FREE]["permission"] == [] and models[FREE]["object"] == "model"
    wait_logged(p, "the platform lists 4 models; new: 2 (new/")
    wait_logged(p, "; gone: ")
    status, _, _ = p.chat("zai-org/GLM-5.2")  # of the table, not listed any more: passed on when it is asked for
    assert status == 200
    status, _, body = p.request("GET", "/v1/models/new/Talk-1")
    assert status == 200 and json.loads(body)["sub_type"] == "chat"


def test_refresh_by_command_and_what_changed(standin, start):
    p = start([key("good")])
    standin.script(models=SITE)
    assert models_calls(standin)[0].count("chat") == 0  # models.refresh = 0: not by itself
    assert refresh(p)["message"] == "the platform lists 4 models"
    asked, _ = models_calls(standin)
    assert asked[-10:] == ["", *KINDS]
    standin.script(models=SITE[:-1] + ["new/Talk-2"])
    refresh(p)
    wait_logged(p, "the platform lists 4 models; new: 1 (new/Talk-2); gone: 1 (new/Picture-1)")
    assert "new/Picture-1" not in listed(p) and "new/Talk-2" in listed(p)


@pytest.mark.parametrize("act", [{"preset": "404_text"}, {"preset": "500"}, {"preset": "429_rpm"}, {"garbage": True},
                                 {"status": 200, "body": "{\"data\":[]}"}, {"status": 200, "body": "<html>"}])
def test_a_failed_refresh_keeps_the_old_list(standin, start, act):
    p = start([key("good")])
    standin.script(models=SITE)
    refresh(p)
    before = listed(p)
    standin.script(models=["other/model"], rules=[{"match": {"path": "/v1/models"}, "act": act}])
    error = refresh(p, status=502)
    assert "the old list stays" in json.dumps(error)
    assert listed(p) == before
    assert p.snapshot()["keys"][0]["failed"] == 0 and p.snapshot()["keys"][0]["limited"] == 0


def test_a_failure_in_the_middle_keeps_the_old_list(standin, start):
    p = start([key("good")])
    standin.script(models=SITE)
    refresh(p)
    before = listed(p)
    standin.script(models=["other/model"], rules=[{"match": {"path": "/v1/models", "nth": 5}, "act": {"preset": "500"}}])
    refresh(p, status=502)
    assert listed(p) == before
    refresh(p)
    assert "other/model" in listed(p)


def test_a_kind_the_platform_does_not_know_is_left_out(standin, start):
    p = start([key("good")])
    standin.script(models=SITE, rules=[{"match": {"path": "/v1/models", "nth": 8}, "act": {"preset": "400_20015"}}])
    refresh(p)
    assert "new/Picture-1" in listed(p)


def test_a_key_the_platform_refuses_is_passed_over(standin, start):
    standin.script(models=SITE, keys=[{"key": key("dead"), "account": "D", "kind": "invalid"}])
    p = start([key("dead"), key("good")], env=ON, tested=False)
    wait_listed(p)


def test_after_a_reload(standin, start):
    p = start([key("good")], env=ON)
    wait_until("refreshed once", lambda: "image-to-video" in models_calls(standin)[0])
    standin.script(models=SITE)
    p.api("POST", "reload")
    wait_listed(p)


def test_refresh_during_traffic(standin, start):
    p = start([key("good", n) for n in range(3)])
    standin.script(models=SITE)
    bad, count, stop = [], [0] * 6, threading.Event()

    def client(i):
        while not stop.is_set():
            status, _, _ = p.chat([FREE, "new/Talk-1", "zai-org/GLM-5.2"][i % 3])
            count[i] += 1
            if status != 200:
                bad.append(status)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    try:
        for n in range(4):
            standin.ask("POST", "rules", [])
            refresh(p)
        wait_until("traffic ran", lambda: sum(count) > 200)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert bad == []
    keys = p.wait_idle()["keys"]
    assert sum(k["failed"] + k["limited"] for k in keys) == 0


# --- the list for clients ---

def test_filters_bans_and_aliases(standin, start):
    p = start([key("good")], conf=f"[models]\nban = {PAID}\nalias.gpt-4o = {FREE}\nreasoning_aliases = no\n")
    standin.script(models=SITE)
    refresh(p)
    assert set(listed(p)) == {FREE, "new/Talk-1", "new/Picture-1", "gpt-4o"}
    assert set(listed(p, "?type=image")) == {"new/Picture-1"}
    assert set(listed(p, "?&sub_type=chat")) == {FREE, "new/Talk-1", "gpt-4o"}
    assert set(listed(p, "?type=text&sub_type=embedding")) == set()
    p.api("POST", "models/ban", {"model": "new/Talk-1"})
    wait_until("banned at run time", lambda: "new/Talk-1" not in listed(p))
    assert p.request("GET", "/v1/models/new/Talk-1")[0] == 404
    assert p.request("GET", f"/v1/models/{PAID}")[0] == 404
    assert p.request("GET", "/v1/models/no/such")[0] == 404


# --- FREE_MODEL_TEST_KEY ---

def test_the_key_for_listing_is_no_key_of_the_pool(standin, start):
    lister = key("lister")
    standin.script(models=SITE)
    p = start([key("good")], env={**ON, "FREE_MODEL_TEST_KEY": lister})
    wait_listed(p)
    _, rows = models_calls(standin)
    assert {r["key"] for r in rows if "sub_type" in r["query"]} == {lister}
    assert len(p.snapshot()["keys"]) == 1
    for _ in range(4):
        p.chat()
    assert {r["key"] for r in standin.requests()} == {key("good")}


def probing(standin, start, kind):
    lister = key("lister")
    standin.script(models=SITE + [{"id": "new/Paid-1", "type": "text", "sub_type": "chat", "free": False}],
                   keys=[{"key": lister, "account": "L", "kind": kind}])
    p = start([key("good")], conf="[models]\nprobe = yes\n", env={"FREE_MODEL_TEST_KEY": lister})
    refresh(p)
    models = {m["id"]: m for m in p.snapshot()["models"]}
    return p, models, [r for r in standin.requests() if r["key"] == lister]


def test_probes_tell_free_from_paid(standin, start):
    p, models, rows = probing(standin, start, "free")
    assert (models["new/Talk-1"]["free"], models["new/Talk-1"]["evidence"]) == (True, "observed")
    assert (models["new/Paid-1"]["free"], models["new/Paid-1"]["evidence"]) == (False, "observed")
    assert models["new/Picture-1"]["evidence"] == "unknown"  # pictures are not made to find out
    assert {r["model"] for r in rows} == {PAID, "new/Talk-1", "new/Paid-1"}  # one paid one: the key has no money
    refresh(p)
    assert len([r for r in standin.requests() if r["key"] == key("lister")]) == len(rows)  # nothing is unknown any more
    assert p.snapshot()["totals"]["rpm"] == 0


def test_a_key_with_money_cannot_probe(standin, start):
    p, models, rows = probing(standin, start, "paid")
    assert models["new/Talk-1"]["evidence"] == models["new/Paid-1"]["evidence"] == "unknown"
    assert len(rows) == 1
    wait_logged(p, "has money")


def test_without_probe_nothing_is_asked(standin, start):
    standin.script(models=SITE)
    p = start([key("good")], env={"FREE_MODEL_TEST_KEY": key("lister")})
    refresh(p)
    assert standin.requests() == []


# --- classes by traffic ---

def mixed_pool(standin, start):
    names = {"funded": "paid", "gift": "paid", "empty": "free", "debt": "empty", "unverified": "unverified",
             "dead": "invalid"}
    keys = [{"key": key(n), "account": n, "kind": kind, "balance": "-1" if n == "debt" else "1"} for n, kind in names.items()]
    keys += [{"key": key("twin", n), "account": "twins", "kind": "paid"} for n in (1, 2)]
    standin.script(keys=keys, rules=[{"match": {"key": key("gift"), "model": "Pro/*"}, "act": {"preset": "402_30001"}}])
    lines = [f"{n} = {key(n)}" for n in names] + [f"twin{n} = {key('twin', n)} account=T" for n in (1, 2)]
    return start(lines)


def test_a_mixed_pool_sorts_itself_by_traffic(standin, start):
    p = mixed_pool(standin, start)
    for model in (FREE, PAID, PRO):
        for _ in range(20):
            status, _, body = p.chat(model)
            assert status == 200, (model, body)  # another key could always serve it
    snapshot = p.wait_idle()
    keys = {k["label"]: k for k in snapshot["keys"]}
    classes = {label: k["class"] for label, k in keys.items()}
    assert classes == {"funded": "PAID", "gift": "PAID", "empty": "FREE", "debt": "FREE", "unverified": "UNVER",
                       "dead": "INVALID", "twin1": "PAID", "twin2": "PAID"}
    assert keys["dead"]["state"] == "bad"
    assert keys["unverified"]["state"] == keys["debt"]["state"] == "cooling"
    assert {c["model"] for c in keys["gift"]["cooldowns"]} == {"(Pro/)"}  # plain ids go on
    assert "(paid)" in {c["model"] for c in keys["empty"]["cooldowns"]}
    rows = standin.requests()
    assert sum(r["status"] == 200 for r in rows) == 60
    refused = [r for r in rows if r["status"] != 200]
    assert len(refused) <= 8, refused  # each found out once, not again and again
    free_served = {r["key"] for r in rows if r["model"] == FREE and r["status"] == 200}
    assert key("empty") in free_served and key("funded") in free_served


def test_two_classes_that_cannot_pay_do_not_hide_a_rate_limit(standin, start):
    standin.script(keys=[{"key": key("empty"), "account": "E", "kind": "free"},
                         {"key": key("funded"), "account": "F", "kind": "paid"}],
                   rules=[{"match": {"key": key("funded"), "model": PAID}, "act": {"preset": "429_rpm"}}])
    p = start([f"empty = {key('empty')}", f"funded = {key('funded')}"])
    status, headers, body = p.chat(PAID)
    assert status == 429 and json.loads(body)["error"]["code"] == "all_cooling"
    assert 1 <= int(headers["retry-after"]) <= 21


def test_traffic_shows_what_is_free(standin, start):
    standin.script(models=SITE, keys=[{"key": key("empty"), "account": "E", "kind": "free"}])
    p = start([f"empty = {key('empty')}"])
    refresh(p)
    assert p.chat(PAID)[0] == 402
    assert p.chat("new/Talk-1")[0] in (200, 402)
    # The account's paid models cool down, and an unknown one counts as paid: clear it by hand, as after a top-up.
    p.api("POST", f"keys/{p.key('empty')['id']}/reset")
    assert p.chat(PAID)[0] == 402
    evidence = lambda: {m["id"]: m["evidence"] for m in p.snapshot()["models"]}
    assert evidence()["new/Talk-1"] in ("observed", "unknown")


def test_user_info_that_still_answers(standin, start):
    standin.script(user_info="legacy", keys=[{"key": key("rich"), "account": "R", "kind": "paid", "balance": "88.88"}])
    p = start([f"rich = {key('rich')}"])
    wait_until("the balance is there", lambda: p.key("rich")["balance"]["origin"] == "api")
    assert p.key("rich")["class"] == "PAID"


def test_a_retired_user_info_is_no_fault_of_the_key(standin, start):
    p = start([key("good")])
    row = p.snapshot()["keys"][0]
    assert row["state"] == "ready" and row["failed"] == 0 and row["last_error"] is None
    asked = [r for r in standin.report(100)["requests"] if r["path"].endswith("/user/info")]
    p.api("POST", f"keys/{row['id']}/test")
    again = [r for r in standin.report(100)["requests"] if r["path"].endswith("/user/info")]
    assert len(again) == len(asked)  # remembered


def test_the_hint_is_for_keys_that_never_worked(standin, start):
    standin.script(unknown_keys="invalid", keys=[{"key": key("good"), "account": "G", "kind": "paid"}])
    p = start([f"good = {key('good')}", f"wrong = {key('wrong')}"])
    assert ".cn / .com" in p.key("wrong")["class_evidence"]
    standin.script(unknown_keys="invalid")
    out = p.api("POST", f"keys/{p.key('good')['id']}/test", status=502)
    assert ".cn / .com" not in json.dumps(out)


# --- the other region ---

def test_other_region_only_for_the_platforms_own_hosts(standin, start):
    p = start([f"a = {key('good')}"])
    answer = p.api("POST", f"keys/{p.key('a')['id']}/test?other_region=yes", status=409)
    assert "not the platform's own address" in json.dumps(answer)
    done = p.cli("keys", "test", "a", "--other-region", "--yes")
    assert done.returncode == 1 and "not the platform's own address" in done.stderr
    done = p.cli("keys", "test", "--other-region", "--yes")
    assert done.returncode == 2


class Regions(http.server.BaseHTTPRequestHandler):
    """A forward proxy that plays both platforms: the key is known at .com only."""
    seen = []

    def do_GET(self):
        host = urllib.parse.urlsplit(self.path).hostname
        self.seen.append((host, self.headers["Authorization"]))
        good = host == "api.siliconflow.com" and key("other") in self.headers["Authorization"]
        body = b'{"object":"list","data":[{"id":"a/b"}]}' if good else b'{"code":30014,"message":"Token is invalid."}'
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_key_of_the_other_region(start):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Regions)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Regions.seen.clear()
    try:
        p = start([f"a = {key('other')}", f"b = {key('wrong')}"], upstream="http://api.siliconflow.cn",
                  env={"SFPROXY_UPSTREAM_PROXY": f"http://127.0.0.1:{server.server_address[1]}"})
        assert p.key("a")["class"] == p.key("b")["class"] == "INVALID"
        assert {h for h, _ in Regions.seen} == {"api.siliconflow.cn"}  # never there by itself
        done = p.cli("keys", "test", "a", "--other-region", stdin=subprocess.DEVNULL)
        assert done.returncode == 1 and "--yes" in done.stderr  # no terminal to ask on
        assert {h for h, _ in Regions.seen} == {"api.siliconflow.cn"}
        done = p.cli("keys", "test", "--other-region", "a", "--yes")
        assert done.returncode == 0 and "is known at api.siliconflow.com" in done.stdout
        done = p.cli("keys", "test", "b", "--yes", "--other-region")
        assert "is not known at api.siliconflow.com" in done.stdout
        assert p.key("a")["class"] == "INVALID"  # nothing about the key changed
        assert [h for h, _ in Regions.seen].count("api.siliconflow.com") == 2
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
