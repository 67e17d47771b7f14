"""Pictures: OpenAI's parameters, several pictures over several keys, b64_json, and image models through chat."""
import base64
import hashlib
import json
import re

import pytest
from harness import CANARY, Standin, Wire, error_of, events, key, wait_until

KOLORS = "Kwai-Kolors/Kolors"
SIZED = {"model": KOLORS, "prompt": "a cat", "image_size": "1024x1024"}
ASKED = {"model": KOLORS, "prompt": "a cat", "size": "1024x1024"}
PATH = "/v1/images/generations"


@pytest.fixture
def other():
    """Another host of the platform: a picture server with its own port."""
    s = Standin()
    yield s
    s.close()


def images(p, headers=None, path=PATH, **body):
    status, head, answer = p.request("POST", path, {**ASKED, **body}, headers)
    return status, head, json.loads(answer)


def calls(standin):
    return [r for r in standin.requests() if r["path"] == PATH]


def fetches(standin):
    return [r for r in standin.requests() if r["path"].startswith("/_files/")]


def url_of(standin, name="x.png"):
    return f"{standin.url}/_files/{name}"


def answer_with(standin, *urls, **more):
    """The next calls answer with these URLs, one after the other."""
    return [{"match": {"path": PATH}, "times": 1, "act": {"body": json.dumps({"images": [{"url": u}], **more})}} for u in urls]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


# --- parameters ---
def test_a_native_body_goes_byte_for_byte(start, standin):
    p = start([key("a")])
    body = '{ "model":"Kwai-Kolors/Kolors" ,\n "prompt":"\\u732b", "image_size" : "960x1280","batch_size":1, "seed":7}'
    status, head, answer = p.request("POST", PATH, body)
    assert status == 200 and head["x-sfproxy-attempts"] == "1"
    assert [r["body_sha256"] for r in calls(standin)] == [sha(body)]
    got = json.loads(answer)
    assert got["data"][0]["url"] == got["images"][0]["url"] and got["seed"] == 123456789 and "timings" in got
    assert not fetches(standin)


def test_openai_parameters_become_the_platforms(start, standin):
    """11.11 bug 12: current models, `size` counts, n null, seed untouched, no batch_size."""
    p = start([key("a")])
    status, _, got = images(p, n=None, seed=True, quality="hd", style="vivid", user="u", response_format="url")
    assert status == 200 and got["data"][0]["url"].startswith(standin.url) and got["created"] > 0
    expected = '{"model": "Kwai-Kolors/Kolors","prompt": "a cat","seed": true,"image_size":"1024x1024","num_inference_steps":50}'
    assert [r["body_sha256"] for r in calls(standin)] == [sha(expected)]


@pytest.mark.parametrize("bad, word", [({"n": 5}, "at most 4"), ({"n": 0}, "'n'"), ({"n": "2"}, "'n'"), ({"n": 1.5}, "'n'"),
                                       ({"response_format": "tiff"}, "b64_json")])
def test_what_cannot_be_done_is_said(start, standin, bad, word):
    p = start([key("a")])
    answer = p.request("POST", PATH, {**ASKED, **bad})
    assert answer[0] == 400 and word in error_of(answer)["message"] and error_of(answer)["code"] == "bad_request"
    assert not calls(standin)


def test_the_platforms_refusal_is_passed_on(start, standin):
    p = start([key("a"), key("b")])
    standin.rules({"match": {"path": PATH}, "act": {"preset": "400_20015"}})
    answer = p.request("POST", PATH, {**ASKED, "n": 2, "size": "7x7"})
    assert answer[0] == 400 and json.loads(answer[2])["code"] == 20015 and "parameter" in error_of(answer)["message"]
    assert p.wait_idle()["requests"][0]["reason"] == "client_error"


def test_watermark_only_when_the_client_said_so(start, standin):
    p = start([key("a")])
    images(p)
    images(p, {"X-Enable-Watermark": "0"})
    seen = [[v for n, v in r["headers"] if n.lower() == "x-enable-watermark"] for r in calls(standin)]
    assert seen == [[], ["0"]]


# --- the reply ---
@pytest.mark.parametrize("shape", ["images", "data"])
def test_either_list_of_the_platform(start, standin, shape):
    p = start([key("a")])
    body = json.dumps({shape: [{"url": url_of(standin), "more": 1}], "timings": {"inference": 2.5}, "seed": 5})
    standin.rules({"match": {"path": PATH}, "act": {"body": body}})
    status, _, got = images(p)
    assert status == 200 and got["data"] == [{"url": url_of(standin)}] and got["created"] > 1700000000
    assert got["images"] == [{"url": url_of(standin), "more": 1}]
    assert got["timings"] == {"inference": 2.5} and got["seed"] == 5


