"""Paths, methods, client keys, headers in both directions, bans, the model list, redirects, other platform paths."""
import hashlib
import json

import pytest

from harness import CHAT, Standin, free_port, key

MODEL = CHAT["model"]


def error(answer):
    return json.loads(answer[2])["error"]


def names(headers):
    return {n.lower() for n, _ in headers}


# --- paths ---
@pytest.mark.parametrize("path, query", [
    ("/v1/chat/completions", ""), ("/chat/completions", ""), ("/v1/v1/chat/completions", ""),
    ("//v1//chat///completions", ""), ("/v1/chat/completions/", ""), ("/v1/chat/completions?", ""),
    ("/v1/chat/completions?&beta=true", "&beta=true"), ("/chat/completions?beta=true&x=%2F", "beta=true&x=%2F"),
    ("http://elsewhere.example/v1/chat/completions", ""),
])
def test_spellings_of_a_path(proxy, standin, path, query):
    assert proxy.request("POST", path, CHAT)[0] == 200
    row, = standin.requests()
    assert (row["path"], row["query"]) == ("/v1/chat/completions", query)


@pytest.mark.parametrize("path", [
    "/", "/nothing", "/v1", "/v1/", "/v2/chat/completions", "/v1x/models", "/V1/models",
    "/v1/../admin/api/snapshot", "/v1/./models", "/v1/chat/%63ompletions", "/v1/models/%", "/v1/models/a%00b",
    "/v1/models/..%2F..%2Fadmin", "/v1/files/%2e%2e/keys", "/v1/chat%2Fcompletions", "/v1/" + "a" * 1100])
def test_paths_that_lead_nowhere(proxy, untouched, path):
    answer = proxy.request("GET" if "models" in path else "POST", path, None if "models" in path else CHAT)
    if path == "/":  # the web page's
        assert answer[0] in (401, 404, 405)
    else:
        assert answer[0] == 404 and error(answer)["code"] == "not_found"
    untouched(proxy)


