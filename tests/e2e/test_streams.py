"""Streams: byte for byte while they go well, an error that no SDK can overlook when they do not, and what is still
retried: whatever fails before the first byte went to the client."""
import collections
import json
import re
import subprocess

import pytest

from harness import BUILD, CHAT, ROOT, Wire, events, key, load, request

CHATS = "/v1/chat/completions"
STREAM = {**CHAT, "stream": True}
MESSAGES = {"model": "Qwen/Qwen3-8B", "max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
LOST = "broke off before it was complete"


def alike(body):
    """Without the two fields that the stand-in numbers."""
    return re.sub(rb'"(id|created)":("[^"]*"|\d+)', rb'"\1":0', body)


def last_request(p):
    return p.wait_idle()["requests"][0]


@pytest.mark.parametrize("path,body", [(CHATS, STREAM), ("/v1/messages", MESSAGES),
                                       ("/v1/completions", {"model": "Qwen/Qwen3-8B", "prompt": "a", "stream": True})])
@pytest.mark.parametrize("act", [
    {}, {"chunk_bytes": 3}, {"big_event": 1 << 20}, {"big_event": 3 << 20}, {"utf8_split": 1, "chunk_bytes": 10},
    {"utf8_split": 7, "chunk_bytes": 40}, {"crlf": True}, {"sse_comments": True}, {"crlf": True, "sse_comments": True},
    {"no_done": True}, {"usage_missing": True}, {"usage_odd": "huge"}, {"usage_odd": "string"},
    {"garbage_event": 2}, {"no_framing": True}, {"tokens_per_chunk": 5}, {"chunks": 1}, {"chunk_interval_ms": 0, "chunks": 3000},
], ids=lambda a: "+".join(a) or "plain")
def test_bytes_pass_unchanged(proxy, standin, path, body, act):
    if act:
        standin.rules({"match": {"path": path}, "act": act})
    direct = request(standin.address, "POST", path, body, {"Authorization": f"Bearer {key('good', 0)}"})
    status, headers, got = proxy.request("POST", path, body)
    assert status == direct[0] == 200 and headers["content-type"] == direct[1]["content-type"]
    assert alike(got) == alike(direct[2])
    assert last_request(proxy)["status"] in (200, "ok")


@pytest.mark.parametrize("act", [{}, {"big_body": 1 << 20}, {"chunk_bytes": 30}, {"no_framing": True},
                                 {"usage_missing": True}], ids=lambda a: "+".join(a) or "plain")
def test_plain_answers_pass_unchanged(proxy, standin, act):
    if act:
        standin.rules({"match": {"path": CHATS}, "act": act})
    direct = request(standin.address, "POST", CHATS, CHAT, {"Authorization": f"Bearer {key('good', 0)}"})
    status, _, got = proxy.request("POST", CHATS, CHAT)
    assert status == 200 and alike(got) == alike(direct[2])


BREAKS = [{"cut": 3}, {"rst": 3}, {"truncate": 3}, {"garbage": 3}, {"cut": 1}]


@pytest.mark.parametrize("act", BREAKS, ids=json.dumps)
def test_a_broken_stream_ends_with_our_error(proxy, standin, act):
    standin.rules({"match": {"path": CHATS}, "act": act})
    wire = Wire(proxy, STREAM)
    status, body, complete = wire.answer()
    seen = events(body)
    assert status == 200 and not complete, "the last chunk says that nothing is missing"
    assert LOST in seen[-1]["error"]["message"] and seen[-1]["error"]["code"] == "upstream_lost"
    assert sum("error" in e for e in seen) == 1 and b"[DONE]" not in body
    assert len(standin.requests()) == 1, "retried after the first byte"
    snapshot = proxy.wait_idle()
    assert snapshot["requests"][0]["reason"] == "stream_broken"
    assert snapshot["totals"]["errors_per_min"] == 1
    assert all(not k["cooldowns"] for k in snapshot["keys"])


@pytest.mark.parametrize("act", BREAKS[:3], ids=json.dumps)
def test_a_broken_stream_of_anthropic(proxy, standin, act):
    standin.rules({"match": {"path": "/v1/messages"}, "act": act})
    status, body, complete = Wire(proxy, MESSAGES, "/v1/messages").answer()
    last = body.rstrip().split(b"\n\n")[-1].split(b"\n")
    assert status == 200 and not complete and last[0] == b"event: error"
    error = json.loads(last[1][6:])
    assert error["type"] == "error" and LOST in error["error"]["message"] and b"message_stop" not in body


def test_the_break_sentence_is_said_once(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": {"preset": "500"}},
                  {"match": {"path": CHATS}, "act": {"truncate": 3}})
    message = events(Wire(proxy, STREAM).answer()[1])[-1]["error"]["message"]
    assert message.count(LOST) == 1 and "Unknown error" not in message, message


def test_usage_of_a_broken_stream_is_counted(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"cut": 4, "prompt_tokens": 77}})
    Wire(proxy, STREAM).answer()
    totals = proxy.wait_idle()["totals"]
    row = standin.requests()[0]
    assert (totals["tokens_in"], totals["tokens_out"]) == (77, row["tokens_out"]) and row["tokens_out"] > 0