@pytest.mark.parametrize("body", ['{"images":[]}', '{"data":[{"x":1}]}', "[]", "hello", '{"images":[{"url":""}]}'])
def test_an_answer_without_a_picture(start, standin, body):
    p = start([key("a")])
    standin.rules({"match": {"path": PATH}, "act": {"body": body}})
    answer = p.request("POST", PATH, ASKED)
    assert answer[0] == 502 and error_of(answer)["code"] == "upstream_garbage"


# --- several pictures ---
def test_n_over_several_keys(start, standin):
    keys = [key("a", i) for i in range(3)]
    standin.script(keys=[{"key": k, "account": k[3:5], "kind": "paid", "limits": {KOLORS: {"ipm": 2}}} for k in keys])
    p = start(keys, "[pool]\nstrategy = fill_first\n")
    status, head, got = images(p, n=3)
    assert status == 200 and len(got["data"]) == 3 == len(got["images"]) and head["x-sfproxy-attempts"] == "3"
    assert len({d["url"] for d in got["data"]}) == 3
    assert sorted(r["key"] for r in calls(standin)) == sorted(keys)
    snapshot = p.wait_idle()
    assert [(r["status"], len(r["tries"]), r["units"]) for r in snapshot["requests"]] == [(200, 3, 3)]
    assert snapshot["totals"]["rpm"] == 1 and snapshot["totals"]["leases"] == 0


def test_partial_success(start, standin):
    """One key, two pictures a minute: two of three are delivered."""
    standin.script(keys=[{"key": key("a"), "account": "A", "kind": "paid", "limits": {KOLORS: {"ipm": 2}}}])
    p = start([key("a")])
    status, _, got = images(p, n=3)
    assert status == 200 and len(got["data"]) == 2
    answer = p.request("POST", PATH, {**ASKED, "n": 2})
    assert answer[0] == 429 and error_of(answer)["code"] == "all_cooling" and int(answer[1]["retry-after"]) > 0
    assert [r["reason"] for r in p.wait_idle()["requests"]] == ["no_key", "ok"]


def test_a_refused_call_goes_to_another_key(start, standin):
    p = start([key("a"), key("b"), key("c")])
    standin.rules({"match": {"path": PATH}, "times": 1, "act": {"preset": "429_ipm_50604"}})
    status, head, got = images(p, n=2)
    assert status == 200 and len(got["data"]) == 2 and head["x-sfproxy-attempts"] == "3"
    assert len({r["key"] for r in calls(standin)}) == 3


def test_one_request_of_the_client_limit(start, standin):
    p = start([key("a"), key("b")], "[limits]\nmax_requests_per_client = 1\n")
    standin.script(defaults={"latency_ms": 600000})
    w = Wire(p, {**ASKED, "n": 2}, PATH)
    standin.wait(in_flight=2)
    assert p.request("POST", PATH, ASKED)[0] == 429
    w.leave("rst")
    standin.wait(cancelled=2, in_flight=0)
    wait_until("the client may again", lambda: p.request("GET", "/v1/models")[0] == 200)
    standin.script()
    assert images(p, n=2)[0] == 200


# --- b64_json ---
def test_b64_json_without_the_key(start, standin):
    p = start([key("a"), key("b")])
    status, head, got = images(p, n=2, response_format="b64_json", headers={"Cookie": "a=b"})
    assert status == 200 and len(got["data"]) == 2
    for d in got["data"]:
        assert base64.b64decode(d["b64_json"], validate=True).startswith(b"\x89PNG\r\n") and "url" not in d
    assert len(got["images"]) == 2 and got["images"][0]["url"].startswith(standin.url)
    rows = fetches(standin)
    assert len(rows) == 2
    for r in rows:
        names = {n.lower() for n, _ in r["headers"]}
        assert r["key"] is None and not names & {"authorization", "cookie", "x-api-key", "referer"}
        assert CANARY not in json.dumps(r["headers"])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 32 * 1024 - 1, 300_000, 8_000_001])
def test_every_byte_arrives(start, standin, size):
    p = start([key("a")])
    standin.rules({"match": {"path": "/_files/*"}, "act": {"body": "\u0001" + "z" * size, "content_type": "image/x-made-up"}})
    status, head, got = images(p, response_format="b64_json")
    assert status == 200 and base64.b64decode(got["data"][0]["b64_json"], validate=True) == b"\x01" + b"z" * size


