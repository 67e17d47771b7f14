"""The web page in a real browser, and its doors over plain HTTP."""
import html.parser
import http.client
import os
import pathlib
import sys
import threading
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
import browser as web  # noqa: E402

try:
    from conftest import proxy, standin, standin_process, start  # noqa: F401,E402
    from harness import key, wait_until  # noqa: E402
except ImportError:
    pytest.skip("the fixtures of tests/e2e are not there", allow_module_level=True)

XSS = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'
SHOTS = os.environ.get("SCREENSHOTS")  # a directory to keep pictures in


@pytest.fixture(scope="module")
def chromium():
    if not web.available():
        pytest.skip("chromium and chromedriver are not installed")
    b = web.Browser()
    yield b
    b.close()


@pytest.fixture
def clean(chromium):
    """The browser without cookies, in desktop size."""
    chromium.cdp("Network.clearBrowserCookies")
    chromium.size(1440)
    return chromium


def token_of(p):
    return (p.state_dir / "admin.token").read_text().strip()


def ask(p, method="GET", path="/", body=None, **headers):
    """One request: (status, headers, text). Header names with _ for -."""
    c = http.client.HTTPConnection(*p.address, timeout=60)
    try:
        c.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            if value is not None:
                c.putheader(name.replace("_", "-"), value)
        data = body.encode() if body is not None else None
        if data is not None:
            c.putheader("Content-Length", str(len(data)))
            if "Content_Type" not in headers:
                c.putheader("Content-Type", "application/x-www-form-urlencoded")
        elif method == "POST":
            c.putheader("Content-Length", "0")
        c.endheaders(data)
        r = c.getresponse()
        return r.status, r.headers, r.read().decode()
    finally:
        c.close()


def form(token, **more):
    return urllib.parse.urlencode({"token": token, **more})


def log_in(p, **headers):
    """A cookie that opens the page."""
    status, head, _ = ask(p, "POST", "/login", form(token_of(p)), **headers)
    assert status == 303
    return head["Set-Cookie"].split(";")[0]


class Outline(html.parser.HTMLParser):
    """Checks nesting, and collects tags, attributes and text."""

    VOID = {"meta", "link", "input", "br", "img", "rect"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.words = [], [], []
        self.feed(text)
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack and self.stack.pop() == tag, tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [a for t, a in self.tags if t == tag]


# --- doors ---

def test_login_form_is_all_a_stranger_sees(proxy):
    status, head, text = ask(proxy)
    assert status == 401
    page = Outline(text)
    assert [f["action"] for f in page.all("form")] == ["login"]
    assert "table" not in text and "k0" not in text
    assert "Set-Cookie" not in head


def test_headers_of_every_answer(proxy):
    cookie = log_in(proxy)
    answers = [ask(proxy), ask(proxy, Cookie=cookie), ask(proxy, "POST", "/login", form("wrong")),
               ask(proxy, "GET", "/style.css"), ask(proxy, "GET", "/app.js"), ask(proxy, "POST", "/logout", Cookie=cookie)]
    assert [a[0] for a in answers] == [401, 200, 401, 200, 200, 303]
    for status, head, text in answers:
        csp = dict(part.strip().split(" ", 1) for part in head["Content-Security-Policy"].split(";"))
        assert csp == {"default-src": "'none'", "style-src": "'self'", "img-src": "'self' data:",
                       "script-src": "'self'", "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'"}
        assert head["X-Content-Type-Options"] == "nosniff"
        assert head["X-Frame-Options"] == "DENY"
        assert head["Referrer-Policy"] == "no-referrer"
        assert "Server" not in head and "Access-Control-Allow-Origin" not in head
        if "html" in head["Content-Type"]:
            assert head["Cache-Control"] == "no-store"
            scripts = Outline(text).all("script")  # one file of ours, nothing inline
            assert all(a["src"].startswith("app.js?v=") and "defer" in a for a in scripts) and len(scripts) <= 1
            assert " style=" not in text and "javascript:" not in text


def test_cookie_and_logout(proxy):
    status, head, _ = ask(proxy, "POST", "/login", form(token_of(proxy), lang="zh"))
    assert status == 303 and head["Location"] == "./?lang=zh"
    name, *attributes = [part.strip() for part in head["Set-Cookie"].split(";")]
    assert name.startswith("sfproxy_session=") and len(name) == len("sfproxy_session=") + 64
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={30 * 86400}"}
    again = log_in(proxy)
    assert again != name
    renewed = log_in(proxy, Cookie=again)  # a new login ends the session it came with
    assert ask(proxy, Cookie=again)[0] == 401
    assert ask(proxy, Cookie=name)[0] == ask(proxy, Cookie=renewed)[0] == 200
    status, head, _ = ask(proxy, "POST", "/logout", Cookie=name)
    assert status == 303 and "Max-Age=0" in head["Set-Cookie"]
    status, head, _ = ask(proxy, Cookie=name)
    assert status == 401 and "Max-Age=0" in head["Set-Cookie"]
    assert ask(proxy, Cookie=renewed)[0] == 200


def test_what_is_no_login(proxy):
    assert ask(proxy, "GET", "/login")[0] == 405
    assert ask(proxy, "POST", "/login", "")[0] == 400
    assert ask(proxy, "POST", "/login", "token=")[0] == 400
    assert ask(proxy, "POST", "/login", '{"token":1}', Content_Type="application/json")[0] == 415
    assert ask(proxy, "POST", "/login", form("x" * 9000))[0] == 413
    assert ask(proxy, "POST", "/login", form(token_of(proxy)[:-1]))[0] == 401
    assert ask(proxy, "GET", "/?token=" + token_of(proxy))[0] == 401


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 401), ("localhost:1234", 401), ("[::1]:7860", 401), ("pool.example.org:8443", 401),
    ("localhost.evil.com", 421), ("evil.com", 421), ("127.0.0.1.", 421), ("127.0.0.1.nip.io", 421)])
