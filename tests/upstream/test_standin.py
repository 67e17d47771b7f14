"""Checks of the stand-in upstream: every endpoint, streams, keys and limits, and each family of faults.

    STANDIN=build/standin python3 -m pytest tests/upstream/test_standin.py
"""
import base64
import hashlib
import json
import os
import socket
import struct
import subprocess
import threading
import time
import zlib

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("STANDIN", os.path.join(ROOT, "build", "standin"))
KEY = "sk-test"


class Reply:
    """One answer read from a socket, with everything a proxy could care about."""

    def __init__(self):
        self.status, self.headers, self.body, self.chunks = 0, [], b"", []
        self.complete, self.error, self.informational, self.rest = False, None, 0, b""

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    def events(self):
        return [e for e in self.body.decode().split("\n\n") if e.strip()]

    def data(self):
        out = []
        for event in self.events():
            for line in event.splitlines():
                if line.startswith("data:"):
                    out.append(line[5:].strip())
        return out


class Client:
    """A socket that speaks just enough HTTP/1.1."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self, rst=False):
        if rst:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, method, path, body=b"", headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
        for n, v in headers:
            head += f"{n}: {v}\r\n"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        self.sock.sendall(head.encode() + b"\r\n" + body)

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise EOFError
        self.buffer += got

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        out, self.buffer = self.buffer.split(mark, 1)
        return out

    def read(self):
        r = Reply()
        try:
            while True:
                lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
                r.status = int(lines[0].split()[1])
                r.headers = [tuple(x.split(": ", 1)) for x in lines[1:]]
                if r.status >= 200:
                    break
                r.informational += 1
            if r.header("transfer-encoding"):
                while True:
                    size = int(self.until(b"\r\n"), 16)
                    data = self.take(size)
                    self.take(2)
                    if not size:
                        break
                    r.chunks.append(data)
                    r.body += data
            elif r.header("content-length") is not None:
                length = int(r.header("content-length"))
                while len(self.buffer) < length:
                    self.more()
                r.body = self.take(length)
            else:
                while True:
                    self.more()
        except EOFError:
            r.error = "eof"
            r.body += self.buffer
            self.buffer = b""
        except ConnectionResetError:
            r.error = "rst"
        except (ValueError, IndexError) as e:
            r.error = f"garbage: {e}"
        r.complete = r.error is None
        return r


class Standin:
    def __init__(self, tmp):
        self.portfile = str(tmp / "port")
        self.process = subprocess.Popen([BINARY, "--port", "0", "--portfile", self.portfile], stdout=subprocess.PIPE)
        self.banner = self.process.stdout.readline().decode()
        deadline = time.monotonic() + 5
        while not os.path.exists(self.portfile) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.port = int(open(self.portfile).read())

    def control(self, method, name, body=b""):
        c = Client(self.port)
        c.send(method, "/_standin/" + name, body)
        r = c.read()
        c.close()
        return r

    def script(self, **kw):
        r = self.control("POST", "script", kw)
        assert r.status == 200, r.body

    def rule(self, act, **match):
        times = match.pop("times", None)
        rule = {"match": match, "act": act}
        if times is not None:
            rule["times"] = times
        r = self.control("POST", "rules", {"rules": [rule]})
        assert r.status == 200, r.body

    def report(self, last=100):
        return self.control("GET", f"report?last={last}").json()

    def wait(self, **kw):
        q = "&".join(f"{k}={v}" for k, v in kw.items())
        return self.control("GET", "wait?" + q).json()

    def call(self, method, path, body=b"", key=KEY, headers=()):
        c = Client(self.port)
        headers = list(headers) + ([("Authorization", "Bearer " + key)] if key else [])
        c.send(method, path, body, headers)
        r = c.read()
        c.close()
        return r

    def chat(self, stream=False, model="Qwen/Qwen3-8B", key=KEY, **more):
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        if stream:
            body["stream"] = True
        return self.call("POST", "/v1/chat/completions", body, key)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = Standin(tmp_path_factory.mktemp("standin"))
    yield s
    s.process.terminate()
    assert s.process.wait(5) == 0


@pytest.fixture
def up(server):
    assert server.process.poll() is None, "the stand-in died"
    server.control("POST", "clear")
    assert server.wait(in_flight=0, timeout_ms=5000)["ok"]
    server.control("POST", "clear")
    return server


def multipart(**parts):
    out = b""
    for name, value in parts.items():
        data, filename = value if isinstance(value, tuple) else (value.encode(), None)
        extra = f'; filename="{filename}"' if filename else ""
        out += f'--BB\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + data + b"\r\n"
    return out + b"--BB--\r\n", [("Content-Type", "multipart/form-data; boundary=BB")]


def text(up):
    return up.control("GET", "text").json()


# ---- endpoints


def test_banner_names_the_port(server):
    assert server.banner.strip() == f"standin listening on http://127.0.0.1:{server.port}"


def test_chat_plain(up):
    r = up.chat()
    j = r.json()
    assert r.status == 200 and r.header("content-type").startswith("application/json")
    assert r.header("x-siliconcloud-trace-id")
    assert j["model"] == "Qwen/Qwen3-8B" and len(j["id"]) == 32
    assert j["choices"][0]["message"]["content"] == text(up)["content"]
    assert "你好" in text(up)["content"]
    assert j["usage"]["completion_tokens"] == 8


def test_trace_id_is_echoed(up):
    r = up.call("POST", "/v1/chat/completions", {"model": "m"}, headers=[("X-Trace-Id", "abc")])
    assert r.header("x-siliconcloud-trace-id") == "abc"


def test_chat_stream_usage_is_cumulative_and_done_is_last(up):
    r = up.chat(stream=True)
    assert r.complete and r.header("content-type") == "text/event-stream"
    d = r.data()
    assert d[-1] == "[DONE]"
    chunks = [json.loads(x) for x in d[:-1]]
    assert chunks[0]["choices"][0]["delta"] == {"content": "", "reasoning_content": None, "role": "assistant"}
    assert [c["usage"]["completion_tokens"] for c in chunks] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert "".join(c["choices"][0]["delta"]["content"] for c in chunks) == text(up)["content"]


def test_reasoning_stream_and_include_usage(up):
    r = up.chat(stream=True, model="Pro/deepseek-ai/DeepSeek-R1", stream_options={"include_usage": True})
    chunks = [json.loads(x) for x in r.data()[:-1]]
    assert chunks[0]["choices"][0]["delta"] == {"content": None, "reasoning_content": "", "role": "assistant"}
    deltas = [c["choices"][0]["delta"] for c in chunks[:-1]]
    assert "".join(d["reasoning_content"] or "" for d in deltas) == text(up)["reasoning"]
    assert "".join(d["content"] or "" for d in deltas) == text(up)["content"]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] == 12
    assert chunks[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4
    plain = up.chat(model="THUDM/GLM-Z1-9B-0414").json()
    assert plain["choices"][0]["message"]["reasoning_content"] == text(up)["reasoning"]


def test_tools_in_both_modes(up):
    tools = [{"type": "function", "function": {"name": "get_current_weather"}}]
    call = up.chat(tools=tools).json()["choices"][0]
    assert call["finish_reason"] == "tool_calls"
    assert json.loads(call["message"]["tool_calls"][0]["function"]["arguments"]) == {"location": "北京"}
    chunks = [json.loads(x) for x in up.chat(stream=True, tools=tools).data()[:-1]]
    calls = [c["choices"][0]["delta"]["tool_calls"][0] for c in chunks[1:-1]]
    assert calls[0]["function"]["name"] == "get_current_weather" and calls[1]["id"] is None
    assert json.loads("".join(c["function"]["arguments"] for c in calls)) == {"location": "北京"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    after = up.chat(tools=tools, extra=[{"role": "tool", "tool_call_id": "x"}]).json()
    assert after["choices"][0]["finish_reason"] == "stop"


def test_max_tokens_cuts(up):
    j = up.chat(max_tokens=1).json()
    assert j["usage"]["completion_tokens"] == 1 and j["choices"][0]["finish_reason"] == "length"


def test_completions(up):
    r = up.call("POST", "/v1/completions", {"model": "m", "prompt": "x"}).json()
    assert r["object"] == "text_completion" and r["choices"][0]["text"] == text(up)["content"]
    d = up.call("POST", "/v1/completions", {"model": "m", "prompt": "x", "stream": True}).data()
    assert d[-1] == "[DONE]"
    assert "".join(json.loads(x)["choices"][0]["text"] for x in d[:-1]) == text(up)["content"]


def test_embeddings(up):
    j = up.call("POST", "/v1/embeddings", {"model": "BAAI/bge-m3", "input": ["a", "b"]}).json()
    assert [d["index"] for d in j["data"]] == [0, 1] and len(j["data"][0]["embedding"]) == 8
    assert j["usage"]["completion_tokens"] == 0
    b = up.call("POST", "/v1/embeddings", {"model": "m", "input": "a", "encoding_format": "base64", "dimensions": 16}).json()
    floats = struct.unpack("<16f", base64.b64decode(b["data"][0]["embedding"]))
    assert floats[:8] == tuple(j["data"][0]["embedding"])
    assert up.call("POST", "/v1/embeddings", {"model": "m", "input": []}).json()["code"] == 20015


def test_rerank_reports_tokens_not_usage(up):
    body = {"model": "BAAI/bge-reranker-v2-m3", "query": "q", "documents": ["苹果", "b", "c"], "top_n": 2,
            "return_documents": True}
    j = up.call("POST", "/v1/rerank", body).json()
    assert len(j["results"]) == 2 and j["results"][0]["document"]["text"] == "苹果"
    assert "usage" not in j and j["tokens"]["output_tokens"] == 0


def test_images_point_to_a_real_png(up):
    r = up.call("POST", "/v1/images/generations", {"model": "Kwai-Kolors/Kolors", "prompt": "x", "image_size": "1024x1024"})
    j = r.json()
    assert j["seed"] and j["timings"]["inference"]
    path = j["images"][0]["url"].split("/", 3)[3]
    png = up.call("GET", "/" + path, key=None)
    assert png.header("content-type") == "image/png" and png.body[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds = 8, []
    while at < len(png.body):
        n, kind = struct.unpack(">I4s", png.body[at:at + 8])
        assert zlib.crc32(png.body[at + 4:at + 8 + n]) == struct.unpack(">I", png.body[at + 8 + n:at + 12 + n])[0]
        if kind == b"IDAT":
            assert len(zlib.decompress(png.body[at + 8:at + 8 + n])) == 4
        kinds.append(kind)
        at += 12 + n
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    row = up.report(1)["requests"][0]
    assert row["path"].startswith("/_files/") and row["key"] is None


def test_transcription_parses_multipart(up):
    audio = bytes(range(256)) * 4 + b"\r\n--B"
    body, headers = multipart(file=(audio, "a.mp3"), model="FunAudioLLM/SenseVoiceSmall")
    r = up.call("POST", "/v1/audio/transcriptions", body, headers=headers)
    assert str(len(audio)) in r.json()["text"]
    row = up.report(1)["requests"][0]
    assert row["model"] == "FunAudioLLM/SenseVoiceSmall"
    assert row["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_speech_is_binary_and_chunked(up):
    up.script(defaults={"chunks": 3, "chunk_bytes": 500})
    r = up.call("POST", "/v1/audio/speech", {"model": "fnlp/MOSS-TTSD-v0.5", "input": "x"})
    assert r.header("content-type") == "audio/mpeg" and len(r.chunks) == 3 and len(r.body) == 1500
    assert r.body[:500] == bytes(i & 255 for i in range(500))


def test_voices_belong_to_an_account(up):
    body, headers = multipart(model="FunAudioLLM/CosyVoice2-0.5B", customName="me", text="t", file=(b"x", "a.wav"))
    uri = up.call("POST", "/v1/uploads/audio/voice", body, "sk-a", headers).json()["uri"]
    assert uri.startswith("speech:me:")
    assert up.call("GET", "/v1/audio/voice/list", key="sk-a").json()["results"][0]["uri"] == uri
    assert up.call("GET", "/v1/audio/voice/list", key="sk-b").json()["results"] == []
    say = {"model": "m", "input": "x", "voice": uri}
    assert up.call("POST", "/v1/audio/speech", say, "sk-b").status == 400
    assert up.call("POST", "/v1/audio/speech", say, "sk-a").status == 200
    assert up.call("POST", "/v1/audio/voice/deletions", {"uri": uri}, "sk-b").status == 400
    assert up.call("POST", "/v1/audio/voice/deletions", {"uri": uri}, "sk-a").status == 200


def test_video_belongs_to_an_account(up):
    job = up.call("POST", "/v1/video/submit", {"model": "Wan-AI/Wan2.2-T2V-A14B", "prompt": "x"}, "sk-a").json()
    assert up.call("POST", "/v1/video/status", job, "sk-b").status == 400
    seen = [up.call("POST", "/v1/video/status", job, "sk-a").json()["status"] for _ in range(3)]
    assert seen == ["InQueue", "InProgress", "Succeed"]


def test_files_and_batches_belong_to_an_account(up):
    up.script(keys=[{"key": "sk-a", "account": "A"}, {"key": "sk-a2", "account": "A"}, {"key": "sk-b", "account": "B"}])
    body, headers = multipart(purpose="batch", file=(b"{}\n", "x.jsonl"))
    f = up.call("POST", "/v1/files", body, "sk-a", headers).json()["data"]
    assert f["filename"] == "x.jsonl" and f["bytes"] == 3
    make = {"input_file_id": f["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert up.call("POST", "/v1/batches", make, "sk-b").status == 400
    b = up.call("POST", "/v1/batches", make, "sk-a").json()
    assert b["status"] == "in_queue"
    assert up.call("GET", "/v1/batches/" + b["id"], key="sk-b").status == 404
    seen = [up.call("GET", "/v1/batches/" + b["id"], key="sk-a2").json()["status"] for _ in range(3)]
    assert seen == ["in_queue", "in_progress", "completed"]
    made = up.call("GET", "/v1/batches/" + b["id"], key="sk-a").json()["output_file_id"]
    assert len(up.call("GET", "/v1/batches?limit=1", key="sk-a").json()["data"]) == 1
    assert up.call("GET", "/v1/batches", key="sk-b").json()["data"] == []
    assert up.call("POST", f"/v1/batches/{b['id']}/cancel", key="sk-a").json()["status"] == "cancelling"
    output, mine = up.call("GET", "/v1/files", key="sk-a2").json()["data"]["data"]
    assert mine["id"] == f["id"] and output["id"] == made and output["createdAt"] > mine["createdAt"]
    assert up.call("GET", f"/v1/files/{output['id']}/content", key="sk-a").body == f"content of {output['id']}\n".encode()
    assert up.call("DELETE", "/v1/files/" + f["id"], key="sk-b").status == 404
    assert up.call("DELETE", "/v1/files/" + f["id"], key="sk-a").json()["deleted"] is True


def test_batches_in_pages(up):
    body, headers = multipart(purpose="batch", file=(b"{}\n", "x.jsonl"))
    file = up.call("POST", "/v1/files", body, "sk-a", headers).json()["data"]["id"]
    made = [up.call("POST", "/v1/batches", {"input_file_id": file}, "sk-a").json()["id"] for _ in range(3)]
    page = up.call("GET", "/v1/batches?limit=2", key="sk-a").json()
    assert [b["id"] for b in page["data"]] == made[:0:-1] and page["has_more"] is True
    page = up.call("GET", f"/v1/batches?limit=2&after={page['last_id']}", key="sk-a").json()
    assert [b["id"] for b in page["data"]] == made[:1] and page["has_more"] is False


def test_messages(up):
    body = {"model": "Qwen/Qwen3-8B", "max_tokens": 100, "messages": []}
    r = up.call("POST", "/v1/messages", body, key=None, headers=[("x-api-key", "sk-x")]).json()
    assert r["content"] == [{"type": "text", "text": text(up)["content"]}] and r["stop_reason"] == "end_turn"
    s = up.call("POST", "/v1/messages", {**body, "stream": True})
    kinds = [e.split("\n")[0] for e in s.events()]
    assert kinds[0] == "event: message_start" and kinds[-1] == "event: message_stop"
    assert kinds[-2] == "event: message_delta" and "event: content_block_stop" in kinds
    j = [json.loads(x) for x in s.data()]
    assert "".join(x["delta"]["text"] for x in j if x["type"] == "content_block_delta") == text(up)["content"]
    assert j[-2]["usage"]["output_tokens"] == 8
    t = up.call("POST", "/v1/messages", {**body, "tools": [{"name": "get_weather"}], "stream": True})
    j = [json.loads(x) for x in t.data()]
    assert j[-2]["delta"]["stop_reason"] == "tool_use"


def test_models_filters_and_auth(up):
    ids = [m["id"] for m in up.call("GET", "/v1/models").json()["data"]]
    assert len(ids) > 70 and "Qwen/Qwen3-8B" in ids
    emb = up.call("GET", "/v1/models?sub_type=embedding").json()["data"]
    assert emb and all("bge" in m["id"] or "Embedding" in m["id"] for m in emb)
    assert up.call("GET", "/v1/models?type=video").json()["data"][0]["id"].startswith("Wan-AI")
    assert up.call("GET", "/v1/models", key=None).status == 401
    up.script(models=["a/b", {"id": "c/d", "sub_type": "embedding"}])
    assert [m["id"] for m in up.call("GET", "/v1/models").json()["data"]] == ["a/b", "c/d"]
    assert [m["id"] for m in up.call("GET", "/v1/models?sub_type=embedding").json()["data"]] == ["c/d"]


def test_user_info_in_both_generations(up):
    r = up.call("GET", "/v1/user/info")
    assert r.status == 410 and r.json()["code"] == 20092
    up.script(user_info="legacy", keys=[{"key": KEY, "account": "A", "balance": "14.00"}])
    d = up.call("GET", "/v1/user/info").json()["data"]
    assert d["totalBalance"] == "14.00" and d["id"] == "A"


def test_unknown_path_is_text(up):
    for path in ("/v1/responses", "/chat/completions", "/v1/chat/completions/chat/completions"):
        r = up.call("POST", path, {"model": "m"})
        assert (r.status, r.body) == (404, b"404 page not found") and r.header("content-type").startswith("text/plain")


# ---- keys, limits


def test_kinds_of_keys(up):
    up.script(keys=[{"key": "sk-paid", "kind": "paid"}, {"key": "sk-free", "kind": "free"},
                    {"key": "sk-unver", "kind": "unverified"}, {"key": "sk-bad", "kind": "invalid"},
                    {"key": "sk-debt", "kind": "empty", "balance": "-0.01"}])
    paid = "Pro/Qwen/Qwen2.5-7B-Instruct"
    assert up.chat(model=paid, key="sk-paid").status == 200
    r = up.chat(model=paid, key="sk-free")
    assert r.status == 402 and r.json()["code"] == 30001
    assert up.chat(model="deepseek-ai/DeepSeek-V3", key="sk-free").status == 402
    assert up.chat(key="sk-free").status == 200
    assert up.chat(key="sk-debt").status == 402
    assert up.chat(key="sk-unver").status == 403 and "实名" in up.chat(key="sk-unver").body.decode()
    assert up.chat(key="sk-bad").json()["code"] == 30014
    assert up.call("GET", "/v1/models", key="sk-bad").status == 401
    keys = up.report()["keys"]
    assert keys["sk-free"]["statuses"] == {"200": 1, "402": 2} and keys["sk-bad"]["requests"] == 2


def test_variant_2025(up):
    up.script(variant="2025", unknown_keys="invalid",
              keys=[{"key": "sk-f", "kind": "free"}, {"key": "sk-p", "limits": {"*": {"tpm": 1}}}])
    assert up.chat(key="sk-other").body == b'"Invalid token"'
    assert up.chat(model="Pro/x", key="sk-f").status == 403
    assert up.chat(key="sk-p").status == 200
    r = up.chat(key="sk-p")
    assert r.status == 429 and "code" not in r.json() and "TPM limit" in r.json()["message"]


def test_strict_models(up):
    up.script(strict_models=True)
    r = up.chat(model="retired/model")
    assert r.status == 400 and r.json()["code"] == 20012
    assert up.chat().status == 200


def test_limits_are_per_account_and_model(up):
    limits = {"Qwen/Qwen3-8B": {"rpm": 2}}
    up.script(keys=[{"key": "sk-1", "account": "A", "limits": limits}, {"key": "sk-2", "account": "A"},
                    {"key": "sk-3", "account": "B"}])
    assert [up.chat(key=k).status for k in ("sk-1", "sk-2", "sk-1", "sk-2", "sk-3")] == [200, 200, 429, 429, 200]
    assert "RPM limit" in up.chat(key="sk-2").json()["message"]
    assert up.chat(key="sk-1", model="other").status == 200
    cell = [c for c in up.report()["cells"] if c["account"] == "A" and c["model"] == "Qwen/Qwen3-8B"][0]
    assert cell["requests"] == 2 and cell["limited"] == 3


def test_limit_windows_slide(up):
    up.script(minute_ms=300, keys=[{"key": KEY, "limits": {"*": {"rpm": 1}}}])
    assert [up.chat().status for _ in range(2)] == [200, 429]
    deadline = time.monotonic() + 5
    while up.chat().status == 429 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.monotonic() < deadline


def test_ipm(up):
    up.script(keys=[{"key": KEY, "limits": {"*": {"ipm": 1}}}])
    body = {"model": "Kwai-Kolors/Kolors", "prompt": "x"}
    assert up.call("POST", "/v1/images/generations", body).status == 200
    assert up.call("POST", "/v1/images/generations", body).json()["code"] == 50604


# ---- the ledger and the script


def test_row_has_everything(up):
    body = b'{ "seed":9007199254740993, "model": "a/b", "x":"\\ud800" }'
    up.call("POST", "/v1/chat/completions?beta=true", body, headers=[("X-Odd", "\x9b value")])
    r = up.report(1)["requests"][0]
    assert (r["method"], r["path"], r["query"]) == ("POST", "/v1/chat/completions", "beta=true")
    assert r["model"] == "a/b" and r["key"] == KEY and r["status"] == 200 and r["completed"]
    assert r["body_sha256"] == hashlib.sha256(body).hexdigest() and r["body_bytes"] == len(body)
    assert ["Authorization", "Bearer " + KEY] in r["headers"]
    assert r["tokens_out"] == 8 and r["fault"] is None


def test_duplicate_model_last_wins_and_broken_json_survives(up):
    up.call("POST", "/v1/chat/completions", b'{"model":"a","Model":"b","model":"c"}')
    assert up.report(1)["requests"][0]["model"] == "c"
    r = up.call("POST", "/v1/chat/completions", b"{]")
    assert r.status == 400 and r.json()["code"] == 20015


def test_chunked_request_body_and_pipelining(up):
    c = Client(up.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    one = head + "Transfer-Encoding: chunked\r\n\r\n" + '5;x=y\r\n{"mod\r\n9\r\nel":"m1"}\r\n0\r\n\r\n'
    two = head + 'Content-Length: 14\r\n\r\n{"model":"m2"}'
    c.sock.sendall((one + two).encode())
    assert [c.read().json()["model"] for _ in range(2)] == ["m1", "m2"]
    c.close()
    rows = up.report(2)["requests"]
    assert rows[0]["connection"] == rows[1]["connection"] and rows[1]["nth"] == 2


def test_byte_by_byte_request(up):
    c = Client(up.port)
    for b in f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 13\r\n\r\n{{"model":"m"}}'.encode():
        c.sock.sendall(bytes([b]))
    assert c.read().status == 200


@pytest.mark.parametrize("extra", ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: +2",
                                   "Transfer-Encoding: chunked\r\nContent-Length: 2", "Transfer-Encoding: xchunked",
                                   "Transfer-Encoding : chunked"])
def test_bad_framing_is_refused_and_counted(up, extra):
    c = Client(up.port)
    c.sock.sendall(f"POST /v1/x HTTP/1.1\r\nHost: x\r\n{extra}\r\n\r\n".encode())
    assert c.read().status == 400
    assert up.report()["totals"]["bad_requests"] == 1


def test_big_body(up):
    body = b'{"messages":[{"content":"' + b"x" * (32 << 20) + b'"}],"model":"late","stream":false}'
    r = up.call("POST", "/v1/chat/completions", body)
    assert r.json()["model"] == "late"
    assert up.report(1)["requests"][0]["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_cancel_is_seen_in_both_phases(up):
    up.script(rules=[{"match": {"model": "wait"}, "act": {"stall_before_head": True}},
                     {"match": {"model": "quiet"}, "act": {"stall": 2}}])
    for model, phase, rst in (("wait", "waiting", False), ("wait", "waiting", True), ("quiet", "streaming", False),
                              ("quiet", "streaming", True)):
        up.control("POST", "reset")
        c = Client(up.port)
        c.send("POST", "/v1/chat/completions", {"model": model, "stream": True}, [("Authorization", "Bearer sk-x")])
        if phase == "streaming":
            c.until(b"\r\n\r\n")
            assert up.wait(open_streams=1, events=2)["ok"]
        else:
            assert up.wait(in_flight=1)["ok"]
        before = time.monotonic_ns()
        c.close(rst)
        assert up.wait(cancelled=1, in_flight=0, open_streams=0)["ok"]
        j = up.report(1)
        assert j["requests"][0]["cancelled"]["phase"] == phase
        if phase == "waiting":  # with unread events in its buffer the kernel turns a close into an RST
            assert j["requests"][0]["cancelled"]["how"] == ("rst" if rst else "fin")
        assert j["cancels"][0]["monotonic_ns"] > before
        assert j["keys"]["sk-x"]["in_flight"] == 0


def test_wait_times_out_and_counts_streams(up):
    assert up.wait(requests=1, timeout_ms=50)["ok"] is False
    up.script(rules=[{"match": {}, "act": {"stall": 1}}])
    clients = []
    for _ in range(50):
        c = Client(up.port)
        c.send("POST", "/v1/chat/completions", {"model": "m", "stream": True}, [("Authorization", "Bearer sk-x")])
        clients.append(c)
    assert up.wait(open_streams=50)["ok"]
    done = threading.Thread(target=lambda: [c.close() for c in clients])
    done.start()
    assert up.wait(cancelled=50, open_streams=0)["ok"]
    done.join()
    t = up.report()["totals"]
    assert t["max_streams"] == 50 and t["connections_open"] == 0


def test_rules_order_nth_every_times(up):
    up.script(rules=[{"match": {"nth": 2}, "act": {"preset": "500"}}, {"match": {"every": 2}, "act": {"status": 418}},
                     {"match": {"key": "sk-z"}, "times": 1, "act": {"preset": "401_30014"}}])
    assert [up.chat().status for _ in range(6)] == [200, 500, 418, 200, 418, 200]
    assert [up.chat(key="sk-z").status for _ in range(3)] == [418, 401, 418]
    assert [r["fired"] for r in up.report()["rules"]] == [1, 4, 1]


def test_probability_is_repeatable(up):
    seen = []
    for _ in range(2):
        up.script(seed=7, rules=[{"match": {"probability": 0.5}, "act": {"preset": "500"}}])
        seen.append([up.chat().status for _ in range(30)])
    assert seen[0] == seen[1] and 5 < seen[0].count(500) < 25


def test_script_errors_are_sentences(up):
    for bad in ({"nope": 1}, {"rules": [{"act": {"preset": "nope"}}]}, {"rules": [{"act": {"frobnicate": 1}}]},
                {"keys": [{"key": "sk-1", "kind": "odd"}]}):
        r = up.control("POST", "script", bad)
        assert r.status == 400 and len(r.json()["error"]) > 5
    assert up.chat().status == 200


def test_every_preset(up):
    presets = up.control("GET", "presets").json()
    assert len(presets) > 45
    up.script(rules=[{"match": {"model": p["name"]}, "act": {"preset": p["name"]}} for p in presets])
    for p in presets:
        r = up.chat(model=p["name"])
        assert r.status == p["status"] and r.body.decode() == p["body"] and r.header("content-type") == p["content_type"]


# ---- faults


def test_own_status_body_headers(up):
    up.rule({"status": 429, "body": {"a": 1}, "content_type": "x/y", "headers": {"Retry-After": "5"}})
    r = up.chat()
    assert (r.status, r.body, r.header("retry-after"), r.header("content-type")) == (429, b'{"a":1}', "5", "x/y")


@pytest.mark.parametrize("act,error", [({"reset_before_head": True}, "rst"), ({"close_before_head": True}, "eof"),
                                       ({"empty_reply": True}, "eof"), ({"garbage": True}, "garbage")])
def test_no_answer(up, act, error):
    up.rule(act)
    r = up.chat()
    assert r.status == 0 and (r.error or "").startswith(error)
    row = up.report(1)["requests"][0]
    assert row["ending"] == "faulted" and row["fault"] == list(act)[0]


def test_reset_on_accept(up):
    up.rule({"reset_on_accept": True}, times=1)
    try:
        c = Client(up.port)
        c.send("GET", "/v1/models")
        assert c.read().error in ("rst", "eof")
    except OSError:
        pass
    assert up.chat().status == 200


def test_stall_before_head_for_a_while(up):
    up.rule({"stall_before_head": 50})
    assert up.chat().status == 200


@pytest.mark.parametrize("act,error,done", [({"cut": 3}, "eof", False), ({"rst": 3}, "rst", False),
                                            ({"truncate": 3}, None, False), ({"stall": 3, "stall_ms": 30}, None, True),
                                            ({"error_event": 3}, None, False), ({"garbage": 3}, "garbage", False),
                                            ({"garbage_event": 3}, None, True)])
def test_mid_stream(up, act, error, done):
    up.rule({**act, "chunk_interval_ms": 5})
    r = up.chat(stream=True)
    assert r.status == 200
    assert (r.error or "").startswith(error or "") and bool(r.error) == bool(error)
    assert (b"[DONE]" in r.body) == done
    assert r.body.count(b'"object":"chat.completion.chunk"') == (10 if done else 3)
    assert (b'"error"' in r.body) == ("error_event" in act)


def test_error_event_of_ones_own(up):
    up.rule({"error_event": 0, "event_preset": "503_50505"})
    d = up.chat(stream=True).data()
    assert len(d) == 1 and json.loads(d[0])["code"] == 50505


def test_plain_cut_and_truncate(up):
    up.rule({"cut": 1}, times=1)
    assert up.chat().error == "eof"
    up.rule({"truncate": 1}, times=1)
    r = up.chat()
    assert r.complete and b'"usage"' not in r.body and r.header("transfer-encoding") == "chunked"


def test_json_error_for_a_stream(up):
    up.rule({"status200_json_error": True})
    r = up.chat(stream=True)
    assert r.status == 200 and r.header("content-type").startswith("application/json") and r.json()["code"] == 50609


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects(up, code):
    up.rule({"redirect": code, "location": "http://127.0.0.2:9/x"})
    r = up.chat()
    assert r.status == code and r.header("location") == "http://127.0.0.2:9/x"


def test_pace_and_size(up):
    up.rule({"slow_first_byte_ms": 60, "chunk_interval_ms": 10, "chunks": 3, "chunk_bytes": 10})
    began = time.monotonic()
    d = up.chat(stream=True).data()
    assert time.monotonic() - began >= 0.09
    assert [len(json.loads(x)["choices"][0]["delta"]["content"].encode()) for x in d[:-1]] == [0, 10, 10, 10, 0]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_utf8_split(up, n):
    up.rule({"utf8_split": n})
    r = up.chat(stream=True)
    assert r.complete and max(len(c) for c in r.chunks) == n
    assert "你好" in r.body.decode() and r.data()[-1] == "[DONE]"


def test_big_event_and_big_body(up):
    up.rule({"big_event": 3 << 20}, stream=True)
    r = up.chat(stream=True)
    assert r.complete and max(len(x) for x in r.data()) > 3 << 20 and r.data()[-1] == "[DONE]"
    assert all(json.loads(x) for x in r.data()[:-1])
    up.rule({"big_body": 5 << 20})
    r = up.chat()
    assert len(r.json()["filler"]) == 5 << 20


def test_heads(up):
    up.rule({"huge_head": 200000}, times=1)
    assert len(up.chat().header("x-filler")) == 200000
    up.rule({"many_1xx": 50}, times=1)
    r = up.chat()
    assert r.informational == 50 and r.status == 200
    up.rule({"two_content_lengths": True}, times=1)
    assert len([n for n, _ in up.chat().headers if n == "Content-Length"]) == 2
    up.rule({"odd_headers": True}, times=1)
    r = up.chat()
    assert r.header("set-cookie") and r.header("location") and r.header("server")
    up.rule({"wrong_content_type": "text/html"}, times=1)
    r = up.chat(stream=True)
    assert r.header("content-type") == "text/html" and r.data()[-1] == "[DONE]"


def test_extra_bytes_and_no_framing(up):
    up.rule({"extra_bytes_after_body": 20}, times=1)
    c = Client(up.port)
    c.send("POST", "/v1/chat/completions", {"model": "m"}, [("Authorization", "Bearer sk-x")])
    assert c.read().json() and c.take(20) == b"E" * 20
    up.rule({"no_framing": True}, times=2)
    r = up.chat()
    assert r.header("content-length") is None and r.header("transfer-encoding") is None and r.json()["model"]
    assert up.chat(stream=True).data()[-1] == "[DONE]"


def test_gzip(up):
    up.rule({"gzip_anyway": True}, times=2)
    r = up.chat()
    assert r.header("content-encoding") == "gzip" and json.loads(zlib.decompress(r.body, 31))["model"]
    assert zlib.decompress(up.chat(stream=True).body, 31).endswith(b"data: [DONE]\n\n")
    up.rule({"gzip_bomb": 4 << 20}, times=1)
    r = up.chat()
    first = zlib.decompressobj(31)
    assert len(first.decompress(r.body)) > 1 << 19 and first.eof and len(r.body) < 40000


def test_early_answer(up):
    up.rule({"early_answer": True, "preset": "413_gateway"}, times=1)
    c = Client(up.port)
    c.sock.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                   "Content-Length: 13\r\n\r\n".encode())
    assert c.read().status == 413
    c.sock.sendall(b'{"model":"m"}')
    c.send("GET", "/v1/models", headers=[("Authorization", "Bearer " + KEY)])
    assert c.read().status == 200


def test_expect_continue(up):
    c = Client(up.port)
    c.sock.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                   "Expect: 100-continue\r\nContent-Length: 13\r\n\r\n".encode())
    assert c.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
    c.sock.sendall(b'{"model":"m"}')
    assert c.read().status == 200


def test_connection_ends(up):
    def pair(act):
        up.rule(act, times=1)
        c = Client(up.port)
        auth = [("Authorization", "Bearer " + KEY)]
        c.send("POST", "/v1/chat/completions", {"model": "m"}, auth)
        assert c.read().status == 200
        return c, auth

    c, _ = pair({"close_after_response": True, "delay_ms": 20})
    assert c.sock.recv(1) == b""
    c, auth = pair({"close_idle_silently": True})
    c.send("POST", "/v1/chat/completions", {"model": "m"}, auth)
    assert c.read().error == "rst"
    c, _ = pair({"half_close_after": True})
    assert c.sock.recv(1) == b""
    c.sock.sendall(b"still open for writing")


def test_sse_shapes(up):
    up.rule({"crlf": True}, times=1)
    r = up.chat(stream=True)
    assert b"\r\n\r\n" in r.body and b"\n\n" not in r.body
    up.rule({"sse_comments": True}, times=1)
    r = up.chat(stream=True)
    assert r.body.count(b": keep-alive") == 11 and r.data()[-1] == "[DONE]"


def test_usage(up):
    up.rule({"usage_missing": True}, times=2)
    assert "usage" not in up.chat().json() and b"usage" not in up.chat(stream=True).body
    for kind in ("negative", "string", "huge", "nested", "null"):
        up.rule({"usage_odd": kind}, times=1)
        assert "usage" in up.chat().json()
    up.rule({"prompt_tokens": 1000, "tokens_per_chunk": 50}, times=1)
    assert up.chat().json()["usage"]["total_tokens"] == 1400


# ---- the fast path


def test_bench_models(up):
    r = up.chat(model="bench/json-2000")
    assert len(r.body) == 2000 and r.json()["choices"]
    s = up.chat(model="bench/stream-5-1-300")
    d = s.data()
    assert len(d) == 6 and d[-1] == "[DONE]" and 280 < len(d[0]) < 320
    stamp = int(json.loads(d[0])["choices"][0]["delta"]["content"].split()[0])
    assert 0 <= time.monotonic_ns() - stamp < 60e9
    j = up.report()
    assert j["requests"] == [] and j["totals"]["requests"] == 2


def test_slow_reader_is_bounded(up):
    up.rule({"chunks": 200000, "chunk_bytes": 1000, "chunk_interval_ms": 0})
    c = Client(up.port)
    c.send("POST", "/v1/chat/completions", {"model": "m", "stream": True}, [("Authorization", "Bearer sk-x")])
    c.until(b"\r\n\r\n")
    assert up.wait(open_streams=1)["ok"]
    rss = int(open(f"/proc/{up.process.pid}/statm").read().split()[1]) * 4096
    assert rss < 400 << 20
    c.close()
    assert up.wait(cancelled=1)["ok"]


def test_head_has_no_body(up):
    c = Client(up.port)
    c.send("HEAD", "/v1/models", headers=[("Authorization", "Bearer " + KEY)])
    head = c.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    c.send("GET", "/v1/models", headers=[("Authorization", "Bearer " + KEY)])
    assert c.read().status == 200


def test_many_models_stay_cheap(up):
    for i in range(300):
        up.chat(model=f"made/up-{i}")
    models = up.report(0)["keys"][KEY]["models"]
    assert len(models) <= 201 and sum(m["requests"] for m in models.values()) == 300


def test_demo_files_belong_together(up):
    here = os.path.join(ROOT, "tests", "upstream")
    with open(os.path.join(here, "demo.json"), encoding="utf-8") as f:
        demo = json.load(f)
    with open(os.path.join(here, "demo-keys.txt"), encoding="utf-8") as f:
        keys = [line.split(" = ")[1].split()[0] for line in f if " = " in line]
    assert keys == [k["key"] for k in demo["keys"]] and all(len(k) >= 43 for k in keys)
    assert len({k["account"] for k in demo["keys"]}) == 7
    up.script(**demo)
    assert up.call("GET", "/v1/models", key=keys[0]).status == 200
    assert up.call("GET", "/v1/models", key="sk-unknown").status == 401


def test_traffic_sends_a_mix(up):
    binary = os.environ.get("TRAFFIC", os.path.join(ROOT, "build", "traffic"))
    if not os.path.exists(binary):
        pytest.skip("build/traffic is not there")
    p = subprocess.Popen([binary, "--url", f"http://127.0.0.1:{up.port}", "--rps", "200", "--key", "sk-client"])
    assert up.wait(requests=150, timeout_ms=10000)["ok"]
    p.terminate()
    assert p.wait(5) == 0
    rows = up.report(500)["requests"]
    assert len({r["path"] for r in rows}) >= 5 and len({r["model"] for r in rows}) >= 10
    assert {r["key"] for r in rows} == {"sk-client"} and up.report()["totals"]["bad_requests"] == 0