@pytest.mark.parametrize("after", [2, 4])
def test_an_error_event_in_the_middle_is_passed_and_not_doubled(proxy, standin, after):
    body = {"error": {"message": "moderated in the middle", "type": "x", "code": 20031}}
    standin.rules({"match": {"path": CHATS}, "act": {"error_event": after, "event_body": body}})
    direct = request(standin.address, "POST", CHATS, STREAM, {"Authorization": f"Bearer {key('good', 0)}"})
    status, got, complete = Wire(proxy, STREAM).answer()
    assert status == 200 and alike(got).startswith(alike(direct[2]).rstrip())
    assert got.count(b'"error"') == 1 and b"moderated in the middle" in got and LOST.encode() not in got
    assert not complete
    assert last_request(proxy)["reason"] == "stream_broken"


@pytest.mark.parametrize("act", [
    {"error_event": 0, "event_preset": "500"}, {"error_event": 0, "event_preset": "429_rpm"},
    {"error_event": 0, "event_preset": "503_50505"},
    {"status": 200, "content_type": "text/event-stream", "body": ""},
    {"status": 200, "content_type": "text/event-stream", "body": ": only a comment\n\n"},
    {"status": 200, "content_type": "text/event-stream", "body": "data: {\"error\":{\"message\":\"too busy\"}}\n\n"},
    {"status": 200, "content_type": "text/event-stream", "body": "data: {\"code\":50505,\"message\":\"x\",\"data\":null}\n\n"},
    {"status200_json_error": True}, {"preset": "200_50609"}, {"preset": "502_html"}, {"reset_before_head": True},
    {"close_before_head": True}, {"preset": "429_empty"}, {"preset": "401_empty"},
], ids=lambda a: json.dumps(a)[:60])
@pytest.mark.parametrize("stream", [True, False])
def test_what_fails_before_the_first_byte_is_retried(proxy, standin, act, stream):
    if not stream and ("error_event" in act or act.get("content_type") == "text/event-stream"):
        pytest.skip("for streams")
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": act})
    answer = proxy.chat(stream=stream)
    assert answer[0] == 200 and b"error" not in answer[2]
    assert not stream or answer[2].endswith(b"data: [DONE]\n\n")
    unseen = "reset_before_head" in act or "close_before_head" in act  # libcurl sends it again on a pooled connection
    assert answer[1]["x-sfproxy-attempts"] in (("1", "2") if unseen else ("2",))
    assert str(last_request(proxy)["attempts"]) == answer[1]["x-sfproxy-attempts"]


@pytest.mark.parametrize("act", [{"cut": 1}, {"rst": 1}])
def test_a_plain_answer_that_is_cut_is_retried_while_nothing_was_sent(proxy, standin, act):
    standin.rules({"match": {"path": CHATS}, "times": 1, "act": act})
    answer = proxy.chat()
    assert answer[0] == 200 and json.loads(answer[2])["choices"]
    assert len(standin.requests()) == 2


