"""What each client does with the platform's paths, call by call, where no SDK stands between: forms of URLs, keys, bodies
and answers as docs/clients.md lists them."""
import base64
import hashlib
import json
import re
import struct

import pytest

from harness import CHAT, events, key, request

CHATS = "/v1/chat/completions"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
SPEECH = {"model": "FunAudioLLM/CosyVoice2-0.5B", "voice": "FunAudioLLM/CosyVoice2-0.5B:alex", "input": "你好", "stream": True}
CLIENT = "the-clients-own-secret"
CLIENT_CONF = f"[clients]\nme = {CLIENT}\n"


def direct(standin, path, body, headers=None):
    """The same call without the proxy."""
    return request(standin.address, "POST", path, body, {"Authorization": f"Bearer {key('good', 0)}", **(headers or {})})


def alike(body):
    """Without the two fields that the stand-in numbers."""
    return re.sub(rb'"(id|created)":("[^"]*"|\d+)', rb'"\1":0', body)


def sha(body):
    return hashlib.sha256(body).hexdigest()


def parts(file, **fields):
    out = b""
    for name, value in fields.items():
        out += f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    return out + (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
                  b'Content-Type: application/octet-stream\r\n\r\n') + file + b"\r\n--b--\r\n"


# --- Dify: rerank, embeddings, sound ---
RERANK = {"model": "BAAI/bge-reranker-v2-m3", "query": "fruit", "documents": ['苹果 "tokens":{"input_tokens":9}', "b", "c"],
          "return_documents": True, "top_n": 2}


def test_rerank_texts_and_tokens(proxy, standin):
    body = json.dumps(RERANK).encode()
    status, _, answer = proxy.request("POST", "/v1/rerank", body)
    assert status == 200 and alike(answer) == alike(direct(standin, "/v1/rerank", body)[2])
    assert [r["document"]["text"] for r in json.loads(answer)["results"]] == RERANK["documents"][:2]
    row = standin.requests()[0]
    assert row["body_sha256"] == sha(body) and row["tokens_in"] == json.loads(answer)["tokens"]["input_tokens"] > 0
    done, = proxy.wait_idle()["requests"]
    assert (done["tokens_in"], done["tokens_out"]) == (row["tokens_in"], 0)


COUNTS = '{"input_tokens":28,"output_tokens":0,"image_tokens":0}'


@pytest.mark.parametrize("tail", [
    '"tokens":' + COUNTS, '"meta":{"billed_units":{"input_tokens":28,"search_units":0},"tokens":' + COUNTS + "}",
    '"tokens":' + COUNTS + ',"meta":{"tokens":' + COUNTS + ',"billed_units":' + COUNTS + "}",
    '"meta":{"tokens":' + COUNTS + '},"tokens":' + COUNTS], ids=["tokens", "meta", "both", "meta first"])
def test_rerank_tokens_wherever_they_stand(proxy, standin, tail):
    made = '{"id":"019","results":[{"index":0,"relevance_score":0.99}],' + tail + "}"
    standin.rules({"match": {"path": "/v1/rerank"}, "act": {"status": 200, "body": made}})
    status, _, answer = proxy.request("POST", "/v1/rerank", RERANK)
    assert (status, answer) == (200, made.encode())
    snapshot = proxy.wait_idle()
    assert (snapshot["requests"][0]["tokens_in"], snapshot["requests"][0]["tokens_out"]) == (28, 0)
    assert snapshot["totals"]["tpm"] == 28


@pytest.mark.parametrize("asked", [["一", "二", "三"], "一"], ids=["list", "text"])
def test_embeddings_in_base64(proxy, standin, asked):
    body = json.dumps({"model": "BAAI/bge-m3", "input": asked, "encoding_format": "base64", "dimensions": 1024}).encode()
    status, _, answer = proxy.request("POST", "/v1/embeddings", body)
    assert status == 200 and answer == direct(standin, "/v1/embeddings", body)[2]
    data = json.loads(answer)["data"]
    assert len(data) == (3 if isinstance(asked, list) else 1)
    assert all(len(struct.unpack("<1024f", base64.b64decode(d["embedding"], validate=True))) == 1024 for d in data)
    row = standin.requests()[0]
    assert row["body_sha256"] == sha(body)
    assert proxy.wait_idle()["requests"][0]["tokens_in"] == row["tokens_in"] > 0


def test_sound_both_ways(proxy, standin):
    status, head, spoken = proxy.request("POST", "/v1/audio/speech", SPEECH)
    straight = direct(standin, "/v1/audio/speech", SPEECH)
    assert (status, head["content-type"], spoken) == (200, straight[1]["content-type"], straight[2])
    assert len(spoken) > 100
    sound = bytes(range(256)) * 2000 + b"\r\n--\r\n-b\r\n" + spoken
    body = parts(sound, model="FunAudioLLM/SenseVoiceSmall", language="zh")
    status, _, text = proxy.request("POST", "/v1/audio/transcriptions", body, FORM)
    assert (status, text) == (200, direct(standin, "/v1/audio/transcriptions", body, FORM)[2])
    assert str(len(sound)) in json.loads(text)["text"]
    row = [r for r in standin.requests() if r["path"] == "/v1/audio/transcriptions"][0]
    assert (row["body_bytes"], row["body_sha256"], row["model"]) == (len(body), sha(body), "FunAudioLLM/SenseVoiceSmall")