@pytest.mark.parametrize("act, words", [
    ({"status": 404, "body": "gone"}, "status 404"), ({"status": 503, "body": "x"}, "status 503"),
    ({"redirect": 302, "location": "https://example.com/x.png"}, "redirects are not followed"),
    ({"reset_before_head": True}, "failed"), ({"garbage": True}, "failed"),
    ({"body": "<html>login</html>", "content_type": "text/html"}, "no picture"),
    ({"body": "", "status": 200, "content_type": "image/png"}, "empty"),
    ({"big_body": 33 << 20, "content_type": "image/png"}, "larger than 32 MiB"),
    ({"big_body": 33 << 20, "content_type": "image/png", "no_framing": True}, "larger than 32 MiB"),
    ({"big_body": 100_000, "content_type": "image/png", "cut": 1}, "failed"),
    ({"gzip_anyway": True}, "content coding")])
def test_a_picture_that_cannot_be_fetched(start, standin, act, words):
    p = start([key("a")])
    standin.rules({"match": {"path": "/_files/*"}, "act": act})
    answer = p.request("POST", PATH, {**ASKED, "response_format": "b64_json"})
    assert answer[0] == 502, answer
    error = error_of(answer)
    assert error["code"] == "upstream_picture" and words in error["message"] and "was made" in error["message"]
    assert answer[1]["x-should-retry"] == "false"
    assert 1 <= len(fetches(standin)) <= 3 and len(calls(standin)) == 1
    snapshot = p.wait_idle()
    assert snapshot["requests"][0]["reason"] == "upstream_error"
    assert snapshot["keys"][0]["failed"] == 0, "no key is to blame"


def test_a_broken_fetch_gets_a_second_try(start, standin):
    p = start([key("a")])
    standin.rules({"match": {"path": "/_files/*"}, "times": 1, "act": {"reset_before_head": True}})
    assert images(p, response_format="b64_json")[0] == 200
    assert len(fetches(standin)) == 2


def test_partial_success_of_fetches(start, standin):
    p = start([key("a"), key("b")])
    standin.rules({"match": {"path": "/_files/*"}, "times": 1, "act": {"status": 404, "body": "gone"}})
    status, _, got = images(p, n=2, response_format="b64_json")
    assert status == 200 and len(got["data"]) == 1 == len(got["images"]) and "b64_json" in got["data"][0]


@pytest.mark.parametrize("url, words", [
    ("file:///etc/passwd", "cannot be read"), ("ftp://example.com/x.png", "neither https nor http"),
    ("http://example.com/x.png", "not https"), ("https://127.0.0.2/x.png", "open internet"),
    ("https://127.1/x.png", "open internet"), ("https://0x7f000001/x.png", "open internet"),
    ("https://2130706433/x.png", "open internet"), ("https://[::1]/x.png", "open internet"),
    ("https://[::ffff:10.0.0.1]/x.png", "open internet"), ("https://10.1.2.3/x.png", "open internet"),
    ("https://169.254.169.254/latest", "open internet"), ("https://localhost/x.png", "this machine"),
    ("https://a.localhost./x.png", "this machine"), ("https://user:secret@example.com/x.png", "user name"),
    ("https://exa mple.com/x.png", "characters"), ("//example.com/x.png", "cannot be read"),
    ("https://example.com\\@127.0.0.1/x", "characters"), ("javascript:alert(1)", "cannot be read")])
def test_hostile_urls(start, standin, url, words):
    p = start([key("a")])
    standin.rules(*answer_with(standin, url))
    answer = p.request("POST", PATH, {**ASKED, "response_format": "b64_json"})
    assert answer[0] == 502 and error_of(answer)["code"] == "upstream_picture", answer
    assert words in error_of(answer)["message"]
    assert not fetches(standin) and "secret" not in answer[2].decode()


def test_http_only_at_the_origin_of_base_url(start, standin, other):
    p = start([key("a")])
    standin.rules(*answer_with(standin, url_of(other)))
    answer = p.request("POST", PATH, {**ASKED, "response_format": "b64_json"})
    assert answer[0] == 502 and "not https" in error_of(answer)["message"]
    assert not fetches(other)


def test_names_that_do_not_exist_and_names_of_this_machine(start, standin):
    p = start([key("a")])
    standin.rules(*answer_with(standin, "https://no-such-name.invalid/x.png", "https://ip6-localhost/x.png"))
    for _ in range(2):
        answer = p.request("POST", PATH, {**ASKED, "response_format": "b64_json"})
        assert answer[0] == 502 and error_of(answer)["code"] == "upstream_picture"