def test_a_long_plain_answer_that_is_cut_is_a_broken_connection(proxy, standin):
    body = {"choices": [{"message": {"content": "x" * 400000}}]}
    standin.rules({"match": {"path": CHATS}, "act": {"status": 200, "content_type": "application/json", "body": body,
                                                     "cut": 1}})
    status, body, complete = Wire(proxy, CHAT).answer()
    assert status == 200 and not complete and b'"error"' not in body
    assert len(standin.requests()) == 1
    assert last_request(proxy)["reason"] == "stream_broken"


def test_speech_that_is_cut_is_a_broken_connection(proxy, standin):
    speech = {"model": "FunAudioLLM/CosyVoice2-0.5B", "input": "hello", "voice": "a"}
    standin.rules({"match": {"path": "/v1/audio/speech"}, "times": 1, "act": {"cut": 1}})
    status, body, complete = Wire(proxy, speech, "/v1/audio/speech").answer()
    assert status == 200 and not complete and b"error" not in body
    assert len(standin.requests()) == 1
    assert Wire(proxy, speech, "/v1/audio/speech", "Connection: close\r\n").answer()[2]


def test_errors_of_binary_routes_are_retried(proxy, standin):
    standin.rules({"match": {"path": "/v1/audio/speech"}, "times": 1, "act": {"preset": "429_rpm"}})
    answer = proxy.request("POST", "/v1/audio/speech", {"model": "FunAudioLLM/CosyVoice2-0.5B", "input": "hello"})
    assert answer[0] == 200 and not answer[1]["content-type"].startswith(("application/json", "text/"))


def test_json_where_a_stream_was_asked_for_is_passed(proxy, standin):
    body = {"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": {"content": "a"}}]}
    standin.rules({"match": {"path": CHATS}, "act": {"status": 200, "content_type": "application/json",
                                                     "body": json.dumps(body)}})
    answer = proxy.chat(stream=True)
    assert answer[0] == 200 and json.loads(answer[2]) == body
    assert answer[1]["content-type"] == "application/json"


# --- the SDKs: a broken stream must throw, with our words ---
@pytest.fixture(scope="session")
def node_modules():
    made = subprocess.run(["make", "-s", "build/client/node_modules/.package-lock.json"], cwd=ROOT, capture_output=True)
    assert made.returncode == 0, made.stderr


def sdk(script, p):
    """What the SDK made of one stream: {"text", "error"}."""
    copy = BUILD / "client" / script
    copy.write_text((ROOT / "tests/e2e/client" / script).read_text())
    done = subprocess.run(["node", str(copy), p.base_url], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SCRIPTS = ["break_openai.mjs", "break_ai.mjs", "break_anthropic.mjs"]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("act", [{"cut": 3}, {"truncate": 3}, {"rst": 3}, {"stall": 3}], ids=json.dumps)
def test_sdks_throw_our_message(start, standin, node_modules, script, act):
    p = start([key("k", n) for n in range(3)], "[upstream]\nidle_timeout = 500ms\n")
    standin.rules({"match": {"stream": True}, "act": act})
    seen = sdk(script, p)
    words = "stopped in the middle of its answer" if "stall" in act else LOST
    assert seen["text"] and words in (seen["error"] or ""), seen
    assert len(standin.requests()) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_sdks_finish_a_good_stream(proxy, standin, node_modules, script):
    seen = sdk(script, proxy)
    text = json.loads(request(standin.address, "GET", "/_standin/text")[2])["content"]
    assert seen == {"text": text, "error": None}


def test_broken_streams_under_load(proxy, standin):
    standin.rules({"match": {"path": CHATS, "every": 3}, "act": {"cut": 3}},
                  {"match": {"path": CHATS, "every": 4}, "act": {"truncate": 2}})
    answers = load(proxy, 300, make=lambda i: STREAM)
    kinds = collections.Counter((status, b"[DONE]" in body) for status, body in answers)
    assert kinds[200, True] > 100 and set(kinds) <= {(200, True), (0, False)}, kinds
    proxy.wait_idle()
