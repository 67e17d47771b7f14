"""The admin API over TCP: who gets in, what a page on another site can do, the stream of a live page, metrics."""

import http.client
import json
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
from harness import key, load, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r'\{"(GET|POST|DELETE)", "(/[^"]*)", ROUTE_(\w+), \w+\}')
ROUTES = [r for r in ROW.findall((ROOT / "src/admin/admin.c").read_text()) if r[2] not in ("PUBLIC", "CLIENT")]
LOGIN = "[limits]\nlogin_failures = 1000\n"


def token_of(p):
    return (p.state_dir / "admin.token").read_text().strip()


def ask(p, method, path, body=None, **headers):
    """(status, headers, text); header names with _ for -; Host can be given."""
    c = http.client.HTTPConnection(*p.address, timeout=60)
    try:
        c.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            c.putheader(name.replace("_", "-"), value)
        data = body.encode() if isinstance(body, str) else body
        if data is not None or method == "POST":
            c.putheader("Content-Length", str(len(data or b"")))
        c.endheaders(data)
        r = c.getresponse()
        return r.status, r.headers, r.read().decode()
    finally:
        c.close()


def bearer(p):
    return {"Authorization": f"Bearer {token_of(p)}"}


def cookie_of(p):
    status, headers, _ = ask(p, "POST", "/login", "token=" + token_of(p),
                             Content_Type="application/x-www-form-urlencoded")
    assert status == 303
    return headers["Set-Cookie"].split(";")[0]


def code(answer):
    return json.loads(answer[2])["error"]["code"]


@pytest.fixture
def p(start):
    return start([key("good"), key("good2")], LOGIN + "[server]\nclient_key = client-key-1\n")


def concrete(path):
    return path.replace("{id}", "00000000") + ("?model=x" if path.endswith("explain") else "")


@pytest.mark.parametrize("method,path,kind", ROUTES, ids=[f"{m} {q}" for m, q, _ in ROUTES])
def test_who_gets_in(p, method, path, kind):
    """Every route with every credential. What is asked for does not exist, so that nothing happens."""
    target = concrete(path)
    unauthorized = {
        "none": {},
        "client key": {"Authorization": "Bearer client-key-1"},
        "client key as x-api-key": {"x-api-key": "client-key-1"},
        "wrong token": {"Authorization": "Bearer " + "0" * 64},
        "empty token": {"Authorization": "Bearer "},
        "sql": {"Authorization": "Bearer ' OR 1=1--"},
        "expired cookie": {"Cookie": "sfproxy_session=" + "a" * 64},
    }
    shapes = set()
    for name, headers in unauthorized.items():
        answer = ask(p, method, target, **headers)
        assert answer[0] == 401, (name, answer)
        assert answer[1]["WWW-Authenticate"] == "Bearer" and "Access-Control-Allow-Origin" not in answer[1]
        shapes.add(tuple(json.loads(answer[2])["error"]))
    assert shapes == {("message", "type", "param", "code")}
    cookie = cookie_of(p)
    with_cookie = ask(p, method, target, Cookie=cookie)[0] if path != "/admin/api/events" else 200
    assert with_cookie == (403 if kind in ("ACT", "OWN") else 200)
    if kind == "OWN":
        own = ask(p, method, target, Cookie=cookie, Origin="http://127.0.0.1:%d" % p.address[1])
        assert own[0] == 403 and "token" in own[2]
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.com", "user@localhost", "localhost:99999"):
        status = ask(p, method, target, Host=host, **bearer(p))[0]
        malformed = "@" in host or host.endswith("99999")
        assert status == (400 if malformed else 200 if kind == "METRICS" else 421), host
    if path in ("/admin/api/drain", "/admin/api/events"):
        return
    status = ask(p, method, target, **bearer(p))[0]
    assert status not in (401, 403, 421, 429), status


def test_the_token_drains(p):
    assert ask(p, "POST", "/admin/api/drain", **bearer(p))[0] == 202
    assert p.process.wait(30) == 0