def test_upload_memory_holds(start, standin):
    p = start([key("a")], "[limits]\nupload_memory = 2M\nmax_body = 1M\nmax_upload = 1M\n")
    standin.rules({"match": {"path": "/_files/*"}, "times": 1, "act": {"big_body": 3 << 20, "content_type": "image/png"}})
    answer = p.request("POST", PATH, {**ASKED, "response_format": "b64_json"})
    assert answer[0] == 503 and error_of(answer)["code"] == "busy_memory" and "retry-after" in answer[1]
    for _ in range(20):
        assert images(p, response_format="b64_json")[0] == 200, "nothing stays charged"


# --- leaving ---
@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("path", [PATH, "/_files/*"])
def test_a_client_that_leaves_cancels_everything(start, standin, path, how):
    p = start([key("a"), key("b"), key("c")])
    standin.rules({"match": {"path": path}, "act": {"stall_before_head": True}})
    w = Wire(p, {**ASKED, "n": 3, "response_format": "b64_json"}, PATH)
    standin.wait(in_flight=3, requests=3)
    if path != PATH:
        wait_until("three fetches", lambda: len(fetches(standin)) == 3)
    w.leave(how)
    standin.wait(in_flight=0, cancelled=3)
    snapshot = p.wait_idle()
    assert [r["reason"] for r in snapshot["requests"]] == ["client_abort"] and snapshot["totals"]["leases"] == 0
    assert snapshot["totals"]["in_flight"] == 0


def test_a_client_that_leaves_in_the_middle_of_the_reply(start, standin):
    p = start([key("a")])
    standin.rules({"match": {"path": "/_files/*"}, "act": {"big_body": 20 << 20, "content_type": "image/png"}})
    w = Wire(p, {**ASKED, "response_format": "b64_json"}, PATH, rcvbuf=4096)
    w.read_until(b"\r\n\r\n")
    w.leave("rst")
    assert p.wait_idle()["requests"][0]["reason"] == "client_abort"


def test_a_slow_client_gets_all_of_it(start, standin):
    p = start([key("a")])
    standin.rules({"match": {"path": "/_files/*"}, "act": {"big_body": 4 << 20, "content_type": "image/png"}})
    w = Wire(p, {**ASKED, "response_format": "b64_json"}, PATH, rcvbuf=4096)
    status, body, whole = w.answer()
    assert status == 200 and whole
    assert len(base64.b64decode(json.loads(body)["data"][0]["b64_json"], validate=True)) >= 4 << 20


def test_cancelled_by_hand(start, standin):
    p = start([key("a"), key("b")])
    standin.rules({"match": {"path": PATH}, "act": {"stall_before_head": True}})
    w = Wire(p, {**ASKED, "n": 2}, PATH)
    standin.wait(in_flight=2)
    rows = wait_until("it is shown once", lambda: [r for r in p.snapshot()["requests"] if r["state"] == "parts"])
    assert len(rows) == 1
    p.api("POST", f"requests/{rows[0]['id']}/cancel")
    status, body, _ = w.answer()
    assert status == 503 and json.loads(body)["error"]["code"] == "cancelled"
    standin.wait(in_flight=0, cancelled=2)


def test_shutdown_ends_it(start, standin):
    p = start([key("a"), key("b")], "[server]\ndrain = 0s\n")
    standin.rules({"match": {"path": "/_files/*"}, "act": {"stall_before_head": True}})
    w = Wire(p, {**ASKED, "n": 2, "response_format": "b64_json"}, PATH)
    wait_until("two fetches", lambda: len(fetches(standin)) == 2)
    assert p.stop() == 0
    assert b" 503 " in w.read_all()


