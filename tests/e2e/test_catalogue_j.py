"""JSON that is odd, huge, deep, ambiguous or broken, from both sides: part J of docs/testing-catalogue.md."""
import hashlib
import http.client
import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import threading

import pytest

from harness import CHAT, SLOW, key, wait_until
from json_suite import CASES
from rawhttp import CHATS, code_of, cpu_seconds, post, memory, send

MiB = 1 << 20


def sha(data):
    return hashlib.sha256(data).hexdigest()


def around(value, model=b'"Qwen/Qwen3-8B"'):
    """A chat with these bytes as the content of its message."""
    return b'{"model":' + model + b',"messages":[{"role":"user","content":' + value + b"}]}"


class Client:
    """One keep-alive connection."""

    def __init__(self, proxy):
        self.connection = http.client.HTTPConnection(*proxy.address, timeout=20 * SLOW)

    def chat(self, body):
        self.connection.request("POST", CHATS, body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()


def error_code(answer):
    return json.loads(answer)["error"]["code"]


# --- J1: the parsing test suite ---

# Bytes that are no JSON text in UTF-8 at all: the message around them could not be read.
NOT_UTF8_TEXT = ("i_string_UTF-16LE_with_BOM", "i_string_utf16BE_no_BOM", "i_string_utf16LE_no_BOM",
                 "i_structure_UTF-8_BOM_empty_object")


def test_J1_good_json_arrives_byte_for_byte(shared, standin):
    names = [n for n in CASES if n[0] in "yi" and n not in NOT_UTF8_TEXT]
    assert len(names) == 95 + 35 - len(NOT_UTF8_TEXT)
    client, sent = Client(shared), []
    for name in names:
        body = around(CASES[name])
        status, answer = client.chat(body)
        assert status == 200, (name, answer)
        sent.append(sha(body))
    assert [r["body_sha256"] for r in standin.requests()] == sent


@pytest.mark.parametrize("embedded", [False, True], ids=["whole", "embedded"])
def test_J1_bad_json_is_refused(shared, standin, embedded):
    names = [n for n in CASES if n[0] == "n"] + list(NOT_UTF8_TEXT)
    client = Client(shared)
    for name in names:
        status, answer = client.chat(around(CASES[name]) if embedded else CASES[name])
        assert (status, error_code(answer)) == (400, "bad_json"), (name, answer)
    assert standin.report()["totals"]["requests"] == 0


def test_J1_raw_bytes_in_strings_pass(shared, standin):
    """The platform decides about bytes that are no UTF-8 where we need not read them; in a name or a model we must."""
    value = b'"' + bytes(range(0x80, 0x100)) + b'"'
    assert Client(shared).chat(around(value))[0] == 200
    assert standin.requests()[-1]["body_sha256"] == sha(around(value))
    status, answer = Client(shared).chat(around(b'"x"', model=b'"a\xff"'))
    assert (status, error_code(answer)) == (400, "bad_model")


# --- J2, J3, J6: depth, numbers, memory ---

def test_J2_deep_nesting(shared, standin):
    client = Client(shared)
    deepest = around(b"[" * 509 + b"]" * 509)  # three levels are ours: 512
    assert client.chat(deepest)[0] == 200
    assert standin.requests()[-1]["body_sha256"] == sha(deepest)
    before = memory(shared)
    for body in (around(b"[" * 510 + b"]" * 510), around(b'{"a":' * 510 + b"1" + b"}" * 510), b"[" * 10 * MiB,
                 around(b"[" * 10 * MiB), around(b'[{"":' * 2 * MiB)):
        status, answer = client.chat(body)
        assert (status, error_code(answer)) == (400, "bad_json")
    assert memory(shared) - before < 30 * MiB
    assert len(standin.requests()) == 1


def test_J2_max_json_depth(start, standin):
    p = start([key("k")], "[limits]\nmax_json_depth = 16\n")
    assert Client(p).chat(around(b"[" * 13 + b"]" * 13))[0] == 200
    assert Client(p).chat(around(b"[" * 14 + b"]" * 14))[0] == 400


@pytest.mark.parametrize("number",
                         [b"9007199254740993", b"18446744073709551616", b"1e999999", b"-0", b"1E-400",
                          b"0.1" + b"0" * 1000,
                                    b"1" * MiB, b"1e" + b"9" * MiB], ids=lambda b: b[:12].decode())
def test_J3_numbers_are_untouched(shared, standin, number):
    body = around(b'"x"')[:-1] + b',"seed":' + number + b"}"
    before = cpu_seconds(shared)
    assert Client(shared).chat(body)[0] == 200
    assert standin.requests()[-1]["body_sha256"] == sha(body)
    assert cpu_seconds(shared) - before < 1 * SLOW


@pytest.mark.parametrize("filler", [b"[" + b"1," * 4_000_000 + b"1]", b'"' + b"\\u0041" * 1_300_000 + b'"',
                                    b"{" + b",".join(b'"%x":{}' % i for i in range(500_000)) + b"}"],
                         ids=["numbers", "escapes", "objects"])
def test_J6_no_amplification(start, standin, filler):
    p = start([key("k")])
    body = around(filler)
    assert p.chat()[0] == 200
    before = memory(p)
    with open(f"/proc/{p.process.pid}/clear_refs", "w") as f:
        f.write("5")  # the peak is forgotten
    assert Client(p).chat(body)[0] == 200
    peak = memory(p, "VmHWM")
    assert peak - before < 2 * len(body) + 4 * MiB, (peak - before, len(body))
    assert standin.requests()[-1]["body_sha256"] == sha(body)


# --- J4, J5: the fields we read ---

@pytest.mark.parametrize("body", [
    b'{"model":"a","model":"b"}', b'{"model":"a","model":"a"}', b'{"model":"a","mod\\u0065l":"b"}',
    b'{"model":"a","x":{},"model":null}',
    b'{"\\u006dodel":"a","model":"b"}', b'{"model":"a","stream":true,"stream":false}',
    b'{"model":"a","stream":false,"\\u0073tream":true}',
    b'{"model":"a" ,\n"model"\t:\r"b"}',
])
def test_J4_duplicates_are_refused(shared, standin, body):
    status, answer = Client(shared).chat(body)
    assert (status, error_code(answer)) == (400, "duplicate_key")
    assert standin.report()["totals"]["requests"] == 0


@pytest.mark.parametrize("extra", [
    b'"Model":"attacker/x"', b'"MODEL":"attacker/x"', b'"model ":"attacker/x"', b'"model\\u0000":"attacker/x"',
    b'"metadata":{"model":"attacker/x","model":"b"}', b'"x":[{"model":"attacker/x"}]',
    b'"x":"\\",\\"model\\":\\"attacker/x\\""',
    b'"mode\\u004c":"attacker/x"', b'"Stream":true', b'"a":1,"a":2',
])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_J4_the_platform_reads_the_same_model(shared, standin, extra, first):
    parts = [b'"mod\\u0065l":"Qwen\\/Qwen3-8B"', b'"messages":[{"role":"user","content":"x"}]']
    body = b"{" + b",".join([extra, *parts] if first else [*parts, extra]) + b"}"
    status, answer = Client(shared).chat(body)
    assert status == 200 and b"data:" not in answer
    shared.wait_idle()
    assert shared.snapshot()["requests"][0]["model"] == json.loads(body)["model"]
    row = standin.requests()[-1]
    assert row["body_sha256"] == sha(body) and row["stream"] is False
    assert row["model"] == json.loads(body)["model"] or b"u0000" in extra  # a parser of C strings ends names at a NUL


@pytest.mark.parametrize("model, code", [
    (b"1", "bad_model"), (b"null", "bad_model"), (b"true", "bad_model"), (b"[]", "bad_model"), (b"{}", "bad_model"),
    (b'["a"]', "bad_model"), (b'""', "bad_model"), (b'"' + b"a" * 257 + b'"', "bad_model"),
    (b'"' + b"a" * MiB + b'"', "bad_model"),
    (b'"a\\u0000b"', "bad_model"), (b'"a\\nb"', "bad_model"), (b'"\\u001b]52;c;x\\u0007"', "bad_model"),
    (b'"\\u009b31m"', "bad_model"),
    (b'"\\ud800"', "bad_model"), (b'"\\udc00\\ud800"', "bad_model"), (b'"\x7f"', "bad_model"),
    (b'"\xc0\xaf"', "bad_model"),
    (b'"\xed\xa0\x80"', "bad_model"), (b'"a\nb"', "bad_json"), (b"nul", "bad_json"), (b"'a'", "bad_json"),
], ids=lambda x: ascii(x[:20]) if isinstance(x, bytes) else x)
def test_J5_bad_models(shared, standin, model, code):
    status, answer = Client(shared).chat(around(b'"x"', model=model))
    assert (status, error_code(answer)) == (400, code)
    message = json.loads(answer)["error"]["message"]
    assert code == "bad_json" or "`model`" in message
    assert standin.report()["totals"]["requests"] == 0


def test_J5_no_model(shared):
    for body in (b"{}", b'{"messages":[]}', b'{"Model":"a"}', b'{"x":{"model":"a"}}'):
        status, answer = Client(shared).chat(body)
        assert (status, error_code(answer)) == (400,
                                                "bad_model") and "`model`" in json.loads(answer)["error"]["message"]


@pytest.mark.parametrize("model",
                         ["a" * 256, "名字/模型", "😀", "\u202eabc", "<script>alert(1)</script>", "'; DROP TABLE t; --",
                          "a b", "%s%n",
                                   "../../etc/passwd", "\\\"", "\ufeff", "$(id)"], ids=ascii)
def test_J5_odd_models_pass(shared, standin, model):
    for ascii_only in (False, True):
        body = around(b'"x"', model=json.dumps(model, ensure_ascii=ascii_only).encode())
        assert Client(shared).chat(body)[0] == 200
        assert standin.requests()[-1]["body_sha256"] == sha(body)
        shown = shared.wait_idle()["requests"][0]["model"]
        assert shown == model.replace("\u202e", "???").replace("\ufeff",
                                                               "???")  # what would turn or hide text is not shown
    assert all(c == "\n" or c.isprintable() for c in shared.log())


def test_J5_max_model_name(start, standin):
    p = start([key("k")], "[limits]\nmax_model_name = 16\n")
    assert Client(p).chat(around(b'"x"', model=b'"' + b"a" * 16 + b'"'))[0] == 200
    assert Client(p).chat(around(b'"x"', model=b'"' + b"a" * 17 + b'"'))[0] == 400


@pytest.mark.parametrize("stream, status",
                         [(b"true", 200), (b"false", 200), (b"null", 200), (b"1", 400), (b'"true"', 400), (b"[]", 400),
                                            (b"{}", 400)])
def test_J5_stream(shared, stream, status):
    found, answer = Client(shared).chat(around(b'"x"')[:-1] + b',"stream":' + stream + b"}")
    assert found == status and (b"data: [DONE]" in answer) == (stream == b"true")


# --- J7: what the platform says ---

class Parrot(socketserver.ThreadingTCPServer):
    """A platform that answers every POST with the bytes it was told."""
    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while True:
                first = self.rfile.readline()
                if not first:
                    return
                fields = http.client.parse_headers(self.rfile)
                self.rfile.read(int(fields.get("Content-Length", 0)))
                what = (200, "application/json",
                        b'{"object":"list","data":[]}') if first.startswith(b"GET") else self.server.what
                self.wfile.write(b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" %
                                 (what[0], what[1].encode(), len(what[2])) + what[2])

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.what = (200, "application/json", b"{}")
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def parrot():
    p = Parrot()
    yield p
    p.shutdown()
    p.server_close()


def test_J7_replies_pass_untouched(start, parrot):
    """An answer that is malformed is the client's to judge, as it would be without us: never changed, never retried."""
    p = start([key("k")], upstream=parrot)
    client = Client(p)
    for name, data in CASES.items():
        if not data.strip(b" "):
            continue  # nothing at all is no answer: see below
        parrot.what = (200, "application/json", data)
        assert client.chat(around(b'"x"')) == (200, data), name
    row = p.wait_idle()["requests"][0]
    assert row["status"] == 200 and row["tokens_in"] is row["tokens_out"] is None


COMPLETION = (b'{"id":"a","object":"chat.completion","model":"m","choices":[{"index":0,'
              b'"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]')
USAGES = [b"null", b"{}", b"[]", b"1", b'"x"', b'{"prompt_tokens":-5,"completion_tokens":-1}',
          b'{"prompt_tokens":"7","completion_tokens":"8"}',
          b'{"prompt_tokens":1e308,"completion_tokens":1e308}', b'{"prompt_tokens":1e999,"completion_tokens":-1e999}',
          b'{"prompt_tokens":9007199254740993,"completion_tokens":99999999999999999999999999}',
          b'{"prompt_tokens":{"a":1},"completion_tokens":[2]}',
          b'{"prompt_tokens":1.5,"completion_tokens":0.1}', b'{"prompt_tokens":null}',
          b'{"prompt_tokens":true,"completion_tokens":false}',
          b'{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":-9},'
          b'"completion_tokens_details":"x"}',
          b'{"prompt_tokens":' + b"[" * 5000 + b"]" * 5000 + b"}"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_J7_odd_usage(start, parrot, stream):
    p = start([key("k")], upstream=parrot)
    client = Client(p)
    for usage in USAGES:
        data = COMPLETION + b',"usage":' + usage + b"}"
        if stream:
            data = b"data: " + data.replace(b"message", b"delta") + b"\n\ndata: [DONE]\n\n"
        parrot.what = (200, "text/event-stream" if stream else "application/json", data)
        status, answer = client.chat(around(b'"x"')[:-1] + b',"stream":%s}' % (b"true" if stream else b"false"))
        assert (status, answer) == (200, data), usage[:60]
        row = p.wait_idle()["requests"][0]
        for field in ("tokens_in", "tokens_out"):
            assert row[field] is None or 0 <= row[field] < 1 << 53 and row[field] == int(row[field]), (usage[:60], row)
        assert row["reason"] == "ok", row
    totals = p.snapshot()["totals"]
    assert totals["rpm"] == len(USAGES) and 0 <= totals["tpm"] < 1 << 60


def test_J7_gigantic_reply(start, parrot):
    p = start([key("k")], upstream=parrot)
    parrot.what = (200, "application/json",
                   COMPLETION + b',"pad":"' + b"x" * 40 * MiB + b'","usage":{"prompt_tokens":3,"completion_tokens":4}}')
    before = memory(p)
    status, answer = Client(p).chat(around(b'"x"'))
    assert status == 200 and answer == parrot.what[2]
    assert memory(p) - before < 16 * MiB
    row = p.wait_idle()["requests"][0]
    assert row["reason"] == "ok" and (row["tokens_in"], row["tokens_out"]) in ((3, 4), (None, None))


@pytest.mark.parametrize("data", [b"", b" "])
def test_J7_nothing_is_one_well_formed_answer(start, parrot, data):
    p = start([key("k")], upstream=parrot)
    parrot.what = (200, "application/json", data)
    found = send(p, post(around(b'"x"'), "Connection: close"))
    assert len(found) == 1 and found[0].status in (200, 502)
    assert found[0].status == 200 or code_of(found[0])


# --- J8 ---

def test_J8_a_locale_with_commas(start, standin, tmp_path):
    if not shutil.which("localedef") or not os.path.exists("/usr/share/i18n/locales/de_DE"):
        pytest.skip("needs the package locales")
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], capture_output=True)
    env = {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8",
           "ASAN_OPTIONS": "detect_leaks=0"}  # libc never frees what it makes of LOCPATH
    probe = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.localeconv()['decimal_point'])"
    assert subprocess.run([sys.executable, "-c", probe], env={**os.environ, **env}, capture_output=True,
                          text=True).stdout.strip() == ","
    p = start(["main = " + key("k") + " balance=14.25"], env=env)
    assert p.chat("Qwen/Qwen3-32B")[0] == 200
    wait_until("it is counted", lambda: p.snapshot()["totals"]["rpm"] == 1)
    status, text = p.control("GET", "/admin/api/snapshot")
    snapshot = json.loads(text)  # a comma in a number would break it, or make it two
    assert status == 200 and "14.2" in json.dumps(snapshot["keys"][0]["balance"])
    assert not re.search(rb'":-?\d+,\d+[,}]', text), "a number with a comma"
    assert p.key("main")["label"] == "main"
    assert p.cli("keys", "list").returncode == 0 and p.cli("check").returncode in (0, 2)