@pytest.mark.parametrize("headers,status", [
    ({"Origin": "http://127.0.0.1:{port}"}, 200),
    ({"Origin": "http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}, 200),
    ({"Sec_Fetch_Site": "same-origin"}, 200),
    ({"Sec_Fetch_Site": "cross-site"}, 403),
    ({"Sec_Fetch_Site": "same-site"}, 403),
    ({"Sec_Fetch_Site": "none"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Origin": "https://127.0.0.1:{port}"}, 200),
    ({"Content_Type": "text/plain"}, 403),
    ({"Content_Type": "application/x-www-form-urlencoded"}, 403),
], ids=str)
def test_a_cookie_acts_only_from_the_page_itself(p, headers, status):
    sent = {k: v.format(port=p.address[1]) for k, v in headers.items()}
    kid = p.snapshot()["keys"][0]["id"]
    answer = ask(p, "POST", f"/admin/api/keys/{kid}/disable", Cookie=cookie_of(p), **sent)
    assert answer[0] == status
    assert p.snapshot()["keys"][0]["enabled"] == (status != 200)


def test_no_cors_for_the_admin_api(p):
    for path in ("/admin/api/snapshot", "/metrics", "/login"):
        status, headers, _ = ask(p, "OPTIONS", path, Origin="http://evil.example",
                                 Access_Control_Request_Method="POST", Access_Control_Request_Headers="authorization")
        assert status == 204 and not [h for h in headers if h.lower().startswith("access-control")]
    status, headers, _ = ask(p, "OPTIONS", "/v1/chat/completions", Origin="http://evil.example")
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_no_get_changes_anything(p):
    before = p.snapshot()["keys"]
    for method, path, _ in ROUTES:
        if method == "POST":
            assert ask(p, "GET", concrete(path), **bearer(p))[0] in (404, 405) or path == "/admin/api/keys"
    assert [k["enabled"] for k in p.snapshot()["keys"]] == [k["enabled"] for k in before]


def test_headers_of_admin_answers(p):
    for path in ("/admin/api/snapshot", "/admin/api/keys"):
        headers = ask(p, "GET", path, **bearer(p))[1]
        assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in headers


def test_brute_force_locks_out_neither_the_owner_nor_for_ever(start):
    p = start([key("good")], "[limits]\nlogin_failures = 10\n")
    seen = [ask(p, "GET", "/admin/api/snapshot", Authorization=f"Bearer guess{i}")[0] for i in range(40)]
    assert seen[:10] == [401] * 10 and set(seen[10:]) == {429}
    blocked = ask(p, "GET", "/admin/api/snapshot", Authorization="Bearer no")
    assert 1 <= int(blocked[1]["Retry-After"]) <= 60
    assert ask(p, "GET", "/admin/api/snapshot", **bearer(p))[0] == 200  # on loopback the right one works
    forwarded = ask(p, "GET", "/admin/api/snapshot", X_Forwarded_For="203.0.113.9", **bearer(p))
    assert forwarded[0] == 429  # a reverse proxy's clients are not the owner


def test_open_on_loopback_is_for_looking(start):
    p = start([key("good")], "[admin]\nopen_on_loopback = yes\n")
    assert ask(p, "GET", "/admin/api/snapshot")[0] == 200
    assert ask(p, "POST", "/admin/api/keys/00000000/disable")[0] == 401
    assert ask(p, "GET", "/admin/api/snapshot", X_Forwarded_For="203.0.113.9")[0] == 401
    assert ask(p, "GET", "/admin/api/snapshot", Host="evil.example")[0] == 421


def test_readonly_refuses_the_token_too(start):
    p = start([key("good")], LOGIN, args=["--readonly"])
    answer = ask(p, "POST", "/admin/api/keys/00000000/disable", **bearer(p))
    assert answer[0] == 403 and "--readonly" in answer[2]


def test_keys_over_tcp(p):
    added = ask(p, "POST", "/admin/api/keys", key("good3"), Content_Type="text/plain", **bearer(p))
    assert added[0] == 200 and json.loads(added[2])["added"] == 1
    rows = json.loads(ask(p, "GET", "/admin/api/keys", **bearer(p))[2])["keys"]
    assert len(rows) == 3 and key("good3") not in json.dumps(rows)
    kid = next(r["id"] for r in rows if not r["from_file"])
    assert ask(p, "DELETE", f"/admin/api/keys/{kid}", **bearer(p))[0] == 200
    assert len(p.snapshot()["keys"]) == 2


# ---- events ----


class Viewer:
    def __init__(self, p, **headers):
        self.c = http.client.HTTPConnection(*p.address, timeout=60)
        self.c.request("GET", "/admin/api/events", headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.r = self.c.getresponse()

    def next(self):
        """(event, data) of the next event; None at the end."""
        event, data = "", []
        while True:
            line = self.r.readline()
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif not line and event:
                return event, json.loads("\n".join(data))

    def until(self, good, count=40):
        for _ in range(count):
            event = self.next()
            if event and good(*event):
                return event[1]
        raise AssertionError("no such event")

    def close(self):
        self.c.close()


def test_a_live_page_sees_what_changes(p):
    v = Viewer(p, **bearer(p))
    assert v.r.status == 200 and v.r.headers["Content-Type"] == "text/event-stream"
    assert v.r.headers["X-Accel-Buffering"] == "no"
    event, snap = v.next()
    assert event == "snap" and len(snap["keys"]) == 2 and len(snap["order"]) == 2
    assert len(snap["series"]["rpm"]) == 60 and len(snap["series"]["rpd"]) == 24
    seq = snap["seq"]
    event, change = v.next()
    assert event == "d" and change["prev"] == seq and change["keys"] == []
    kid = snap["order"][0]
    p.api("POST", f"keys/{kid}/disable")
    row = v.until(lambda e, d: any(k["id"] == kid and not k["enabled"] for k in d["keys"]))
    assert [k["id"] for k in row["keys"]] == [kid]
    assert p.chat(headers={"Authorization": "Bearer client-key-1"})[0] == 200
    done = v.until(lambda e, d: any(r["model"] == "Qwen/Qwen3-8B" and not r["live"] for r in d["requests"]))
    assert done["totals"]["rpm"] >= 1
    assert key("good") not in json.dumps(snap) + json.dumps(done)
    v.close()
    wait_until("the viewer is forgotten", lambda: p.snapshot()["totals"]["connections"] <= 1)


def test_at_most_so_many_viewers(p):
    viewers = [Viewer(p, **bearer(p)) for _ in range(16)]
    assert {v.r.status for v in viewers} == {200}
    assert all(v.next()[0] == "snap" for v in viewers)
    status, headers, _ = ask(p, "GET", "/admin/api/events", **bearer(p))
    assert status == 503 and headers["Retry-After"] == "5"
    viewers.pop().close()
    wait_until("a place is free", lambda: try_view(p))
    for v in viewers:
        v.close()


def try_view(p):
    v = Viewer(p, **bearer(p))
    ok = v.r.status == 200
    v.close()
    return ok


def test_a_viewer_that_reads_nothing_holds_up_nobody(start):
    p = start([key(f"good{i}") for i in range(60)], LOGIN)
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(p.address)
    s.sendall(f"GET /admin/api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token_of(p)}\r\n\r\n".encode())
    wait_until("it is counted", lambda: p.snapshot()["totals"]["connections"] >= 2)
    good = Viewer(p, **bearer(p))
    load(p, 200)
    good.until(lambda e, d: d["totals"]["rpm"] >= 200)
    assert p.chat()[0] == 200
    s.close()
    good.close()


def test_draining_ends_the_streams(p):
    v = Viewer(p, **bearer(p))
    assert v.next()[0] == "snap"
    began = time.monotonic()
    p.signal(15)
    while v.next():
        pass
    assert p.process.wait(30) == 0
    assert time.monotonic() - began < 25, "an open page must not hold up the end for the whole drain time"


def test_many_pages_come_and_go(p):
    for _ in range(40):
        v = Viewer(p, **bearer(p))
        assert v.r.status == 200
        v.close()
    wait_until("all are forgotten", lambda: p.snapshot()["totals"]["connections"] <= 1)


# ---- metrics ----


def samples(text):
    return {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


def test_metrics(p):
    client = {"Authorization": "Bearer client-key-1"}
    for _ in range(5):
        assert p.chat(headers=client)[0] == 200
    assert p.chat(model="Qwen/Qwen3-32B", stream=True, headers=client)[0] == 200
    p.wait_idle()
    status, headers, text = ask(p, "GET", "/metrics", **bearer(p))
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    got = samples(text)
    assert got['sfproxy_requests_total{end="ok"}'] == 6
    assert got["sfproxy_tries_total"] == 6
    assert got['sfproxy_model_requests_total{model="Qwen/Qwen3-8B"}'] == 5
    assert got['sfproxy_request_duration_seconds_bucket{le="+Inf"}'] == got["sfproxy_request_duration_seconds_count"] == 6
    assert sum(v for k, v in got.items() if k.startswith("sfproxy_key_ok_total")) == 6
    assert key("good") not in text and "client-key-1" not in text
    promtool = shutil.which("promtool")
    assert promtool, "promtool is in Debian's package prometheus"
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0 and not checked.stderr.strip(), checked.stderr


def test_metrics_public(start):
    p = start([key("good")], "[admin]\nmetrics_public = yes\n")
    assert ask(p, "GET", "/metrics")[0] == 200
    assert ask(p, "GET", "/metrics", Host="scraper.example")[0] == 200
    assert ask(p, "GET", "/admin/api/snapshot")[0] == 401