def test_host_names(start, host, status):
    p = start([key("good")], "[server]\ntrusted_hosts = pool.example.org", tested=False)
    assert ask(p, Host=host)[0] == status
    assert ask(p, "POST", "/login", form("wrong"), Host=host)[0] == status


@pytest.mark.parametrize("headers, may", [
    ({}, True), ({"Origin": "SAME"}, True), ({"Sec_Fetch_Site": "same-origin"}, True),
    ({"Origin": "null"}, False), ({"Origin": "http://evil.com"}, False), ({"Origin": "http://127.0.0.1:1"}, False),
    ({"Sec_Fetch_Site": "cross-site"}, False), ({"Sec_Fetch_Site": "same-site"}, False),
    ({"Origin": "SAME", "Sec_Fetch_Site": "cross-site"}, False)])
def test_forms_of_foreign_pages(proxy, headers, may):
    headers = {k: proxy.url if v == "SAME" else v for k, v in headers.items()}
    cookie = log_in(proxy)
    assert ask(proxy, "POST", "/login", form("wrong"), **headers)[0] == (401 if may else 403)
    assert ask(proxy, "POST", "/logout", Cookie=cookie, **headers)[0] == (303 if may else 403)
    assert ask(proxy, Cookie=cookie)[0] == (401 if may else 200)


def test_guessing_is_slowed_down_and_the_owner_stays_in(start):
    p = start([key("good")], "[limits]\nlogin_failures = 5", tested=False)
    got = [ask(p, "POST", "/login", form("guess"))[0] for _ in range(8)]
    assert got == [401] * 5 + [429] * 3
    status, head, _ = ask(p, "POST", "/login", form("guess"))
    assert status == 429 and 1 <= int(head["Retry-After"]) <= 60
    # Through a reverse proxy on this machine nobody is the owner.
    assert ask(p, "POST", "/login", form(token_of(p)), X_Forwarded_For="203.0.113.9")[0] == 429
    assert ask(p, "POST", "/login", form(token_of(p)))[0] == 303


def test_open_on_loopback(start):
    p = start([key("good")], "[admin]\nopen_on_loopback = yes", tested=False)
    status, _, text = ask(p)
    assert status == 200 and 'action="logout"' not in text
    assert ask(p, X_Forwarded_For="203.0.113.9")[0] == 401
    assert ask(p, Forwarded="for=203.0.113.9")[0] == 401
    assert ask(p, Host="evil.com")[0] == 421


def test_token_of_the_configuration(start):
    p = start([key("good")], "[admin]\ntoken = a-token-of-my-own", tested=False)
    assert ask(p, "POST", "/login", form("a-token-of-my-own"))[0] == 303
    assert ask(p, "POST", "/login", form("a-token-of-my-owN"))[0] == 401