# --- Claude Code ---
@pytest.mark.parametrize("stream", [False, True])
def test_messages_with_beta_and_x_api_key(start, standin, stream):
    p = start([key("good", 0)], CLIENT_CONF)
    body = json.dumps({**CHAT, "max_tokens": 32, "stream": stream, "system": [{"type": "text", "text": "s"}]}).encode()
    headers = {"x-api-key": CLIENT, "anthropic-version": "2023-06-01", "anthropic-beta": "b1,b2", "x-app": "cli",
               "x-stainless-lang": "js"}
    status, head, answer = p.request("POST", "/v1/messages?beta=true", body, headers)
    straight = direct(standin, "/v1/messages?beta=true", body)
    assert (status, head["content-type"]) == (200, straight[1]["content-type"])
    assert alike(answer) == alike(straight[2])
    if stream:
        assert b"event: message_stop" in answer
    row = standin.requests()[0]
    assert (row["path"], row["query"], row["body_sha256"]) == ("/v1/messages", "beta=true", sha(body))
    sent = {n.lower(): v for n, v in row["headers"]}
    assert (sent["anthropic-version"], sent["anthropic-beta"]) == ("2023-06-01", "b1,b2")
    assert row["key"] == key("good", 0) and CLIENT not in json.dumps(row["headers"])
    assert not {"x-app", "x-stainless-lang", "x-api-key"} & set(sent)
    done, = p.wait_idle()["requests"]
    assert (done["client"], done["path"], done["tokens_in"], done["tokens_out"]) == \
        ("me", "/messages", row["tokens_in"], row["tokens_out"])


# --- completions: fill in the middle ---
@pytest.mark.parametrize("stream", [b"false", b"true"])
def test_fill_in_the_middle(proxy, standin, stream):
    body = (b'{"model":"deepseek-ai/DeepSeek-V3", "prompt":"def f(a):\\n  ","suffix":"\\n  return \\u4f60x","echo":1e0,'
            b'"stream":' + stream + b',"max_tokens":8}')
    status, head, answer = proxy.request("POST", "/v1/completions", body)
    straight = direct(standin, "/v1/completions", body)
    assert (status, head["content-type"]) == (200, straight[1]["content-type"])
    assert alike(answer) == alike(straight[2])
    if stream == b"true":
        assert events(answer)[-1] == "[DONE]" and "text" in events(answer)[0]["choices"][0]
    assert [r["body_sha256"] for r in standin.requests()] == 2 * [sha(body)]


# --- Chatbox, tool loops: null content ---
@pytest.mark.parametrize("act, more", [
    ({}, {}), ({}, {"tools": [{"type": "function", "function": {"name": "get_weather"}}]}), ({"chunk_bytes": 3}, {})],
    ids=["reasoning", "tools", "chinese"])
def test_streams_with_null_content(proxy, standin, act, more):
    if act:
        standin.rules({"match": {"path": CHATS}, "act": act})
    body = json.dumps({**CHAT, "model": "deepseek-ai/DeepSeek-R1", "stream": True, **more}).encode()
    status, _, answer = proxy.request("POST", CHATS, body)
    assert status == 200 and alike(answer) == alike(direct(standin, CHATS, body)[2])
    assert b'"content":null' in answer and b'"reasoning_content":null' in answer
    assert events(answer)[-1] == "[DONE]"
    assert proxy.wait_idle()["requests"][0]["status"] == 200


# --- base URLs ---
CLIENT_PATHS = [  # client, method, what arrives when its base URL is the one of the table, or one of its usual mistakes
    ("NextChat", "POST", "/v1/chat/completions"), ("NextChat models", "GET", "/v1/models?&sub_type=chat"),
    ("LangChain, host only", "POST", "/chat/completions"), ("SDK, host only", "GET", "/models"),
    ("Cherry Studio, /v1 typed", "POST", "/v1/v1/chat/completions"), ("Cherry Studio models", "GET", "/v1/v1/models"),
    ("full URL as a host", "POST", "/v1/v1/chat/completions/"), ("slash at the end", "POST", "//v1/chat/completions"),
    ("Claude Code with /v1", "POST", "/v1/v1/messages?beta=true"), ("host only", "POST", "/rerank"),
    ("host only", "POST", "/embeddings"), ("host only", "POST", "/images/generations"), ("host only", "GET", "/files"),
    ("host only", "GET", "/batches?limit=1"),
]


