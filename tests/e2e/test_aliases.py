"""Reasoning aliases X-thinking and X-openwebui, and names of the configuration (alias.NAME = MODEL)."""
import hashlib
import json
import re
import shutil
import subprocess

import pytest

from harness import BUILD, ROOT, SLOW, Wire, events, key

CHATS = "/v1/chat/completions"
R1 = "deepseek-ai/DeepSeek-R1"
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
DONE = "data: [DONE]\n\n"


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def chunk(delta, finish=None, model=R1, usage=USAGE, **more):
    return "data: " + compact({"id": "019a", "object": "chat.completion.chunk", "created": 1, "model": model, **more,
                               "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                               "system_fingerprint": "", "usage": usage}) + "\n\n"


def reasons(text):
    return chunk({"content": None, "reasoning_content": text, "role": "assistant"})


def says(text, finish=None):
    return chunk({"content": text, "reasoning_content": None, "role": "assistant"}, finish)


# The stream whose outcome was recorded from the original.
RECORDED = reasons("") + reasons("想\n一") + reasons("下") + says("\n") + says("你好") + says("", "stop") + DONE
WANTED = {"-openwebui": ["<", "think", ">\n", "", "想\n一", "下", "\n</think>\n", "\n", "你好", ""],
          "-thinking": ["> ", "想\n> 一", "下", "\n\n", "\n", "你好", ""]}
WHOLE = {"-openwebui": "<think>\nl1\nl2\n</think>\n答", "-thinking": "> l1\n> l2\n\n答"}
SUFFIXES = sorted(WANTED)
TOOL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}


def body(model, stream=True, **more):
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream, **more}


def stream_of(text, **more):
    return {"match": {"path": CHATS}, "act": {"status": 200, "content_type": "text/event-stream", "body": text, **more}}


def answer_of(value, **more):
    text = value if isinstance(value, str) else compact(value)
    return {"match": {"path": CHATS}, "act": {"status": 200, "body": text, **more}}


def ask(proxy, model, stream=True, **more):
    status, headers, got = proxy.request("POST", CHATS, body(model, stream, **more))
    assert status == 200, got
    return headers, got


def contents(seen):
    return [c["delta"].get("content") for e in seen if isinstance(e, dict) for c in e["choices"]]