def test_page_is_sound_html_and_complete(proxy):
    proxy.chat()
    proxy.wait_idle()
    status, _, text = ask(proxy, Cookie=log_in(proxy))
    assert status == 200
    page = Outline(text)
    words = " ".join(page.words)
    for name in ("RPM", "TPM", "RPD", "TPD", "in flight", "429/min", "errors/min", "Attention", "Keys", "Free models",
                 "Paid models", "Last requests", "k0", "k1", "k2", "Qwen/Qwen3-8B", proxy.base_url):
        assert name in words, name
    assert len(page.all("svg")) == 4 and all(s["aria-label"] for s in page.all("svg"))
    assert page.all("th") and all(t.get("scope") in ("col", "row") for t in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert len(page.all("script")) == 1


def test_languages(proxy):
    cookie = log_in(proxy)
    for path, accept, lang, word in [("/", "zh-CN,zh;q=0.9", "zh-CN", "密钥"), ("/", "en", "en", "Keys"),
                                     ("/?lang=zh", "en", "zh-CN", "密钥"), ("/?lang=en", "zh-CN", "en", "Keys"),
                                     ("/", None, "en", "Keys")]:
        _, _, text = ask(proxy, path=path, Cookie=cookie, Accept_Language=accept)
        assert f'<html lang="{lang}">' in text and word in text
    assert "登录" in ask(proxy, Accept_Language="zh")[2]


def test_refresh_is_asked_for(proxy):
    cookie = log_in(proxy)
    assert "http-equiv" not in ask(proxy, Cookie=cookie)[2]
    refreshed = ask(proxy, path="/?refresh=5&lang=zh", Cookie=cookie)[2]
    assert '<meta http-equiv="refresh" content="5">' in refreshed
    assert "http-equiv" not in ask(proxy, path="/?refresh=1;url=http://evil.com", Cookie=cookie)[2]


def test_no_keys_at_all(start):
    p = start([], tested=False)
    status, _, text = ask(p, Cookie=log_in(p))
    assert status == 200
    Outline(text)
    assert "There is no key yet." in text and "sfproxy keys add" in text


def test_two_hundred_keys(start):
    p = start([key("good", n) for n in range(200)], tested=False)
    status, _, text = ask(p, Cookie=log_in(p))
    assert status == 200
    rows = [a for a in Outline(text).all("th") if a.get("scope") == "row"]
    assert len(rows) >= 200
    assert "CANARY" not in text


def test_foreign_text_is_text(proxy):
    """Labels and model names that are markup, terminal escapes and bidi marks."""
    id = proxy.key("k0")["id"]
    proxy.api("POST", f"keys/{id}/label", {"label": "\"><u>'&"})
    proxy.api("POST", "models/ban", {"model": XSS})
    proxy.chat(model=XSS)
    proxy.chat(model='x" onmouseover="alert(1)')
    text = ask(proxy, Cookie=log_in(proxy))[2]
    page = Outline(text)
    assert not [t for t, _ in page.tags if t in ("img", "u")] and len(page.all("script")) == 1
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "<u>" not in text and XSS not in text and "&quot;&gt;&lt;u&gt;&#39;&amp;" in text
    assert all(ord(c) >= 0x20 or c in "\r\n" for c in text)


# --- in the browser ---

def browser_login(b, p):
    b.open(p.url + "/")
    b.type("#token", token_of(p))
    b.click("button")
    b.wait_until("the page is there", lambda: b.run("return !!document.querySelector('#keys')"))


def test_browser_logs_in_and_out(clean, proxy):
    browser_login(clean, proxy)
    assert "k0" in clean.text("#keys")
    cookie, = [c for c in clean.cookies() if c["name"] == "sfproxy_session"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert clean.run("return document.cookie") == ""
    assert cookie["value"] not in clean.source() and "token" not in clean.url()
    clean.click("header form button")
    clean.wait_until("the form is back", lambda: clean.run("return !!document.querySelector('#token')"))
    assert not [c for c in clean.cookies() if c["name"] == "sfproxy_session"]
    proxy_cookie = f"sfproxy_session={cookie['value']}"
    assert ask(proxy, Cookie=proxy_cookie)[0] == 401


def test_browser_shows_a_wrong_token(clean, proxy):
    clean.open(proxy.url + "/?lang=zh")
    clean.type("#token", "wrong")
    clean.click("button")
    clean.wait_until("the sentence", lambda: clean.run("return !!document.querySelector('[role=alert]')"))
    assert "管理令牌不正确" in clean.text()
    assert clean.run("return getComputedStyle(document.querySelector('form')).display") == "grid"  # styled there too


def test_browser_finds_nothing_against_the_policy(clean, proxy):
    proxy.chat(model=XSS)
    clean.complaints()
    browser_login(clean, proxy)
    assert clean.run("return document.title").startswith("sfproxy")
    assert clean.run("return [...document.scripts].map(s => s.getAttribute('src').split('?')[0])") == ["app.js"]
    assert clean.run("return document.styleSheets.length && document.styleSheets[0].cssRules.length") > 20
    assert [c for c in clean.complaints() if "401" not in c["message"]] == []


@pytest.mark.parametrize("width", [360, 768, 1024, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_layout(clean, proxy, width, scheme):
    proxy.chat(model="a-name-as-long-as-they-come/" + "x" * 200)
    browser_login(clean, proxy)
    clean.size(width, scheme=scheme)
    assert clean.run("return document.documentElement.scrollWidth") <= width
    cards = clean.run("return getComputedStyle(document.querySelector('#keys tbody tr')).display") == "grid"
    assert cards == (width <= 640)
    dark = clean.run("return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]")
    assert (int(dark) < 64) == (scheme == "dark")
    low = clean.run(CONTRAST)
    assert low == []
    if SHOTS:
        pathlib.Path(SHOTS, f"page-{width}-{scheme}.png").write_bytes(clean.screenshot())


# Text whose contrast with what is behind it is below 4.5:1.
CONTRAST = """
const lum = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
                   return .2126 * r + .7152 * g + .0722 * b; };
const rgb = s => s.match(/[\\d.]+/g).map(Number);
const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
                      if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
const bad = [];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (!own || !e.checkVisibility()) continue;
  const a = lum(rgb(getComputedStyle(e).color).slice(0, 3)), b = lum(behind(e));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) bad.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
}
return [...new Set(bad)];
"""


def test_browser_refreshes_when_asked(clean, proxy):
    browser_login(clean, proxy)
    clean.open(proxy.url + "/?refresh=5")
    clean.run("window.seen = true")
    proxy.chat()
    clean.wait_until("a new document", lambda: clean.run("return document.readyState === 'complete' && !window.seen"))
    assert "refresh=5" in clean.url()
    wait_until("the request is on the page", lambda: "Qwen/Qwen3-8B" in clean.text("#requests"))


def test_browser_in_chinese(proxy):
    if not web.available():
        pytest.skip("chromium and chromedriver are not installed")
    b = web.Browser("zh-CN")
    try:
        browser_login(b, proxy)
        assert b.run("return document.documentElement.lang") == "zh-CN"
        assert "密钥" in b.text("#keys h2")
        b.click("nav a[lang=en]")
        b.wait_until("English", lambda: b.run("return document.documentElement.lang") == "en")
    finally:
        b.close()


# --- alive ---

def live(b, p):
    browser_login(b, p)
    b.wait_until("the page is live", lambda: b.run("return document.querySelector('#live.on') !== null"))
    b.run("window.seen = true")


def row_of(b, name):
    """Text of the key's row in the table of keys."""
    return b.run("return [...document.querySelectorAll('#keys tbody tr')].filter(r => r.innerText.includes(arguments[0]))"
                 ".map(r => r.innerText).join()", name)


def press(b, label):
    """Clicks the button with that accessible name."""
    b.wait_until(label, lambda: b.run("return !!document.querySelector(`button[aria-label=\"${arguments[0]}\"]`)", label))
    b.run("document.querySelector(`button[aria-label=\"${arguments[0]}\"]`).click()", label)


def test_browser_figures_move_by_themselves(clean, proxy):
    live(clean, proxy)
    assert clean.run("return document.querySelector('.g-rpm .value').textContent") == "0"
    for _ in range(3):
        assert proxy.chat()[0] == 200
    clean.wait_until("the figure", lambda: clean.run("return document.querySelector('.g-rpm .value').textContent") == "3")
    clean.wait_until("the requests", lambda: "Qwen/Qwen3-8B" in clean.text("#requests"))
    assert clean.run("return window.seen") is True


def test_browser_switches_tests_bans_and_cancels(clean, proxy, standin):
    live(clean, proxy)
    press(clean, "Disable: k0")
    wait_until("it is off", lambda: not proxy.key("k0")["enabled"])
    clean.wait_until("the row says so", lambda: "off" in row_of(clean, "k0"))
    press(clean, "Enable: k0")
    wait_until("it is on", lambda: proxy.key("k0")["enabled"])
    press(clean, "Test: k1")
    clean.wait_until("the sentence", lambda: "works" in clean.text("#toast"))
    press(clean, "Ban: Qwen/Qwen3-8B")
    wait_until("it is banned", lambda: proxy.chat()[0] == 404)
    press(clean, "Unban: Qwen/Qwen3-8B")
    wait_until("it is not", lambda: proxy.chat()[0] == 200)
    standin.rules({"match": {"model": "Qwen/Qwen3-32B"}, "act": {"stall_before_head": True}})
    answers = []
    asking = threading.Thread(target=lambda: answers.append(proxy.chat(model="Qwen/Qwen3-32B")))
    asking.start()
    press(clean, "Cancel: Qwen/Qwen3-32B")
    asking.join(60)
    assert answers and answers[0][0] >= 400 and "cancelled" in str(answers[0][2])
    assert clean.run("return window.seen") is True


def test_browser_never_runs_foreign_text(clean, proxy, standin):
    id = proxy.key("k0")["id"]
    live(clean, proxy)
    proxy.api("POST", f"keys/{id}/label", {"label": "<img src=x onerror=document.title='owned'>"})
    standin.rules({"match": {"model": "evil/*"}, "act": {"status": 401, "body": {"code": 30014, "message": XSS}}, "times": 1})
    proxy.chat(model="evil/" + XSS, headers={"User-Agent": XSS})
    proxy.api("POST", "models/ban", {"model": XSS})
    clean.wait_until("the label", lambda: "onerror" in clean.text("#keys"))
    clean.wait_until("the model", lambda: "<script>" in clean.text("#models-paid") + clean.text("#models-free"))
    assert clean.run("return document.title").startswith("sfproxy")
    assert clean.run("return document.querySelectorAll('img, #keys u, main script').length") == 0
    assert clean.run("return window.seen") is True


def test_browser_asks_nobody_else(clean, proxy):
    clean.complaints()
    live(clean, proxy)
    hosts = clean.run("return [...new Set(performance.getEntriesByType('resource').map(e => new URL(e.name).origin))]")
    assert hosts == [proxy.url]
    assert [c for c in clean.complaints() if "401" not in c["message"]] == []


def test_browser_filters(clean, proxy):
    live(clean, proxy)
    clean.type("#key-filter", "k2")
    clean.wait_until("one row", lambda: clean.run("return document.querySelectorAll('#keys tbody tr').length") == 1)
    assert "k2" in clean.text("#keys-table")
    clean.type("#model-filter", "deepseek")
    clean.wait_until("fewer", lambda: "THUDM" not in clean.text("#free-table") and "deepseek" in clean.text("#free-table"))


def test_browser_looks_without_acting(clean, start):
    """Open on loopback: no cookie, so there are no buttons that would be refused."""
    p = start([key("good")], "[admin]\nopen_on_loopback = yes")
    clean.open(p.url + "/")
    clean.wait_until("the page is live", lambda: clean.run("return document.querySelector('#live.on') !== null"))
    assert clean.run("return document.querySelectorAll('button.act').length") == 0


def test_browser_comes_back_after_a_restart(clean, start):
    p = start([key("good")], "[admin]\nopen_on_loopback = yes", env={"PORT": str(web.free_port())})
    clean.open(p.url + "/")
    clean.wait_until("live", lambda: clean.run("return document.querySelector('#live.on') !== null"))
    p.stop()
    clean.wait_until("it says so", lambda: clean.run("return document.querySelector('#live.off') !== null"))
    p.start()
    clean.wait_until("live again", lambda: clean.run("return document.querySelector('#live.on') !== null"), 90)


def test_browser_chooses_a_theme(clean, proxy):
    live(clean, proxy)
    dark = "return Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]) < 64"
    assert not clean.run(dark)
    clean.click("#theme")
    clean.click("#theme")
    assert clean.run(dark) and clean.run("return localStorage.getItem('theme')") == "dark"
    assert clean.run(CONTRAST) == []
    clean.run("localStorage.clear()")


def test_browser_shows_usage(clean, proxy):
    for model, times in (("Qwen/Qwen3-8B", 3), ("Qwen/Qwen3-32B", 1)):
        for _ in range(times):
            assert proxy.chat(model=model)[0] == 200
    wait_until("the ledger has them", lambda: proxy.api("GET", "usage?since=1d")["total"]["requests"] == 4)
    live(clean, proxy)
    rows = "return [...document.querySelectorAll('#usage tbody tr')].map(r => r.innerText)"
    clean.wait_until("a day", lambda: len(clean.run(rows)) == 1)
    clean.run("const s = document.getElementById('usage-by'); s.value = 'model'; s.dispatchEvent(new Event('change'))")
    clean.wait_until("two models", lambda: len(clean.run(rows)) == 2)
    assert "Qwen/Qwen3-8B" in clean.run(rows)[0] and "3" in clean.run(rows)[0]
    assert clean.run("return document.querySelectorAll('#usage svg rect').length") == 2
    for by in ("key", "client"):
        clean.run("const s = document.getElementById('usage-by'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))", by)
        clean.wait_until(by, lambda: clean.run("return !document.querySelector('#usage tbody').innerText.includes('Qwen')"))
