"""Real clients through the proxy: the OpenAI, Anthropic and Vercel SDKs on node, and curl."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from harness import CHAT, ROOT, SLOW, key, request, wait_until

CLIENT_KEY = "client-key-of-the-sdks"
SDK_DIR = ROOT / "build" / "client"


@pytest.fixture(scope="session")
def sdk_dir():
    subprocess.run(["make", "-s", "build/client/node_modules/.package-lock.json"], cwd=ROOT, check=True, timeout=600)
    for script in (ROOT / "tests" / "e2e" / "client").glob("*.mjs"):
        shutil.copy(script, SDK_DIR)  # modules are looked for from the script's folder upwards
    return SDK_DIR


@pytest.fixture
def sdk(sdk_dir):
    """sdk("openai.stream", proxy) -> what the scenario saw."""
    def run(name, proxy, client_key=CLIENT_KEY):
        script, scenario = name.split(".")
        base = proxy.url if script == "anthropic" else proxy.base_url
        node = subprocess.run([os.environ.get("NODE", "node"), f"{script}.mjs", scenario, base, client_key],
                              cwd=sdk_dir, capture_output=True, text=True, timeout=60 * SLOW)
        assert node.returncode == 0, node.stderr
        return json.loads(node.stdout)
    return run


@pytest.fixture
def proxy(start):
    return start([key("good", n) for n in range(3)], f"[server]\nclient_key = {CLIENT_KEY}\n")


def said(standin, **query):
    return standin.ask("GET", "text?" + "&".join(f"{k}={v}" for k, v in query.items()))


TEXT = {"chunks": 8, "chunk_bytes": 0}


# --- openai ---
def test_openai_chat(sdk, proxy, standin):
    got = sdk("openai.chat", proxy)
    row, = standin.requests()
    assert got["text"] == said(standin, **TEXT)["content"] and got["finish"] == "stop"
    assert got["usage"]["completion_tokens"] == row["tokens_out"]
    assert got["requestId"].startswith("sf-")
    assert got["trace"].startswith("ti_")


def test_openai_stream(sdk, proxy, standin):
    got = sdk("openai.stream", proxy)
    whole = said(standin, **TEXT)
    row, = standin.requests()
    assert got["text"] == whole["content"]
    assert whole["reasoning"].startswith(got["reasoning"]) and got["reasoning"]
    assert got["finish"] == "stop" and got["usage"]["completion_tokens"] == row["tokens_out"]
    seen = proxy.wait_idle()["requests"][0]
    assert (seen["stream"], seen["tokens_out"], seen["reason"]) == (True, row["tokens_out"], "ok")


@pytest.mark.parametrize("scenario", ["openai.tools", "openai.toolsStream"])
def test_openai_tools(sdk, proxy, standin, scenario):
    got = sdk(scenario, proxy)
    assert got["call"]["name"] == "get_current_weather"
    assert json.loads(got["call"]["arguments"]) == {"location": "北京"}
    assert got["finish"] == "tool_calls"
    assert got.get("text", said(standin, **TEXT)["content"]) == said(standin, **TEXT)["content"]


def test_openai_abort_mid_stream_cancels_upstream(sdk, proxy, standin):
    standin.rules({"match": {"stream": True}, "act": {"chunks": 5000, "chunk_interval_ms": 20}})
    got = sdk("openai.abort", proxy)
    assert got == {"chunks": 3, "aborted": True}
    standin.wait(cancelled=1, in_flight=0)
    row, = standin.requests()
    assert row["cancelled"]["phase"] == "streaming"
    seen = proxy.wait_idle()["requests"][0]
    assert seen["reason"] == "client_abort" and seen["tokens_out"] > 0


def test_openai_abort_while_waiting_cancels_upstream(sdk, proxy, standin):
    standin.rules({"match": {"model": "*"}, "act": {"stall_before_head": True}})
    assert sdk("openai.abortWaiting", proxy)["thrown"] == "APIUserAbortError"
    standin.wait(cancelled=1, in_flight=0)
    row, = standin.requests()
    assert row["cancelled"]["phase"] == "waiting"


def test_openai_embeddings(sdk, proxy, standin):
    got = sdk("openai.embeddings", proxy)
    assert len(got["floats"]) == 3 and len(got["floats"][0]) == 8
    assert got["standard"] == got["floats"]  # the SDK decoded base64 by itself
    assert all(isinstance(e, str) and len(base64.b64decode(e)) == 32 for e in got["base64"])
    assert got["usage"]["prompt_tokens"] > 0


def test_openai_image(sdk, proxy):
    assert "/_files/" in sdk("openai.image", proxy)["url"]


def test_openai_three_pictures_over_keys_with_limits(sdk, start, standin):
    """images.generate with n = 3 and b64_json; each account may make one picture a minute."""
    keys = [key("good", n) for n in range(3)]
    standin.script(keys=[{"key": k, "account": f"A{n}", "kind": "paid", "limits": {"Kwai-Kolors/Kolors": {"ipm": 1}}}
                         for n, k in enumerate(keys)])
    p = start(keys, f"[server]\nclient_key = {CLIENT_KEY}\n")
    got = sdk("openai.images", p)
    assert got["created"] > 0 and len(got["data"]) == 3
    assert all(base64.b64decode(d["b64_json"]).startswith(b"\x89PNG") for d in got["data"])
    rows = standin.requests()
    assert sorted(r["key"] for r in rows if r["path"].endswith("/generations")) == sorted(keys)
    assert sum(r["path"].startswith("/_files/") for r in rows) == 3


def test_openai_picture_through_chat(sdk, proxy, standin):
    got = sdk("openai.imageChat", proxy)
    assert got["finish"] == "stop" and got["text"].startswith(f"![image]({standin.url}/_files/")


def test_openai_speech_is_binary_and_unchanged(sdk, proxy, standin):
    got = sdk("openai.speech", proxy)
    status, _, direct = speech_without_proxy(standin)
    assert status == 200 and got["type"] == "audio/mpeg"
    assert base64.b64decode(got["base64"]) == direct


def speech_without_proxy(standin):
    body = {"model": "FunAudioLLM/CosyVoice2-0.5B", "voice": "FunAudioLLM/CosyVoice2-0.5B:alex", "input": "你好"}
    return request(standin.address, "POST", "/v1/audio/speech", body, {"Authorization": "Bearer " + key("direct")})


def test_openai_transcription_is_multipart(sdk, proxy, standin):
    assert "123457" in sdk("openai.transcription", proxy)["text"]
    row, = standin.requests()
    assert row["model"] == "FunAudioLLM/SenseVoiceSmall"


def test_openai_models(sdk, proxy):
    got = sdk("openai.models", proxy)
    assert "Qwen/Qwen3-8B" in got["ids"]
    assert (got["one"]["id"], got["one"]["object"]) == ("Qwen/Qwen3-8B", "model")


def test_openai_unknown_model_in_the_list(sdk, proxy):
    got = sdk("openai.modelUnknown", proxy)
    assert (got["thrown"], got["code"]) == ("NotFoundError", "not_found")
    assert "model" in got["message"]


def test_openai_completions(sdk, proxy, standin):
    text = said(standin, **TEXT)["content"]
    assert sdk("openai.completions", proxy) == {"plain": text, "stream": text}


@pytest.mark.parametrize("preset, thrown, message", [
    ("400_20012", "BadRequestError", "Model does not exist"),
    ("400_20015_max_prompt", "BadRequestError", "has exceeded max_prompt_tokens (98304) limit"),
    ("400_openai", "BadRequestError", "bad request"),
    ("413_20015", "APIError", "must be less than max_seq_len (65536)"),
    ("413_gateway", "APIError", ""),
    ("404_text", "NotFoundError", "404 page not found"),
    ("451", "APIError", "Image content rejected."),
])
def test_openai_error_of_the_platform_reaches_the_caller(sdk, proxy, standin, preset, thrown, message):
    standin.rules({"match": {"model": "*"}, "act": {"preset": preset}})
    got = sdk("openai.plainError", proxy)
    assert got["thrown"] == thrown and str(got["status"]) == preset[:3]
    assert message in got["message"] and "no body" not in got["message"]
    assert len(standin.requests()) == 1  # neither the SDK nor the proxy tried again
    assert got["requestID"].startswith("sf-")


def test_openai_rate_limit_is_not_retried_by_the_sdk(sdk, proxy, standin):
    standin.rules({"match": {"model": "*"}, "act": {"preset": "429_rpm"}})
    got = sdk("openai.plainError", proxy)
    assert (got["thrown"], got["code"], got["type"]) == ("RateLimitError", "all_cooling", "rate_limit_error")
    assert len(standin.requests()) == 3  # one per key
    assert proxy.wait_idle()["totals"]["rpm"] == 1


def test_openai_wrong_client_key(sdk, proxy, standin):
    got = sdk("openai.plainError", proxy, client_key="wrong")
    assert (got["thrown"], got["status"], got["code"]) == ("AuthenticationError", 401, "unauthorized")
    got = sdk("openai.models", proxy, client_key="wrong")
    assert (got["thrown"], got["code"]) == ("AuthenticationError", "unauthorized")
    assert standin.requests() == [] and proxy.snapshot()["totals"]["rpm"] == 0


def test_openai_key_of_the_pool_is_invalid(sdk, start, standin):
    p = start([key("one")])
    standin.rules({"match": {"model": "*"}, "act": {"preset": "401_30014"}})
    got = sdk("openai.plainError", p)
    assert (got["status"], got["code"]) == (503, "no_usable_key") and got["thrown"] == "InternalServerError"


@pytest.mark.parametrize("act, status, code", [
    ({"preset": "500"}, 502, "upstream_error"),
    ({"preset": "402_30001"}, 402, "insufficient_funds"),
    ({"preset": "403_realname"}, 403, "not_verified"),
    ({"preset": "403_30003"}, 403, "model_denied"),
    ({"garbage_reply": True}, 502, "upstream_garbage"),
])
def test_openai_other_errors(sdk, proxy, standin, act, status, code):
    standin.rules({"match": {"model": "*"}, "act": act})
    got = sdk("openai.plainError", proxy)
    assert (got["status"], got["code"]) == (status, code)
    assert len(standin.requests()) == 3  # the proxy's own tries only


def test_openai_stream_that_breaks_off(sdk, proxy, standin):
    standin.rules({"match": {"stream": True}, "act": {"cut": 3}})
    got = sdk("openai.streamError", proxy)
    assert (got["chunks"], got["code"]) == (3, "upstream_lost")
    assert proxy.wait_idle()["requests"][0]["reason"] == "stream_broken"


# --- anthropic ---
def test_anthropic_message(sdk, proxy, standin):
    got = sdk("anthropic.message", proxy)
    thinking, text = got["content"]
    assert thinking["type"] == "thinking" and thinking["thinking"]
    assert text["text"] == said(standin, **TEXT)["content"] and got["stop_reason"] == "end_turn"
    row, = standin.requests()
    assert got["usage"]["output_tokens"] == row["tokens_out"]
    assert "anthropic-version" in [n.lower() for n, _ in row["headers"]]
    seen = proxy.wait_idle()["requests"][0]
    assert (seen["tokens_in"], seen["tokens_out"]) == (row["tokens_in"], row["tokens_out"])


def test_anthropic_bearer_and_beta_header(sdk, proxy, standin):
    assert sdk("anthropic.bearer", proxy)["stop_reason"] == "end_turn"
    row, = standin.requests()
    assert row["path"] == "/v1/messages"
    assert ["anthropic-beta", "tools-2024-04-04"] in [[n.lower(), v] for n, v in row["headers"]]


def test_anthropic_stream_with_thinking(sdk, proxy, standin):
    got = sdk("anthropic.stream", proxy)
    assert got["types"][0] == "message_start" and got["types"][-1] == "message_stop"
    thinking, text = got["message"]["content"]
    assert thinking["thinking"] and text["text"] == said(standin, **TEXT)["content"]
    row, = standin.requests()
    seen = proxy.wait_idle()["requests"][0]
    assert (seen["tokens_in"], seen["tokens_out"], seen["reason"]) == (
        row["tokens_in"], row["tokens_out"], "ok")


def test_anthropic_tools(sdk, proxy):
    got = sdk("anthropic.tools", proxy)
    assert got["stop_reason"] == "tool_use" and got["content"][0]["input"] == {"location": "北京"}


@pytest.mark.parametrize("preset, thrown, kind, message, tries", [
    ("400_20012", "BadRequestError", "invalid_request_error", "Model does not exist", 1),
    ("404_text", "NotFoundError", "not_found_error", "404 page not found", 1),
    ("429_tpm", "RateLimitError", "rate_limit_error", "cooling down", 3),
    ("500", "InternalServerError", "api_error", "Unknown error", 3),
])
def test_anthropic_errors_have_its_shape(sdk, proxy, standin, preset, thrown, kind, message, tries):
    standin.rules({"match": {"model": "*"}, "act": {"preset": preset}})
    got = sdk("anthropic.plainError", proxy)
    assert got["thrown"] == thrown and got["error"]["type"] == "error" and got["error"]["error"]["type"] == kind
    assert message in got["error"]["error"]["message"]
    assert len(standin.requests()) == tries


def test_anthropic_wrong_client_key(sdk, proxy):
    got = sdk("anthropic.plainError", proxy, client_key="wrong")
    assert got["thrown"] == "AuthenticationError" and got["error"]["error"]["type"] == "authentication_error"


def test_anthropic_stream_that_breaks_off(sdk, proxy, standin):
    standin.rules({"match": {"stream": True}, "act": {"cut": 3}})
    got = sdk("anthropic.streamError", proxy)
    assert got["events"] == 3 and got["error"]["error"]["type"] == "api_error"


# --- ai ---
def test_ai_generate(sdk, proxy, standin):
    got = sdk("ai.generate", proxy)
    assert got["text"] == said(standin, **TEXT)["content"]
    assert got["finishReason"] == "stop" and got["usage"]["outputTokens"] == 8


def test_ai_stream(sdk, proxy, standin):
    got = sdk("ai.stream", proxy)
    assert got["text"] == said(standin, **TEXT)["content"] and got["deltas"] > 1
    assert got["reasoning"] and got["finish"] == "stop"
    assert got["usage"]["outputTokens"] == standin.requests()[0]["tokens_out"]


def test_ai_tools(sdk, proxy, standin):
    got = sdk("ai.tools", proxy)
    assert got["results"] == ["北京: 晴"] and got["steps"] == 2
    assert got["text"] == said(standin, **TEXT)["content"]


def test_ai_embeddings(sdk, proxy):
    assert [len(e) for e in sdk("ai.embeddings", proxy)["embeddings"]] == [8, 8]


def test_ai_error(sdk, proxy, standin):
    standin.rules({"match": {"model": "*"}, "act": {"preset": "400_20015_no_user"}})
    got = sdk("ai.error", proxy)
    assert got["thrown"] == "APICallError" and "No user query found" in got["message"]


# --- curl ---
def curl(*args):
    run = subprocess.run(["curl", "-sS", "--max-time", str(30 * SLOW), *args], capture_output=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def chat_args(proxy, stream=False):
    return ["-H", f"Authorization: Bearer {CLIENT_KEY}", "-H", "Content-Type: application/json", "-d",
            json.dumps({**CHAT, "stream": stream}), proxy.url + "/v1/chat/completions"]


@pytest.mark.parametrize("stream", [False, True])
def test_curl_http10(proxy, stream):
    head, _, body = curl("--http1.0", "-i", *chat_args(proxy, stream)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body.endswith(b"data: [DONE]\n\n") if stream else json.loads(body)["choices"]


def test_curl_head(proxy):
    head = curl("-I", "-H", f"x-api-key: {CLIENT_KEY}", proxy.url + "/v1/models").decode()
    whole = curl("-H", f"x-api-key: {CLIENT_KEY}", proxy.url + "/v1/models")
    assert "200" in head.splitlines()[0] and f"Content-Length: {len(whole)}\r\n" in head


def test_curl_expect_continue(proxy, tmp_path, standin):
    body = tmp_path / "body"
    body.write_text(json.dumps({**CHAT, "user": "x" * (2 << 20)}))
    args = ["-v", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json", "-H",
            "Expect: 100-continue", "--data-binary", f"@{body}", proxy.url + "/v1/chat/completions"]

    def talk(*more):
        run = subprocess.run(["curl", "--expect100-timeout", "30", *more, *args], capture_output=True, text=True)
        return run.stdout, "< HTTP/1.1 100 Continue" in run.stderr
    assert talk("-H", f"Authorization: Bearer {CLIENT_KEY}") == ("200", True)
    assert talk() == ("401", False)  # refused before the body was asked for
    assert [r["body_bytes"] for r in standin.requests()] == [body.stat().st_size]


def test_curl_keepalive(proxy):
    args = ["--http1.1", "-w", "%{num_connects}\n", "-o", "/dev/null"]
    out = curl(*args, *chat_args(proxy), "--next", "-sS", *args, *chat_args(proxy, True), "--next", "-sS", *args,
               *chat_args(proxy))
    assert out.split() == [b"1", b"0", b"0"]


def test_counts_agree_with_the_ledger(sdk, proxy, standin):
    """Every SDK once: what the screen shows is what the platform saw."""
    for name in ("openai.chat", "openai.stream", "anthropic.message", "anthropic.stream", "ai.generate"):
        sdk(name, proxy)
    rows = standin.requests()
    totals = wait_until("all are counted", lambda: (t := proxy.wait_idle()["totals"])["rpm"] == len(rows) and t)
    assert totals["tpm"] == sum(r["tokens_in"] + r["tokens_out"] for r in rows)