def message(**fields):
    return {"id": "019b", "object": "chat.completion", "created": 7, "model": R1,
            "choices": [{"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}], "usage": USAGE}


# --- the recorded output ---

@pytest.mark.parametrize("act", [{}, {"utf8_split": 1}, {"utf8_split": 7}], ids=str)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_stream_as_recorded(proxy, standin, suffix, act):
    """Content exactly as the original's, in complete chunks (bugs 6 and 10 of the original: split characters, bare chunks)."""
    standin.rules(stream_of(RECORDED, **act))
    headers, got = ask(proxy, R1 + suffix)
    assert headers["content-type"] == "text/event-stream"
    seen = events(got)
    assert seen[-1] == "[DONE]" and contents(seen) == WANTED[suffix]
    chunks = seen[:-1]
    for c in chunks:
        assert (c["id"], c["object"], c["created"], c["model"]) == ("019a", "chat.completion.chunk", 1, R1 + suffix)
        assert c["choices"][0]["index"] == 0 and "reasoning_content" not in c["choices"][0]["delta"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1]["usage"] == USAGE


def test_stream_byte_for_byte(proxy, standin):
    """Nothing but model, content and reasoning_content differs from what the platform sent."""
    standin.rules(stream_of(RECORDED))
    alias = R1 + "-thinking"

    def out(content, finish=None):
        return chunk({"content": content, "role": "assistant"}, finish, alias)
    extra = chunk({"content": "\n\n"}, None, alias, None)
    expected = (out("> ") + out("想\n> 一") + out("下") + extra + out("\n") + out("你好") + out("", "stop") + DONE)
    assert ask(proxy, alias)[1].decode() == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_plain_as_recorded(proxy, standin, suffix):
    value = message(content="答", reasoning_content="l1\nl2")
    value["choices"][0]["finish_reason"] = "length"
    standin.rules(answer_of(value))
    headers, got = ask(proxy, R1 + suffix, stream=False)
    value["model"] = R1 + suffix
    value["choices"][0]["message"] = {"role": "assistant", "content": WHOLE[suffix]}
    assert got.decode() == compact(value), "the envelope stays, finish_reason too"
    assert int(headers["content-length"]) == len(got)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_stream_and_plain_say_the_same(proxy, standin, suffix):
    plain = json.loads(ask(proxy, R1 + suffix, stream=False)[1])["choices"][0]["message"]["content"]
    streamed = "".join(contents(events(ask(proxy, R1 + suffix)[1])))
    said = standin.ask("GET", "text?chunks=8&chunk_bytes=0")
    assert plain == streamed and said["content"] in plain and said["reasoning"].split("\n")[0] in plain


def test_what_the_platform_gets(proxy, standin):
    """Only the model's text changes in the body: spaces, escapes, big numbers and unknown members stay."""
    for alias in ('"deepseek-ai/DeepSeek-R1-thinking"', '"deepseek-ai\\/DeepSeek\\u002dR1-openwebui"'):
        text = '{ "seed" : 12345678901234567890, "x":"\\ud83d", "model" : %s ,"stream":false, "messages":[] }\n'
        status, _, got = proxy.request("POST", CHATS, text % alias)
        assert status == 200, got
        row = standin.requests()[-1]
        assert row["model"] == R1
        assert row["body_sha256"] == hashlib.sha256((text % f'"{R1}"').encode()).hexdigest()


# --- when a name is an alias ---

def test_only_at_the_end_and_only_for_chat(proxy, standin):
    """The original cut the suffix anywhere in the name (bug 20)."""
    for model in ("x-thinking-y", "-thinking", "Qwen/Qwen3-VL-8B-Thinking", R1 + "-Thinking"):
        proxy.request("POST", CHATS, body(model, False))
        assert standin.requests()[-1]["model"] == model
    for path, more in (("/v1/completions", {"prompt": "x"}), ("/v1/embeddings", {"input": "x"})):
        proxy.request("POST", path, {"model": R1 + "-thinking", **more})
        assert standin.requests()[-1]["model"] == R1 + "-thinking"
    messages = {"model": R1 + "-openwebui", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    proxy.request("POST", "/v1/messages", messages)
    assert standin.requests()[-1]["model"] == R1 + "-openwebui"


def test_a_model_of_that_name_is_no_alias(start, standin):
    conf = "[models]\nprice.some/real-thinking = 1/2\n"
    proxy = start([key("good")], conf)
    proxy.request("POST", CHATS, body("some/real-thinking", False))
    proxy.request("POST", CHATS, body("some/other-thinking", False))
    assert [r["model"] for r in standin.requests()] == ["some/real-thinking", "some/other"]


def test_switched_off(start, standin):
    proxy = start([key("good")], "[models]\nreasoning_aliases = no\n")
    proxy.request("POST", CHATS, body(R1 + "-thinking", False))
    assert standin.requests()[-1]["model"] == R1 + "-thinking"


def test_bans_hold_for_both_names(start, standin):
    proxy = start([key("good")], f"[models]\nban = {R1}-thinking, Qwen/Qwen3-8B\n")
    for model in (R1 + "-thinking", "Qwen/Qwen3-8B-thinking"):
        status, _, got = proxy.request("POST", CHATS, body(model))
        assert status == 404 and json.loads(got)["error"]["code"] == "model_banned"
    assert proxy.request("POST", CHATS, body(R1 + "-openwebui"))[0] == 200
    assert [r["model"] for r in standin.requests()] == [R1]


# --- everything else goes through ---

@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tool_calls_through_a_stream(proxy, standin, suffix):
    """The original dropped tool_calls, finish_reason and usage (bug 10)."""
    call = chunk({"content": None, "reasoning_content": None, "role": "assistant", "tool_calls": [TOOL]})
    standin.rules(stream_of(reasons("a") + call + chunk({}, "tool_calls") + DONE))
    seen = events(ask(proxy, R1 + suffix)[1])
    deltas = [e["choices"][0]["delta"] for e in seen[:-1]]
    assert [d["tool_calls"] for d in deltas if "tool_calls" in d] == [[TOOL]]
    assert seen[-2]["choices"][0]["finish_reason"] == "tool_calls" and seen[-1] == "[DONE]"
    text = "".join(d.get("content") or "" for d in deltas)
    assert text == {"-openwebui": "<think>\na\n</think>\n", "-thinking": "> a"}[suffix]


def test_tool_calls_in_a_plain_answer(proxy, standin):
    """content null made the original answer 500 (bugs 8 and 10)."""
    value = message(content=None, reasoning_content=None, tool_calls=[TOOL])
    standin.rules(answer_of(value))
    got = json.loads(ask(proxy, R1 + "-thinking", stream=False)[1])["choices"][0]["message"]
    assert got == {"role": "assistant", "content": None, "tool_calls": [TOOL]}


def test_other_choices_and_unknown_members(proxy, standin):
    event = 'data: {"model":"m","big":12345678901234567890.50,"choices":[{"index":1,"delta":{"reasoning_content":"b"},' \
            '"logprobs":{"x":[1e400]}},{"index":0,"delta":{"reasoning_content":"a"}}],"s":"\\ud800\\/"}\n\n'
    finish = 'data: {"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"},' \
             '{"index":1,"delta":{"content":"B"},"finish_reason":"length"}]}\n\n'
    standin.rules(stream_of(event + finish + DONE))
    got = ask(proxy, R1 + "-thinking")[1].decode()
    assert '"big":12345678901234567890.50' in got and '"logprobs":{"x":[1e400]}' in got and '"s":"\\ud800\\/"' in got
    texts = {0: "", 1: ""}
    for e in events(got.encode())[:-1]:
        for c in e["choices"]:
            texts[c["index"]] += c["delta"].get("content") or ""
    assert texts == {0: "> a\n\nA", 1: "> b\n\nB"}


def test_a_model_that_does_not_reason(proxy, standin):
    """Null reasoning made the original raise after the last chunk (bugs 7 and 10)."""
    alias = "Qwen/Qwen2.5-7B-Instruct-openwebui"
    said = standin.ask("GET", "text?chunks=8&chunk_bytes=0")["content"]
    seen = events(ask(proxy, alias)[1])
    assert "".join(contents(seen)) == said and seen[-1] == "[DONE]" and seen[0]["model"] == alias
    assert json.loads(ask(proxy, alias, stream=False)[1])["choices"][0]["message"]["content"] == said


def test_comments_and_line_ends(proxy, standin):
    text = (": hello\n\n" + RECORDED).replace("\n\n", "\r\n\r\n")
    standin.rules(stream_of(text))
    got = ask(proxy, R1 + "-thinking")[1]
    assert got.startswith(b": hello\r\n\r\n") and got.endswith(b"data: [DONE]\r\n\r\n")
    assert contents(events(got.replace(b"\r\n", b"\n"))) == WANTED["-thinking"]


def test_a_json_answer_to_a_stream_request(proxy, standin):
    standin.rules(answer_of(message(content="答", reasoning_content="l1\nl2")))
    got = json.loads(ask(proxy, R1 + "-thinking")[1])
    assert got["choices"][0]["message"]["content"] == WHOLE["-thinking"]


@pytest.mark.parametrize("answer", ["{\"choices\":[", "<html>not json</html>", "{\"model\":\"m\",\"data\":[]}"])
def test_what_cannot_be_read_passes_unchanged(proxy, standin, answer):
    standin.rules(answer_of(answer))
    assert ask(proxy, R1 + "-thinking", stream=False)[1].decode() == answer


def test_large_events_pass_unchanged(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"big_event": 3 << 20}})
    got = ask(proxy, R1 + "-thinking")[1]
    assert len(got) > 3 << 20 and got.rstrip().endswith(b"data: [DONE]")


def test_large_plain_answers(proxy, standin):
    """Beyond the 64 KiB of the gate an answer is still read whole; beyond 8 MiB it is refused with the reason."""
    value = message(content="c" * (3 << 20), reasoning_content="l\n" * (1 << 19))
    standin.rules({**answer_of(value), "times": 1})
    headers, got = ask(proxy, R1 + "-thinking", stream=False)
    text = json.loads(got)["choices"][0]["message"]["content"]
    assert text == "> " + "l\n> " * (1 << 19) + "\n\n" + "c" * (3 << 20) and int(headers["content-length"]) == len(got)
    standin.rules({"match": {"path": CHATS}, "act": {"big_body": 9 << 20}})
    status, headers, got = proxy.request("POST", CHATS, body(R1 + "-thinking", False))
    error = json.loads(got)["error"]
    assert status == 502 and error["code"] == "upstream_garbage" and "8 MiB" in error["message"] and R1 in error["message"]
    assert headers["x-should-retry"] == "false"
    assert all(k["enabled"] and not k["cooldowns"] for k in proxy.wait_idle()["keys"])


# --- errors ---

@pytest.mark.parametrize("preset,status", [("400_20015", 400), ("429_rpm", 429), ("503_50505", 503)])
@pytest.mark.parametrize("stream", [True, False])
def test_errors_are_those_of_any_request(proxy, standin, preset, status, stream):
    """The original made 200 with [DONE] or an unhandled 500 of them (bugs 4 and 5)."""
    standin.rules({"match": {"path": CHATS}, "act": {"preset": preset}})
    got = {}
    for model in (R1, R1 + "-openwebui"):
        s, _, text = proxy.request("POST", CHATS, body(model, stream))
        got[model] = (s, json.loads(text)["error"]["code"])
        for k in proxy.snapshot()["keys"]:
            proxy.api("POST", f"keys/{k['id']}/reset")
    assert got[R1] == got[R1 + "-openwebui"] and got[R1][0] == status


def test_the_next_key_serves_an_alias(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "times": 2, "act": {"preset": "429_rpm"}}, stream_of(RECORDED))
    headers, got = ask(proxy, R1 + "-openwebui")
    assert headers["x-sfproxy-attempts"] == "3" and contents(events(got)) == WANTED["-openwebui"]


def test_an_alias_and_its_model_take_turns_together(proxy, standin):
    for i in range(6):
        assert proxy.chat(R1 + ("-openwebui" if i % 2 else ""))[0] == 200
    keys = [r["key"] for r in standin.requests()]
    assert len(set(keys[:3])) == 3 and keys[:3] == keys[3:]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("act", [{"cut": 3}, {"rst": 3}, {"truncate": 3}, {"garbage": 3}], ids=json.dumps)
def test_a_broken_stream_never_looks_finished(proxy, standin, suffix, act):
    standin.rules({"match": {"path": CHATS}, "act": act})
    status, got, complete = Wire(proxy, body(R1 + suffix)).answer()
    seen = events(got)
    assert status == 200 and not complete and b"[DONE]" not in got and b"</think>" not in got
    assert seen[-1]["error"]["code"] == "upstream_lost" and sum("error" in e for e in seen) == 1
    assert all(c["finish_reason"] is None for e in seen[:-1] for c in e["choices"])
    last = proxy.wait_idle()["requests"][0]
    assert last["reason"] == "stream_broken" and last["tokens_out"] == standin.requests()[-1]["tokens_out"] > 0


def test_half_an_event_is_not_passed(proxy, standin):
    standin.rules(stream_of(reasons("a") + "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"secr"))
    status, got, complete = Wire(proxy, body(R1 + "-thinking")).answer()
    assert not complete and b"secr" not in got and contents(events(got)[:-1]) == ["> a"]
    assert events(got)[-1]["error"]["code"] == "upstream_lost"


def test_error_events_go_through(proxy, standin):
    error = {"error": {"message": "moderated in the middle", "type": "x", "code": 20031}, "model": R1}
    standin.rules({"match": {"path": CHATS}, "act": {"error_event": 2, "event_body": error}})
    status, got, complete = Wire(proxy, body(R1 + "-thinking")).answer()
    assert not complete and events(got)[-1] == error and got.count(b'"error"') == 1


def test_a_last_event_without_its_blank_line(proxy, standin):
    standin.rules(stream_of(reasons("a") + says("b", "stop").rstrip()))
    got = ask(proxy, R1 + "-thinking")[1]
    assert contents(events(got)) == ["> a", "\n\n", "b"] and events(got)[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_client_that_leaves_cancels_upstream(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"chunks": 5000, "chunk_interval_ms": 20}})
    wire = Wire(proxy, body(R1 + "-openwebui"))
    wire.read_until(b'"think"')
    wire.leave("rst")
    standin.wait(cancelled=1, in_flight=0)
    assert proxy.wait_idle()["requests"][0]["reason"] == "client_abort"


def test_silence_before_the_first_event(start, standin):
    """The head goes out with comments, then the alias begins as always."""
    proxy = start([key("good")], "[upstream]\ngate_timeout = 100ms\n")
    standin.rules({"match": {"path": CHATS}, "act": {"slow_first_byte_ms": 600}})
    got = ask(proxy, R1 + "-openwebui")[1]
    seen = contents(events(got))
    assert got.startswith(b": waiting\n\n") and seen[:3] == ["<", "think", ">\n"]


# --- real clients ---

@pytest.fixture(scope="module")
def sdk():
    """sdk(scenario, proxy, model) -> what the scenario of client/alias.mjs saw."""
    subprocess.run(["make", "-s", "build/client/node_modules/.package-lock.json"], cwd=ROOT, check=True, timeout=600)
    shutil.copy(ROOT / "tests" / "e2e" / "client" / "alias.mjs", BUILD / "client")

    def run(scenario, proxy, model):
        node = subprocess.run(["node", "alias.mjs", scenario, proxy.base_url, model], cwd=BUILD / "client",
                              capture_output=True, text=True, timeout=60 * SLOW)
        assert node.returncode == 0, node.stderr
        return json.loads(node.stdout)
    return run


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("client", ["openai", "ai"])
def test_clients_read_both_aliases(sdk, proxy, standin, client, suffix):
    standin.rules({**stream_of(RECORDED), "match": {"path": CHATS, "stream": True}},
                  answer_of(message(content="答", reasoning_content="l1\nl2")))
    streamed = sdk(client + "Stream", proxy, R1 + suffix)
    plain = sdk(client + "Plain", proxy, R1 + suffix)
    assert streamed["text"] == "".join(WANTED[suffix]) and plain["text"] == WHOLE[suffix]
    assert streamed["finish"] == plain["finish"] == "stop"
    if client == "openai":
        assert streamed["model"] == plain["model"] == R1 + suffix
    else:
        assert not streamed.get("reasoning") and not plain.get("reasoning"), "the reasoning is said once"
        assert streamed["tokens"] == plain["tokens"] == USAGE["completion_tokens"]


@pytest.mark.parametrize("client", ["openai", "ai"])
def test_clients_call_tools_through_an_alias(sdk, proxy, client):
    got = sdk(client + "Tools", proxy, R1 + "-openwebui")
    assert (got["name"], got["location"]) == ("get_current_weather", "北京") and got["finish"] in ("tool_calls", "tool-calls")


@pytest.mark.parametrize("client", ["openai", "ai"])
def test_clients_see_that_an_alias_stream_broke(sdk, proxy, standin, client):
    standin.rules({"match": {"path": CHATS}, "act": {"cut": 3}})
    got = sdk(client + "Broken", proxy, R1 + "-openwebui")
    assert "broke off before it was complete" in got["error"], got
    assert got["text"].startswith("<think>\n")


# --- counting ---

@pytest.mark.parametrize("stream", [True, False])
def test_tokens_are_those_of_the_platform(proxy, standin, stream):
    """The original counted no tokens for alias streams, and kept two cursors and counters per name (bugs 9 and 20)."""
    ask(proxy, R1 + "-thinking", stream)
    ask(proxy, R1, stream)
    snapshot = proxy.wait_idle()
    rows = standin.requests()
    assert snapshot["totals"]["tokens_in"] == sum(r["tokens_in"] for r in rows)
    assert snapshot["totals"]["tokens_out"] == sum(r["tokens_out"] for r in rows) > 0
    assert snapshot["totals"]["rpd"] == 2 and [r["key"] for r in rows][0] != [r["key"] for r in rows][1]
    model = next(m for m in snapshot["models"] if m["id"] == R1)
    assert model["rpm"] == 2, "the served model counts, whatever it was called"
    assert not any(m["id"].endswith("-thinking") and m["rpm"] for m in snapshot["models"])


# --- alias.NAME = MODEL ---

NAMES = """[models]
alias.gpt-4o = Qwen/Qwen3-8B
alias.r1 = deepseek-ai/DeepSeek-R1
alias.r1-tags = deepseek-ai/DeepSeek-R1-openwebui
alias.text-embedding-3-small = BAAI/bge-m3
alias.whisper-1 = FunAudioLLM/SenseVoiceSmall
alias.Qwen/Qwen3-14B = Qwen/Qwen3-32B
alias.quoted = odd/"model\\name"
"""


@pytest.fixture
def named(start):
    return start([key("good", n) for n in range(2)], NAMES)


@pytest.mark.parametrize("path,alias,model,more", [
    (CHATS, "gpt-4o", "Qwen/Qwen3-8B", {"messages": []}),
    ("/v1/messages", "gpt-4o", "Qwen/Qwen3-8B", {"messages": [], "max_tokens": 5}),
    ("/v1/completions", "gpt-4o", "Qwen/Qwen3-8B", {"prompt": "x" * 100000}),
    ("/v1/embeddings", "text-embedding-3-small", "BAAI/bge-m3", {"input": "x"}),
    (CHATS, "Qwen/Qwen3-14B", "Qwen/Qwen3-32B", {"messages": []}),
    (CHATS, "quoted", 'odd/"model\\name"', {"messages": []})])
def test_names_of_the_configuration(named, standin, path, alias, model, more):
    status, _, got = named.request("POST", path, compact({"model": alias, **more}))
    row = standin.requests()[-1]
    assert status == 200 and row["body_sha256"] == hashlib.sha256(compact({"model": model, **more}).encode()).hexdigest()
    assert row["path"] == path
    if path == CHATS:
        assert json.loads(got)["model"] == row["model"], "the answer is the platform's, byte for byte"


def test_names_and_suffixes(named, standin):
    standin.rules(stream_of(RECORDED))
    for alias, suffix in (("r1-thinking", "-thinking"), ("r1-tags", "-openwebui"), ("r1-openwebui", "-openwebui")):
        seen = events(ask(named, alias)[1])
        assert contents(seen) == WANTED[suffix] and seen[0]["model"] == alias
        assert standin.requests()[-1]["model"] == R1


def test_the_model_part_of_a_form(named, standin):
    def form(model):
        return (b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n\xff\x00model\r\n--B\r\n'
                b'Content-Disposition: form-data; name="model"\r\n\r\n' + model + b"\r\n--B--\r\n")
    status, _, got = named.request("POST", "/v1/audio/transcriptions", form(b"whisper-1"),
                                   {"Content-Type": "multipart/form-data; boundary=B"})
    row = standin.requests()[-1]
    assert status == 200, got
    assert row["model"] == "FunAudioLLM/SenseVoiceSmall"
    assert row["body_sha256"] == hashlib.sha256(form(b"FunAudioLLM/SenseVoiceSmall")).hexdigest()


def test_a_chunked_body_grows(named, standin):
    text = compact({"model": "gpt-4o", "messages": []}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n" \
           b"Content-Type: application/json\r\n\r\n"
    got = named.raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
    assert got.startswith(b"HTTP/1.1 200")
    assert standin.requests()[-1]["body_sha256"] == hashlib.sha256(text.replace(b"gpt-4o", b"Qwen/Qwen3-8B")).hexdigest()


def test_listing(named, standin):
    listed = json.loads(named.request("GET", "/v1/models")[2])["data"]
    ids = [m["id"] for m in listed]
    at = ids.index(R1) if R1 in ids else ids.index("Pro/" + R1)
    base = ids[at]
    assert ids[at + 1:at + 3] == [base + "-thinking", base + "-openwebui"]
    assert "gpt-4o" in ids and "r1" in ids and len(ids) == len(set(ids))
    assert "Qwen/Qwen2.5-7B-Instruct" in ids and "Qwen/Qwen2.5-7B-Instruct-thinking" not in ids
    for id in (base + "-thinking", "gpt-4o"):
        status, _, got = named.request("GET", "/v1/models/" + id)
        assert status == 200 and json.loads(got)["id"] == id
    chats = json.loads(named.request("GET", "/v1/models?sub_type=embedding")[2])["data"]
    assert not any(re.search("-(thinking|openwebui)$", m["id"]) for m in chats)
    assert "text-embedding-3-small" in [m["id"] for m in chats] and "gpt-4o" not in [m["id"] for m in chats]


def test_names_are_recorded(named, standin):
    ask(named, "gpt-4o", False)
    row = named.wait_idle()["requests"][0]
    assert row["model"] == "Qwen/Qwen3-8B"