# --- through chat ---
TALK = [{"role": "system", "content": "no"}, {"role": "user", "content": "a cat"}, {"role": "assistant", "content": "?"},
        {"role": "user", "content": [{"type": "text", "text": "make it"},
                                     {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                                     {"type": "text", "text": "blue"}]}]


def test_chat_gives_a_link(start, standin):
    p = start([key("a")])
    status, _, answer = p.chat(KOLORS, messages=TALK, temperature=0.5, max_tokens=5)
    got = json.loads(answer)
    assert status == 200 and got["object"] == "chat.completion" and got["model"] == KOLORS
    choice = got["choices"][0]
    assert choice["finish_reason"] == "stop" and choice["message"]["role"] == "assistant"
    assert re.fullmatch(r"!\[image\]\(" + re.escape(standin.url) + r"/_files/[^)]+\)", choice["message"]["content"])
    expected = '{"model": "Kwai-Kolors/Kolors","prompt":"a cat make it blue","image_size":"1024x1024"}'
    assert [(r["path"], r["body_sha256"]) for r in standin.requests()] == [(PATH, sha(expected))]
    snapshot = p.wait_idle()
    assert snapshot["requests"][0]["path"] == "/chat/completions" and snapshot["totals"]["tpm"] == 0


def test_edit_models_get_the_last_picture(start, standin):
    p = start([key("a")])
    assert p.chat("Qwen/Qwen-Image-Edit-2509", messages=TALK, size="9x9")[0] == 200
    expected = ('{"model": "Qwen/Qwen-Image-Edit-2509","prompt":"a cat make it blue","image":"data:image/png;base64,AAAA"}')
    assert [r["body_sha256"] for r in calls(standin)] == [sha(expected)]


def check_chunks(chunks, model):
    assert chunks.pop() == "[DONE]"
    assert len({c["id"] for c in chunks}) == 1
    for c in chunks:
        assert c["object"] == "chat.completion.chunk" and c["model"] == model and c["created"] > 0
    choices = [c["choices"][0] for c in chunks if c["choices"]]
    assert [c["finish_reason"] for c in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert choices[0]["delta"]["role"] == "assistant" and choices[-1]["delta"] == {}
    return "".join(c["delta"].get("content", "") for c in choices)


def test_chat_streams_a_link(start, standin):
    p = start([key("a")])
    status, head, answer = p.chat(KOLORS, stream=True, stream_options={"include_usage": True})
    assert status == 200 and head["content-type"] == "text/event-stream"
    chunks = events(answer)
    assert chunks[-2]["choices"] == [] and chunks[-2]["usage"]["total_tokens"] == 0
    assert check_chunks(chunks, KOLORS).startswith(f"![image]({standin.url}/_files/")
    assert p.wait_idle()["requests"][0]["reason"] == "ok"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("size", [1, 24 * 1024, 100_000])
def test_chat_inline(start, standin, stream, size):
    """11.11 bug 13: the picture as it is, whole, whatever its size."""
    p = start([key("a")], "[models]\nchat_images = inline\n")
    standin.rules({"match": {"path": "/_files/*"}, "act": {"body": "z" * size, "content_type": "image/webp; x=y"}})
    status, _, answer = p.chat(KOLORS, stream=stream)
    assert status == 200
    text = check_chunks(events(answer), KOLORS) if stream else json.loads(answer)["choices"][0]["message"]["content"]
    head, data = text[:-1].split("base64,")
    assert head == "![image](data:image/webp;" and text.endswith(")")
    assert base64.b64decode(data, validate=True) == b"z" * size


@pytest.mark.parametrize("stream", [False, True])
def test_errors_through_chat_are_errors(start, standin, stream):
    """11.11 bug 13: a download that fails is an error, not a crash in the middle of a 200."""
    p = start([key("a")], "[models]\nchat_images = inline\n")
    standin.rules({"match": {"path": "/_files/*"}, "times": 1, "act": {"status": 404, "body": "x"}},
                  {"match": {"path": PATH}, "times": 1, "act": {"preset": "400_20015"}})
    answer = p.chat(KOLORS, stream=stream)
    assert answer[0] == 400 and error_of(answer)["message"]
    answer = p.chat(KOLORS, stream=stream)
    assert answer[0] == 502 and error_of(answer)["code"] == "upstream_picture"
    standin.rules({"match": {"path": PATH}, "act": {"preset": "503_50508"}})
    answer = p.chat(KOLORS, stream=stream)
    assert answer[0] == 503 and error_of(answer)["code"] == "upstream_unavailable"


def test_a_key_is_not_waited_for_twice(start, standin):
    """n parts wait in line for keys like anybody, and all of them get one."""
    standin.script(keys=[{"key": key("a"), "account": "A", "kind": "paid"}])
    p = start([key("a")], "[pool]\nwait_for_key = 30s\n")
    standin.rules({"match": {"path": PATH}, "times": 1, "act": {"preset": "429_ipm_50604", "headers": {"Retry-After": "1"}}})
    status, head, got = images(p, n=2)
    assert status == 200 and len(got["data"]) == 2


def test_a_huge_answer(start, standin):
    p = start([key("a")])
    standin.rules({"match": {"path": PATH}, "act": {"big_body": 2 << 20}})
    answer = p.request("POST", PATH, ASKED)
    assert answer[0] == 502 and error_of(answer)["code"] == "upstream_garbage"