@pytest.mark.parametrize("form", ["Authorization", "x-api-key"])
def test_every_spelling_with_every_form_of_the_key(start, standin, form):
    p = start([key("k")], CLIENT_CONF)
    good = {form: f"Bearer {CLIENT}" if form == "Authorization" else CLIENT}
    bodies = {"rerank": RERANK, "embeddings": {"model": "BAAI/bge-m3", "input": "x"},
              "generations": {"model": "Kwai-Kolors/Kolors", "prompt": "x"}}
    for who, method, path in CLIENT_PATHS:
        last = path.partition("?")[0].rstrip("/").rpartition("/")[2]
        body = None if method == "GET" else bodies.get(last, {**CHAT, "max_tokens": 8})
        assert p.request(method, path, body, good)[0] == 200, (who, path)
        assert p.request(method, path, body)[0] == 401, (who, path)
    assert {r["path"] for r in standin.requests()} == {
        "/v1/chat/completions", "/v1/messages", "/v1/rerank", "/v1/embeddings", "/v1/images/generations", "/v1/files",
        "/v1/batches"}
    assert CLIENT not in json.dumps(standin.requests())


def test_nextchats_model_list(start):
    p = start([key("k")], CLIENT_CONF)
    good = {"Authorization": f"Bearer {CLIENT}", "Content-Type": "application/json", "Accept": "application/json"}
    status, _, body = p.request("GET", "/v1/models?&sub_type=chat", headers=good)
    data = json.loads(body)["data"]
    assert status == 200 and data and {m["sub_type"] for m in data} == {"chat"}
    assert "BAAI/bge-m3" not in {m["id"] for m in data}


# --- browsers and extensions ---
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages?beta=true", "/v1/v1/models", "/rerank", "/v1/files"])
def test_a_page_may_ask(start, standin, path):
    """As a browser does: the preflight without a key, then the request that it asked for."""
    p = start([key("k")], CLIENT_CONF)
    wanted = "authorization,content-type,x-api-key,anthropic-version"
    get = "models" in path or "files" in path
    method = "GET" if get else "POST"
    status, head, _ = p.request("OPTIONS", path, headers={
        "Origin": "chrome-extension://abc", "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": wanted})
    assert status == 204 and head["access-control-allow-origin"] == "*"
    assert method in head["access-control-allow-methods"].split(", ")
    assert set(wanted.split(",")) <= {h.strip() for h in head["access-control-allow-headers"].split(",")}
    body = None if get else RERANK if "rerank" in path else {**CHAT, "max_tokens": 8}
    for secret, wanted_status in ((CLIENT, 200), ("wrong", 401)):
        status, head, _ = p.request(method, path, body, {"Origin": "chrome-extension://abc", "x-api-key": secret})
        assert (status, head["access-control-allow-origin"]) == (wanted_status, "*")
    assert len(standin.requests()) == (0 if "models" in path else 1)  # the list of models is ours


# --- batches ---
def test_a_batch_from_file_to_result(start, standin):
    """Upload, create, poll until it is completed, fetch the result, by the account that took the file."""
    accounts = {key("a"): "acct1", key("b"): "acct2"}
    standin.script(keys=[{"key": k, "account": a} for k, a in accounts.items()])
    p = start(list(accounts))
    lines = b"".join(json.dumps({"custom_id": str(i), "method": "POST", "url": CHATS, "body": CHAT}).encode() + b"\n"
                     for i in range(50))
    body = parts(lines, purpose="batch")
    for _ in accounts:
        before = len(standin.requests())
        status, _, answer = p.request("POST", "/v1/files", body, FORM)
        made = json.loads(answer)
        assert (status, made["code"], made["data"]["purpose"]) == (200, 20000, "batch")
        status, _, answer = p.request("POST", "/v1/batches", {
            "input_file_id": made["data"]["id"], "endpoint": CHATS, "completion_window": "24h",
            "metadata": {"n": "1"}, "replace": {"model": "Qwen/Qwen3-8B"}})
        job = json.loads(answer)
        assert (status, job["input_file_id"]) == (200, made["data"]["id"])
        seen = [job["status"]]
        while seen[-1] != "completed":
            job = json.loads(p.request("GET", f"/v1/batches/{job['id']}")[2])
            seen.append(job["status"])
            assert len(seen) < 10
        assert seen[0] == "in_queue" and "in_progress" in seen
        output = job["output_file_id"]
        assert p.request("GET", f"/v1/files/{output}/content")[2] == f"content of {output}\n".encode()
        listed = json.loads(p.request("GET", "/v1/batches?limit=1")[2])
        assert [b["id"] for b in listed["data"]] == [job["id"]]
        rows = standin.requests()[before:]
        assert rows[0]["body_sha256"] == sha(body)
        assert len({r["key"] for r in rows if not r["query"]}) == 1
    assert {r["key"] for r in standin.requests() if r["path"] == "/v1/files"} == set(accounts)