@pytest.mark.parametrize("method, path, allow", [
    ("GET", "/v1/chat/completions", "POST, OPTIONS"), ("PUT", "/chat/completions", "POST, OPTIONS"),
    ("GET", "/v1/messages", "POST, OPTIONS"), ("HEAD", "/v1/embeddings", "POST, OPTIONS"),
    ("POST", "/v1/models", "GET, HEAD, OPTIONS"), ("DELETE", "/v1/models/x", "GET, HEAD, OPTIONS"),
    ("POST", "/healthz", "OPTIONS, GET, HEAD"), ("BREW", "/v1/coffee", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    ("TRACE", "/v1/files", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")])
def test_wrong_method(proxy, untouched, method, path, allow):
    answer = proxy.request(method, path, headers={"Content-Length": "0"})
    assert answer[0] == 405 and answer[1]["allow"] == allow
    if method != "HEAD":
        error_code = error(answer).get("code", "method_not_allowed")
        assert error_code == "method_not_allowed" and answer[1]["content-type"] == "application/json"
    untouched(proxy)


def test_every_pooled_route(proxy, standin):
    multipart = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nFunAudioLLM/SenseVoiceSmall\r\n'
                 b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n')
    calls = {
        "chat/completions": CHAT,
        "completions": {"model": MODEL, "prompt": "x"},
        "embeddings": {"model": "BAAI/bge-m3", "input": "x"},
        "rerank": {"model": "BAAI/bge-reranker-v2-m3", "query": "x", "documents": ["a", "b"]},
        "images/generations": {"model": "Kwai-Kolors/Kolors", "prompt": "x"},
        "audio/speech": {"model": "FunAudioLLM/CosyVoice2-0.5B", "input": "x"},
        "messages": {**CHAT, "max_tokens": 10},
        "audio/transcriptions": multipart,
    }
    for path, body in calls.items():
        for prefix in ("/v1/", "/"):
            headers = {"Content-Type": "multipart/form-data; boundary=b"} if body is multipart else {}
            status, head, answer = proxy.request("POST", prefix + path, body, headers)
            assert status == 200, (path, answer)
            assert head["x-sfproxy-attempts"] == "1"
    rows = standin.requests()
    assert [r["path"] for r in rows] == [f"/v1/{path}" for path in calls for _ in "ab"]
    snapshot = proxy.wait_idle()
    assert snapshot["totals"]["rpm"] == len(rows)
    assert snapshot["totals"]["tpm"] == sum(r["tokens_in"] + r["tokens_out"] for r in rows)
    assert {r["path"] for r in snapshot["requests"]} == {f"/{path}" for path in calls}


# --- client keys ---
CLIENTS = "[clients]\nalice = alices-secret\ndify = difys-secret\n[server]\nclient_key = the-default-secret\n"


@pytest.mark.parametrize("header, value, name", [
    ("Authorization", "Bearer alices-secret", "alice"), ("authorization", "bearer difys-secret", "dify"),
    ("x-api-key", "alices-secret", "alice"), ("X-Api-Key", "the-default-secret", "default"),
    ("Authorization", "Bearer   the-default-secret  ", "default")])
def test_named_clients(start, standin, header, value, name):
    p = start([key("k")], CLIENTS)
    assert p.chat(headers={header: value})[0] == 200
    snapshot = p.wait_idle()
    assert [r["client"] for r in snapshot["requests"]] == [name]
    assert [(c["name"], c["rpm"]) for c in snapshot["clients"] if c["rpm"]] == [(name, 1)]


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YWxpY2VzLXNlY3JldA=="}, {"x-api-key": ""},
    {"Authorization": "alices-secret"}, {"x-api-key": "alices-secre"}, {"x-api-key": "Alices-secret"},
    {"Authorization": "Bearer alice"}, {"Authorization": "Bearer"}, {"Cookie": "key=alices-secret"}])
def test_without_the_right_key(start, untouched, headers):
    p = start([key("k")], CLIENTS)
    for method, path, body in (("POST", "/v1/chat/completions", CHAT), ("GET", "/v1/models", None),
                               ("GET", "/v1/files", None), ("POST", "/v1/anything", {})):
        answer = p.request(method, path, body, headers)
        assert answer[0] == 401 and error(answer)["code"] == "unauthorized", path
        assert answer[1]["www-authenticate"] == "Bearer" and answer[1]["x-should-retry"] == "false"
        assert answer[1]["access-control-allow-origin"] == "*"
    answer = p.request("POST", "/v1/messages/count_tokens", CHAT, headers)
    assert json.loads(answer[2])["error"]["type"] == "authentication_error"
    untouched(p)


def test_without_client_keys_the_address_is_the_name(proxy):
    proxy.chat()
    assert [r["client"] for r in proxy.wait_idle()["requests"]] == ["127.0.0.1"]


def test_authorization_key_of_the_original(start):
    p = start([key("k")], env={"AUTHORIZATION_KEY": "from-the-environment"})
    assert p.chat()[0] == 401
    assert p.chat(headers={"Authorization": "Bearer from-the-environment"})[0] == 200


# --- CORS ---
def test_preflight_comes_before_auth(start, untouched):
    p = start([key("k")], CLIENTS)
    for path in ("/v1/chat/completions", "/chat/completions", "/v1/models", "/v1/never/heard/of"):
        status, head, body = p.request("OPTIONS", path, headers={
            "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, x-stainless-lang",
            "Access-Control-Request-Private-Network": "true"})
        assert (status, body) == (204, b"") and "content-length" not in head
        assert head["access-control-allow-origin"] == "*" and "access-control-allow-credentials" not in head
        assert {"GET", "POST", "DELETE", "OPTIONS"} <= set(head["access-control-allow-methods"].split(", "))
        assert head["access-control-allow-headers"] == "authorization, x-stainless-lang"
        assert head["access-control-max-age"] == "86400"
        assert head["access-control-allow-private-network"] == "true"
    _, head, _ = p.request("OPTIONS", "/v1/models", headers={"Access-Control-Request-Headers": "a\tb: <script>"})
    assert "script" not in head["access-control-allow-headers"]
    assert "access-control-allow-private-network" not in head
    untouched(p)


def test_cors_headers_on_every_answer(start, standin):
    p = start([key("one")], "[limits]\nmax_body = 100K\n[models]\nban = some/banned\n")
    asked = {
        "plain": lambda: p.chat(), "stream": lambda: p.chat(stream=True),
        "models": lambda: p.request("GET", "/v1/models"),
        "one model": lambda: p.request("GET", "/v1/models/" + MODEL),
        "no such model": lambda: p.request("GET", "/v1/models/x/y"),
        "not found": lambda: p.request("GET", "/nothing"), "method": lambda: p.request("GET", "/v1/rerank"),
        "bad json": lambda: p.request("POST", "/v1/embeddings", "{"), "banned": lambda: p.chat("some/banned"),
        "too large": lambda: p.chat(user="x" * 200000),
        "encoded": lambda: p.chat(headers={"Content-Encoding": "gzip"}),
        "expectation": lambda: p.request("GET", "/v1/models", headers={"Expect": "magic"}),
        "forwarded": lambda: p.request("GET", "/v1/unknown"),
    }
    statuses = {}
    for what, ask in asked.items():
        status, head, _ = ask()
        statuses[what] = status
        assert head["access-control-allow-origin"] == "*", what
        assert "x-request-id" in head["access-control-expose-headers"], what
    standin.rules({"match": {"model": "bad"}, "act": {"preset": "400_20012", "odd_headers": True}},
                  {"match": {"model": "limited"}, "act": {"preset": "429_rpm", "odd_headers": True}},
                  {"match": {"model": "gone"}, "act": {"redirect": 302}})
    for model in ("bad", "limited", "gone"):
        status, head, _ = p.chat(model)
        statuses[model] = status
        assert head["access-control-allow-origin"] == "*", model
    assert statuses == {"plain": 200, "stream": 200, "models": 200, "one model": 200, "no such model": 404,
                        "not found": 404, "method": 405, "bad json": 400, "banned": 404, "too large": 413,
                        "encoded": 415, "expectation": 417, "forwarded": 404, "bad": 400, "limited": 429, "gone": 502}


# --- health ---
def test_health_and_readiness(start):
    p = start([], CLIENTS)
    assert p.request("GET", "/healthz")[0] == 200
    status, _, body = p.request("GET", "/readyz")
    assert (status, json.loads(body)["status"]) == (503, "no usable key")
    answer = p.chat(headers={"x-api-key": "alices-secret"})
    assert answer[0] == 503 and error(answer)["code"] == "no_keys"
    q = start([key("k")], CLIENTS)
    assert q.request("GET", "/readyz")[0] == 200 and q.request("HEAD", "/healthz")[0] == 200
    q.api("POST", f"keys/{q.key('k0')['id']}/disable")
    assert q.request("GET", "/readyz")[0] == 503 and q.request("GET", "/healthz")[0] == 200


# --- headers to the platform ---
def test_only_allowed_headers_go_up(proxy, standin):
    good = {"Content-Type": "application/json; charset=utf-8", "Accept": "text/event-stream",
            "anthropic-version": "2023-06-01", "anthropic-beta": "b1,b2", "X-Trace-Id": "t-1",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Enable-Watermark": "0"}
    bad = {"Authorization": "Bearer the-clients-own", "x-api-key": "the-clients-own", "Cookie": "a=b",
           "X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "Forwarded": "for=10.0.0.1", "Via": "1.1 x",
           "X-Real-IP": "10.0.0.1", "Proxy-Authorization": "Basic eA==", "TE": "trailers", "Upgrade": "h2c",
           "Keep-Alive": "timeout=5", "Accept-Encoding": "gzip, br", "Accept-Language": "zh", "User-Agent": "test/1",
           "Origin": "https://a.example", "Referer": "https://a.example/", "x-stainless-lang": "js", "X-Hop": "1",
           "OpenAI-Organization": "org", "Connection": "keep-alive, X-Hop", "If-None-Match": '"a"', "DNT": "1"}
    assert proxy.chat(headers={**good, **bad})[0] == 200
    row, = standin.requests()
    assert dict((n.lower(), v) for n, v in row["headers"]) == {
        **{n.lower(): v for n, v in good.items()}, "accept-encoding": "identity",
        "host": f"127.0.0.1:{standin.port}", "content-length": str(row["body_bytes"]),
        "authorization": "Bearer " + row["key"]}
    assert len(row["headers"]) == len(good) + 4 and row["key"].startswith("sk-good")


def test_a_bare_request_gets_nothing_added(proxy, standin):
    proxy.raw(b"GET /v1/bare HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    row, = standin.requests()
    assert names(row["headers"]) == {"host", "authorization", "accept-encoding"}


def test_what_connection_names_stays_here(proxy, standin):
    proxy.chat(headers={"Connection": "close, x-enable-watermark ,X-TRACE-ID", "X-Enable-Watermark": "0",
                        "X-Trace-Id": "t", "anthropic-beta": "b"})
    row, = standin.requests()
    assert names(row["headers"]) == {"host", "content-type", "content-length", "anthropic-beta", "accept-encoding",
                                     "authorization"}


# --- headers to the client ---
ALLOWED_DOWN = {"date", "content-type", "content-length", "transfer-encoding", "x-siliconcloud-trace-id",
                "x-ratelimit-remaining-requests", "x-request-id", "x-sfproxy-attempts", "access-control-allow-origin",
                "access-control-expose-headers"}
SSE_DOWN = {"cache-control", "x-accel-buffering"}


@pytest.mark.parametrize("stream, act, more", [
    (False, {}, set()), (True, {}, SSE_DOWN), (False, {"preset": "400_20012"}, {"x-should-retry"}),
    (True, {"preset": "400_20012"}, {"x-should-retry"}), (True, {"big_body": 200000, "status": 200}, None)])
def test_only_allowed_headers_come_down(proxy, standin, stream, act, more):
    standin.rules({"match": {"model": "*"}, "act": {"odd_headers": True, **act}})
    status, head, _ = proxy.chat(stream=stream)
    assert set(head) <= ALLOWED_DOWN | (more if more is not None else SSE_DOWN | {"connection"})
    assert head["x-siliconcloud-trace-id"].startswith("ti_")  # on errors, too: it is what their support asks for
    assert head["x-ratelimit-remaining-requests"] == "7"
    assert head["x-request-id"].startswith("sf-") and head["access-control-allow-origin"] == "*"
    assert status == (400 if "preset" in act else 200)


def test_an_error_that_came_compressed_is_told_in_clear(proxy, standin):
    standin.rules({"match": {"model": "*"}, "act": {"preset": "400_20012", "gzip_anyway": True}})
    answer = proxy.chat()
    assert answer[0] == 400 and error(answer)["code"] == "bad_request" and "content-encoding" not in answer[1]


@pytest.mark.parametrize("theirs", ["abc-123", "a.b:c/d@e_f", "x" * 128])
def test_a_safe_request_id_is_kept(proxy, theirs):
    assert proxy.chat(headers={"X-Request-Id": theirs})[1]["x-request-id"] == theirs


@pytest.mark.parametrize("theirs", ["a b", "x" * 129, "", "<script>", "a,b", "a=b", "caf\u00e9"])
def test_an_unsafe_request_id_is_replaced(proxy, theirs):
    ids = {proxy.chat(headers={"X-Request-Id": theirs})[1]["x-request-id"] for _ in range(2)}
    assert len(ids) == 2 and all(i.startswith("sf-") for i in ids)


# --- bans ---
def not_served(p, model):
    answer = p.chat(model)
    assert answer[0] == 404 and error(answer)["code"] == "model_banned" and answer[1]["x-should-retry"] == "false"
    assert model not in listed(p)
    status, _, body = p.request("GET", "/v1/models/" + model)
    assert (status, json.loads(body)["error"]["code"]) == (404, "model_banned")


def listed(p, query=""):
    return [m["id"] for m in json.loads(p.request("GET", "/v1/models" + query)[2])["data"]]


def test_ban_by_configuration(start, untouched):
    p = start([key("k")], "[models]\nban = Qwen/Qwen3-32B, Qwen/Qwen3-14B\n")
    for model in ("Qwen/Qwen3-32B", "Qwen/Qwen3-14B"):
        not_served(p, model)
    escaped = '{"model":"\\u0051wen\\/Qwen3-32B","messages":[]}'
    assert p.request("POST", "/v1/chat/completions", escaped)[0] == 404
    untouched(p)
    assert p.chat()[0] == 200


def test_ban_by_environment(start, untouched):
    p = start([key("k")], env={"BAN_MODELS": '["Qwen/Qwen3-32B", "Pro/BAAI/bge-m3"]'})
    not_served(p, "Qwen/Qwen3-32B")
    not_served(p, "Pro/BAAI/bge-m3")
    untouched(p)


def test_ban_at_run_time(start, untouched):
    p = start([key("k")])
    p.api("POST", "models/ban", {"model": "Qwen/Qwen3-32B"})
    not_served(p, "Qwen/Qwen3-32B")
    untouched(p)
    p.api("POST", "models/unban", {"model": "Qwen/Qwen3-32B"})
    assert p.chat("Qwen/Qwen3-32B")[0] == 200 and "Qwen/Qwen3-32B" in listed(p)


def test_ban_of_multipart_and_messages(start, untouched):
    p = start([key("k")], "[models]\nban = FunAudioLLM/SenseVoiceSmall, Qwen/Qwen3-8B\n")
    body = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nFunAudioLLM/SenseVoiceSmall\r\n--b--\r\n')
    answer = p.request("POST", "/v1/audio/transcriptions", body, {"Content-Type": "multipart/form-data; boundary=b"})
    assert answer[0] == 404 and error(answer)["code"] == "model_banned"
    answer = p.request("POST", "/v1/messages", CHAT)
    assert answer[0] == 404 and error(answer)["type"] == "not_found_error"
    untouched(p)


# --- the model list ---
def test_shape_of_the_model_list(proxy, untouched):
    status, head, body = proxy.request("GET", "/v1/models")
    answer = json.loads(body)
    assert status == 200 and head["content-type"] == "application/json"
    assert (answer["object"], answer["success"]) == ("list", True)
    for m in answer["data"]:
        assert (m["object"], m["root"], m["parent"], m["permission"]) == ("model", m["id"], None, [])
        assert isinstance(m["created"], int) and m["owned_by"]
    assert len(set(listed(proxy))) == len(answer["data"]) > 50
    untouched(proxy)


@pytest.mark.parametrize("path", ["/models", "/v1/models/", "//v1//models", "/v1/v1/models", "/v1/models?",
                                  "/v1/models?x=y"])
def test_spellings_of_the_model_list(proxy, path):
    assert proxy.request("GET", path)[2] == proxy.request("GET", "/v1/models")[2]


def test_filters_of_the_model_list(proxy):
    whole = json.loads(proxy.request("GET", "/v1/models")[2])["data"]
    for name in ("type", "sub_type"):
        for value in {m[name] for m in whole}:
            for mark in ("?", "?&"):
                assert listed(proxy, f"{mark}{name}={value}") == [m["id"] for m in whole if m[name] == value]
    assert listed(proxy, "?type=text&sub_type=embedding") == listed(proxy, "?sub_type=embedding")
    assert listed(proxy, "?type=image&sub_type=embedding") == listed(proxy, "?type=nothing") == []
    assert listed(proxy, "?type=") == [m["id"] for m in whole]


@pytest.mark.parametrize("path", ["/v1/models/Qwen/Qwen3-8B", "/v1/models/Qwen%2FQwen3-8B",
                                  "/models/Qwen%2fQwen3%2D8B"])
def test_one_model(proxy, path):
    status, _, body = proxy.request("GET", path)
    assert status == 200 and json.loads(body)["id"] == "Qwen/Qwen3-8B"


# --- other platform paths ---
def test_video_files_and_batches_are_passed_on(start, standin):
    p = start([key("one")])
    ask = lambda *a: (lambda r: (r[0], json.loads(r[2])))(p.request(*a))
    status, job = ask("POST", "/v1/video/submit", {"model": "Wan-AI/Wan2.2-T2V-A14B", "prompt": "猫"})
    assert status == 200
    assert ask("POST", "/v1/video/status", {"requestId": job["requestId"]})[1]["status"]
    form = (b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: '
            b'form-data; name="file"; filename="x.jsonl"\r\n\r\n' + bytes(range(256)) * 400 + b"\r\n--b--\r\n")
    status, file = ask("POST", "/v1/files", form, {"Content-Type": "multipart/form-data; boundary=b"})
    assert status == 200
    assert ask("GET", "/v1/files")[0] == 200
    status, batch = ask("POST", "/batches", {"input_file_id": file["data"]["id"], "endpoint": "/v1/chat/completions",
                                             "completion_window": "24h"})
    assert status == 200
    assert ask("GET", "/v1/batches?limit=1&after=")[0] == 200
    assert ask("GET", "/v1/batches/" + batch["id"])[1]["id"] == batch["id"]
    assert ask("POST", f"/v1/batches/{batch['id']}/cancel")[0] == 200
    rows = standin.requests()
    assert [r["path"] for r in rows if r["query"]] == ["/v1/batches"]
    assert next(r for r in rows if r["query"])["query"] == "limit=1&after="
    assert next(r for r in rows if r["path"] == "/v1/files")["body_sha256"] == hashlib.sha256(form).hexdigest()
    assert p.wait_idle()["totals"]["rpm"] == len(rows) == 8


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_unknown_paths_are_passed_on_as_they_are(proxy, standin, method):
    standin.rules({"match": {"path": "/v1/something/new"}, "act": {"status": 202, "body": '{"a":1e400}'}})
    body = b'{"x": 1, "x": 2, \xff}' if method != "GET" else None
    status, head, answer = proxy.request(method, "/v1/something//new?a=%20b&&c", body)
    assert (status, answer, head["x-sfproxy-attempts"]) == (202, b'{"a":1e400}', "1")
    row, = standin.requests()
    assert (row["method"], row["path"], row["query"]) == (method, "/v1/something/new", "a=%20b&&c")
    assert row["body_sha256"] == hashlib.sha256(body or b"").hexdigest()
    assert proxy.wait_idle()["totals"]["rpm"] == 1


def test_head_of_an_unknown_path(proxy, standin):
    standin.rules({"match": {"path": "/v1/file"}, "act": {"status": 200, "body": "12345678"}})
    status, head, body = proxy.request("HEAD", "/v1/file")
    assert (status, head["content-length"], body) == (200, "8", b"")
    assert [r["method"] for r in standin.requests()] == ["HEAD"]


def test_an_error_of_an_unknown_path_is_passed_on_as_it_is(proxy, standin):
    status, head, body = proxy.request("GET", "/v1/unheard/of")
    assert (status, body) == (404, b"404 page not found") and head["content-type"].startswith("text/plain")
    standin.rules({"match": {"path": "/v1/odd"}, "act": {"preset": "500_text"}})
    answer = proxy.request("GET", "/v1/odd")
    assert answer[0] == 502 and error(answer)["code"] == "upstream_error"
    assert len([r for r in standin.requests() if r["path"] == "/v1/odd"]) == 1  # may have done work: not retried


@pytest.mark.parametrize("path, body", [("/v1/chat/completions", CHAT), ("/v1/messages", CHAT), ("/v1/files", None),
                                        ("/v1/unknown", None)])
@pytest.mark.parametrize("preset", ["401_30014", "401_bare_string", "401_empty", "401_20012"])
def test_an_upstream_401_never_reaches_a_client(start, standin, path, body, preset):
    p = start([key("one")])
    standin.rules({"match": {"key": "*"}, "act": {"preset": preset}})
    answer = p.request("POST" if body else "GET", path, body)
    assert answer[0] == 503
    if path != "/v1/messages":
        assert error(answer)["code"] == "no_usable_key"
    assert len(standin.requests()) == 1 and p.key("k0")["state"] == "bad"


def test_refusals_of_other_paths_go_on_to_the_next_key(proxy, standin):
    standin.rules({"match": {"path": "/v1/unknown"}, "times": 2, "act": {"preset": "401_30014"}},
                  {"match": {"path": "/v1/unknown"}, "act": {"status": 200, "body": "{}"}})
    status, head, _ = proxy.request("GET", "/v1/unknown")
    assert (status, head["x-sfproxy-attempts"]) == (200, "3")
    assert len({r["key"] for r in standin.requests()}) == 3


# --- where requests go ---
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(proxy, standin, code):
    other = Standin()
    try:
        location = other.url + "/v1/chat/completions"
        standin.rules({"match": {"path": "*"}, "act": {"redirect": code, "location": location}})
        answer = proxy.chat()
        assert answer[0] == 502 and error(answer)["code"] == "upstream_redirect"
        assert "base_url" in error(answer)["message"] and "location" not in answer[1]
        assert proxy.request("GET", "/v1/elsewhere")[0] == 502
        assert len(standin.requests()) == 2
        assert other.report()["requests"] == [] and other.report()["totals"]["requests"] == 0
    finally:
        other.close()


def test_a_proxy_in_the_environment_is_ignored(start, standin):
    dead = f"http://127.0.0.1:{free_port()}"
    p = start([key("k")], env={n: dead for n in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                                                 "ALL_PROXY")} | {"no_proxy": ""})
    assert p.chat()[0] == 200 and len(standin.requests()) == 1


def test_base_url_with_v1(start, standin):
    p = start([key("k")], upstream=standin.url + "/v1/")
    assert p.chat()[0] == 200
    assert standin.requests()[0]["path"] == "/v1/chat/completions"


# --- what the platform does not have ---
@pytest.mark.parametrize("path, instead", [
    ("/v1/responses", "/v1/chat/completions"), ("/responses/resp_1", "/v1/chat/completions"),
    ("/v1/v1/realtime", "/v1/audio/transcriptions"), ("/v1/moderations", "/v1/chat/completions"),
    ("/v1/images/edits", "/v1/images/generations"), ("/v1/images/variations", "/v1/images/generations")])
def test_what_the_platform_does_not_have_is_told(proxy, untouched, path, instead):
    for method in ("GET", "POST"):
        answer = proxy.request(method, path, {"model": MODEL} if method == "POST" else None)
        assert answer[0] == 404 and error(answer)["code"] == "not_found" and answer[1]["x-should-retry"] == "false"
        assert error(answer)["message"].startswith("the platform has no ") and instead in error(answer)["message"]
    untouched(proxy)
