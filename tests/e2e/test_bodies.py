"""Request bodies: passed on byte for byte, or refused with nothing sent and nothing counted; memory comes back."""
import gzip
import hashlib
import http.client
import json
import socket

import pytest

from harness import CHAT, SLOW, Proxy, key, wait_until

PATH = "/v1/chat/completions"
MODEL = b'"model":"Qwen/Qwen3-8B"'
MIB = 1 << 20
JSON_TYPE = {"Content-Type": "application/json"}


def sha(body):
    return hashlib.sha256(body).hexdigest()


def code_of(answer):
    return json.loads(answer[2])["error"]["code"]


def post(p, body, path=PATH, headers=None):
    return p.request("POST", path, body, headers)


def chunks_of(body, size):
    for at in range(0, len(body), size):
        yield body[at:at + size]


def post_chunked(p, body, size, path=PATH, headers=None):
    connection = http.client.HTTPConnection(*p.address, timeout=60 * SLOW)
    try:
        connection.request("POST", path, body=chunks_of(body, size), encode_chunked=True,
                           headers={**(headers or JSON_TYPE), "Transfer-Encoding": "chunked"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


# --- byte for byte ---
BODIES = {
    "big integers": b'{' + MODEL +
                    b',"seed":12345678901234567890123456789,"a":[-9007199254740993,18446744073709551616]}',
    "huge and tiny floats": b'{"x":1e400,"y":-1e-400,"z":0.1000000000000000055511151231257827,' + MODEL + b'}',
    "lone surrogates": b'{"a":"\\ud800","b":"\\udfff\\ud800x",' + MODEL + b'}',
    "duplicate unknown names": b'{"a":1,"a":2,"b":{"model":1,"model":2,"stream":3,"stream":4},' + MODEL + b'}',
    "BOM inside strings": b'{"\xef\xbb\xbfmodel":"\xef\xbb\xbf",' + MODEL + b'}',
    "NUL escaped": b'{"a":"\\u0000","\\u0000model":1,' + MODEL + b'}',
    "bytes that are not UTF-8": b'{"a":"\xff\xfe\xc0\x80",' + MODEL + b'}',
    "Chinese": '{"messages":[{"role":"user","content":"你好，世界😀"}],"model":"Qwen/Qwen3-8B","用户":"甲"}'.encode(),
    "blanks everywhere": b' \r\n\t{ ' + b'"model" : \n "Qwen/Qwen3-8B"' + b' , "a" : [ ] , "b" : { } } \r\n',
    "escaped model name": b'{"model":"\\u0051wen\\/Qwen3-8B"}',
    "escaped name of the member": b'{"mod\\u0065l":"Qwen/Qwen3-8B","strea\\u006d":false}',
    "other case": b'{"Model":1,"MODEL":2,"Stream":"x",' + MODEL + b'}',
    "model after a big image": b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:'
                               b'image/png;base64,' + b"iVBOR/+w" * (MIB // 8) + b'"}}]}],' + MODEL + b'}',
    "512 levels": b'{"a":' + b'[' * 511 + b']' * 511 + b',' + MODEL + b'}',
    "stream null": b'{"stream":null,' + MODEL + b'}',
    "name of 256 bytes": b'{"model":"' + b"n" * 256 + b'"}',
}


@pytest.mark.parametrize("what", BODIES)
def test_bodies_are_not_touched(proxy, standin, what):
    body = BODIES[what]
    assert post(proxy, body)[0] == 200
    assert post_chunked(proxy, body, 1 if len(body) < 1000 else 70001)[0] == 200
    rows = standin.requests()
    assert [(r["body_bytes"], r["body_sha256"]) for r in rows] == 2 * [(len(body), sha(body))]
    assert all(dict(r["headers"])["Content-Length"] == str(len(body)) for r in rows)
    model = "n" * 256 if "256" in what else "Qwen/Qwen3-8B"
    requests = proxy.wait_idle()["requests"]
    assert [r["model"] for r in requests] == 2 * [model]
    assert standin.report()["totals"]["bad_requests"] == 0


@pytest.mark.parametrize("true", [b'"stream":true', b'"strea\\u006d":true', b'"stream" : true'])
def test_stream_is_understood_however_it_is_written(proxy, standin, true):
    body = b'{' + MODEL + b',' + true + b'}'
    status, head, answer = post(proxy, body)
    assert status == 200
    assert proxy.wait_idle()["requests"][0]["stream"] is True
    assert standin.requests()[0]["body_sha256"] == sha(body)


def full_body(size):
    frame = b'{' + MODEL + b',"x":""}'
    return frame[:-2] + b"y" * (size - len(frame)) + frame[-2:]


def test_the_largest_body(proxy, standin):
    body = full_body(32 * MIB)
    assert post(proxy, body)[0] == 200
    assert post_chunked(proxy, body, 1 << 16)[0] == 200
    assert [r["body_sha256"] for r in standin.requests()] == 2 * [sha(body)]
    assert proxy.wait_idle()["totals"]["rpm"] == 2


def test_every_try_sends_the_same_body(proxy, standin):
    body = BODIES["lone surrogates"] + b" " * 100000
    standin.rules({"match": {"model": "*"}, "times": 1, "act": {"preset": "429_rpm"}},
                  {"match": {"model": "*"}, "times": 1, "act": {"preset": "500"}})
    status, head, _ = post(proxy, body)
    assert (status, head["x-sfproxy-attempts"]) == (200, "3")
    rows = standin.requests()
    assert [r["body_sha256"] for r in rows] == 3 * [sha(body)] and len({r["key"] for r in rows}) == 3
    assert proxy.wait_idle()["totals"]["rpm"] == 1


# --- refused: nothing is sent ---
DUPLICATES = [
    b'{"model":"a","model":"b"}', b'{"model":"a","mod\\u0065l":"a"}', b'{"stream":true,' + MODEL + b',"stream":false}',
    b'{"stream":false,"stre\\u0061m":true,' + MODEL + b'}', b'{"model":"a","x":{"model":1},"model":"a"}',
]


@pytest.mark.parametrize("body", DUPLICATES)
def test_duplicate_names(proxy, untouched, body):
    for path in (PATH, "/v1/embeddings"):
        answer = post(proxy, body, path)
        assert answer[0] == 400 and code_of(answer) == "duplicate_key" and answer[1]["x-should-retry"] == "false"
    assert json.loads(post(proxy, body, "/v1/messages")[2])["error"]["type"] == "invalid_request_error"
    untouched(proxy)


BAD_JSON = [
    b'', b' ', b'{', b'[]', b'"x"', b'null', b'1', b'{"model"}', b'{"model":}', b'{' + MODEL + b',}',
    b'{,' + MODEL + b'}',
    b'{' + MODEL + b'} x', b'{' + MODEL + b'}{}', b'\xef\xbb\xbf{' + MODEL + b'}', b"{'model':'x'}", b'{model:"x"}',
    b'{' + MODEL + b',"a":01}', b'{' + MODEL + b',"a":1.}', b'{' + MODEL + b',"a":NaN}', b'{' + MODEL + b',"a":tru}',
    b'{' + MODEL + b',"a":"\x01"}', b'{' + MODEL + b',"a":"\\x"}', b'{' + MODEL + b',"a":"\\u12"}',
    b'{' + MODEL + b',"a":"x}', b'{' + MODEL + b',"a":[1,]}', b'{' + MODEL + b',"a":[}', b'{' + MODEL + b' "a":1}',
    b'{' + MODEL + b'/* c */}', b'{' + MODEL + b',"a":' + b'[' * 512 + b']' * 512 + b'}', b'\0', b'{' + MODEL + b'}\0',
    b'{"a":' + b'[' * 1000000, b'{' + MODEL + b',"stream":"true"}', b'{' + MODEL + b',"stream":1}',
]
BAD_MODEL = [
    b'{}', b'{"model":null}', b'{"model":1}', b'{"model":[]}', b'{"model":{}}', b'{"model":true}', b'{"model":""}',
    b'{"model":"\\u0000"}', b'{"model":"a\\nb"}', b'{"model":"\\ud800"}', b'{"model":"\xff"}', b'{"model":"a\\u007f"}',
    b'{"model":"' + b"n" * 257 + b'"}', b'{"Model":"Qwen/Qwen3-8B"}',
]


@pytest.mark.parametrize("code, body", [("bad_json", b) for b in BAD_JSON] + [("bad_model", b) for b in BAD_MODEL],
                         ids=lambda v: v[:30].decode("latin-1") if isinstance(v, bytes) else v)
def test_bad_bodies(shared, untouched, code, body):
    answer = post(shared, body)
    assert answer[0] == 400 and code_of(answer) == code and answer[1]["x-should-retry"] == "false"
    assert "`model`" in answer[2].decode() or code == "bad_json"
    untouched(shared)


@pytest.fixture(scope="module")
def shared(standin_process):
    """One proxy for tests that leave nothing behind."""
    standin_process.clear()
    p = Proxy(standin_process, [key("good")])
    yield p
    p.close()


@pytest.mark.parametrize("coding, status", [("gzip", 415), ("br", 415), ("zstd", 415), ("GZIP", 415),
                                            ("gzip, identity", 415), ("identity", 200), ("Identity", 200)])
def test_content_encoding(proxy, standin, untouched, coding, status):
    body = json.dumps(CHAT).encode()
    answer = post(proxy, gzip.compress(body) if status == 415 else body, headers={"Content-Encoding": coding})
    assert answer[0] == status
    if status == 200:
        assert standin.requests()[0]["body_sha256"] == sha(body)
        return
    assert code_of(answer) == "unsupported_encoding"
    untouched(proxy)


# --- limits ---
def head_of(length, more=b"", path=PATH):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
            .encode() + more + b"\r\n")


def only_code(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"], head.lower()


@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
def test_one_byte_too_large_is_refused_before_it_is_read(proxy, untouched, more):
    status, code, head = only_code(proxy.raw(head_of(32 * MIB + 1, more)))
    assert (status, code) == (413, "body_too_large") and b"connection: close" in head
    untouched(proxy)


@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
def test_without_a_key_the_body_is_not_read(start, untouched, more):
    p = start([key("k")], "[server]\nclient_key = secret-of-the-client\n")
    status, code, head = only_code(p.raw(head_of(1000, more)))
    assert (status, code) == (401, "unauthorized") and b"connection: close" in head
    untouched(p)


def test_chunked_beyond_the_limit(start, untouched):
    p = start([key("k")], "[limits]\nmax_body = 100K\n")
    with socket.create_connection(p.address, timeout=20 * SLOW) as s:
        s.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        s.sendall(b"19001\r\n" + b"x" * 0x19001)  # 100 KiB + 1
        status, code, head = only_code(read_all(s))
    assert (status, code) == (413, "body_too_large") and b"connection: close" in head
    untouched(p)


def read_all(s):
    out = b""
    try:
        while part := s.recv(65536):
            out += part
    except ConnectionResetError:
        pass
    return out


def form(size, model=b"FunAudioLLM/SenseVoiceSmall"):
    head = (b'--bound\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n')
    tail = b'\r\n--bound\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + model + b'\r\n--bound--\r\n'
    return head + b"\r\n-" * ((size - len(head) - len(tail)) // 3) + b"." * ((size - len(head) - len(tail)) % 3) + tail


FORM = {"Content-Type": "multipart/form-data; boundary=bound"}


def test_uploads_have_a_limit_of_their_own(start, standin):
    p = start([key("k")], "[limits]\nmax_body = 100K\nmax_upload = 300K\n")
    K = 1024
    for path in ("/v1/audio/transcriptions", "/v1/files", "/v1/uploads/audio/voice", "/v1/unknown/upload"):
        for send in (post, lambda p, b, **k: post_chunked(p, b, 5000, **k)):
            standin.reset()
            send(p, form(300 * K), path=path, headers=FORM)
            assert [r["body_sha256"] for r in standin.requests()] == [sha(form(300 * K))], path
            answer = send(p, form(300 * K + 1), path=path, headers=FORM)
            assert answer[0] == 413 and code_of(answer) == "body_too_large", path
            assert b"limits.max_upload" in answer[2] and len(standin.requests()) == 1
    standin.reset()
    for path in (PATH, "/v1/video/submit", "/v1/embeddings", "/v1/audio/speech"):
        answer = post(p, full_body(100 * K + 1), path)
        assert answer[0] == 413 and code_of(answer) == "body_too_large", path
        assert b"limits.max_body" in answer[2]
    assert standin.requests() == []


@pytest.mark.parametrize("headers, body, code", [
    (JSON_TYPE, b'{"model":"FunAudioLLM/SenseVoiceSmall"}', "bad_json"),
    ({"Content-Type": "multipart/form-data"}, form(1000), "bad_json"),
    ({"Content-Type": "multipart/form-data; boundary=other"}, form(1000), "bad_json"),
    (FORM, form(1000)[:-4], "bad_json"), (FORM, b"", "bad_json"),
    (FORM, form(1000).replace(b'name="model"', b'name="other"'), "bad_model"),
    (FORM, form(1000, b""), "bad_model"), (FORM, form(1000, b"n" * 257), "bad_model"),
    (FORM, form(1000).replace(b'--bound--', b'--bound\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n'
                              b'--bound--'), "duplicate_key")])
def test_bad_forms(shared, untouched, headers, body, code):
    answer = post(shared, body, "/v1/audio/transcriptions", headers)
    assert answer[0] == 400 and code_of(answer) == code
    untouched(shared)


# --- framing that lies ---
@pytest.mark.parametrize("head, status", [
    (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400), (b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400), (b"Content-Length: -5\r\n", 400),
    (b"Content-Length: +5\r\n", 400), (b"Content-Length: 5 5\r\n", 400), (b"Content-Length: 0x5\r\n", 400),
    (b"Content-Length: 99999999999999999999\r\n", 400), (b"Content-Length : 5\r\n", 400),
    (b"Transfer-Encoding: gzip, chunked\r\n", 501), (b"Transfer-Encoding: chunked, chunked\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400)])
def test_framing_that_could_be_read_in_two_ways(shared, untouched, head, status):
    raw = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + head + b'\r\n{"a"'
    got, _, answer_head = only_code(shared.raw(raw))
    assert got == status and b"connection: close" in answer_head
    untouched(shared)


@pytest.mark.parametrize("chunks", [b"5\nabcde\r\n0\r\n\r\n", b"5 \r\nab", b"-5\r\n", b"0x5\r\n",
                                    b"5\r\nabcdefg\r\n0\r\n\r\n",
                                    b"fffffffffffffffff\r\n", b"\r\n", b"5;" + b"x" * 70000])
def test_broken_chunks(shared, untouched, chunks):
    status, code, head = only_code(shared.raw(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    assert (status, code) == (400, "bad_request") and b"connection: close" in head
    untouched(shared)


def test_a_body_shorter_than_promised(start, untouched):
    p = start([key("k")])
    with socket.create_connection(p.address) as s:
        s.sendall(head_of(100) + b'{"model"')
    with socket.create_connection(p.address, timeout=20 * SLOW) as s:
        s.sendall(head_of(100) + b'{"model"')
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == b""
    wait_until("both are gone", lambda: p.snapshot()["totals"]["connections"] <= 1)
    untouched(p)


def test_a_body_that_stops(start, untouched):
    p = start([key("k")], "[limits]\nbody_timeout = 1s\n")
    status, code, head = only_code(p.raw(head_of(100) + b'{"model"'))
    assert (status, code) == (408, "request_timeout") and b"connection: close" in head
    untouched(p)


def test_a_body_longer_than_promised_is_another_request(proxy, standin):
    body = json.dumps(CHAT).encode()
    out = proxy.raw(head_of(len(body)) + body + b"garbage that follows\r\n\r\n")
    assert out.startswith(b"HTTP/1.1 200 OK\r\n") and out.count(b"HTTP/1.1 400 ") == 1
    assert [r["body_sha256"] for r in standin.requests()] == [sha(body)]
    assert standin.report()["totals"]["bad_requests"] == 0
    assert proxy.wait_idle()["totals"]["rpm"] == 1


def test_pipelined_requests_are_answered_in_order(proxy, standin):
    bodies = [full_body(n) for n in (100, 3000, 200)]
    last = head_of(len(bodies[2]), b"Connection: close\r\n") + bodies[2]
    out = proxy.raw(b"".join(head_of(len(b)) + b for b in bodies[:2]) + last)
    assert out.count(b"HTTP/1.1 200 OK") == 3
    assert [r["body_sha256"] for r in standin.requests()] == [sha(b) for b in bodies]


# --- memory ---
SMALL_MEMORY = "[limits]\nmax_body = 2M\nmax_upload = 2M\nupload_memory = 2M\n"


def memory_is_free(p):
    """A body that needs all of it would be taken."""
    head = head_of(2 * MIB, b"Expect: 100-continue\r\n")
    with socket.create_connection(p.address, timeout=20 * SLOW) as s:
        s.sendall(head)
        if s.recv(25) != b"HTTP/1.1 100 Continue\r\n\r\n":
            return False
        s.sendall(full_body(2 * MIB))
        return s.recv(12) == b"HTTP/1.1 200"


def test_busy_memory(start, standin):
    p = start([key("k")], SMALL_MEMORY)
    body = full_body(3 * MIB // 2)
    with socket.create_connection(p.address, timeout=20 * SLOW) as s:
        s.sendall(head_of(len(body), b"Connection: close\r\nExpect: 100-continue\r\n"))
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"  # its memory is promised now
        status, code, head = only_code(p.raw(head_of(len(body))))
        assert (status, code) == (503, "busy_memory")
        assert b"retry-after: 2" in head and b"x-should-retry" not in head
        status, code, _ = only_code(p.raw(
            b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{"))
        assert (status, code) == (503, "busy_memory")  # a chunked body takes 1 MiB at a time
        assert post(p, json.dumps(CHAT))[0] == 200  # small ones go on
        assert standin.report()["totals"]["requests"] == 1
        s.sendall(body)
        assert read_all(s).startswith(b"HTTP/1.1 200")
    assert memory_is_free(p)
    assert len(standin.requests()) == p.wait_idle()["totals"]["rpm"] == 3


def test_memory_comes_back_when_the_gate_has_passed(start, standin):
    p = start([key("k")], SMALL_MEMORY)
    standin.rules({"match": {"stream": True}, "act": {"chunks": 100000, "chunk_interval_ms": 50}})
    body = full_body(2 * MIB).replace(b',"x"', b',"stream":true,"x"')[:2 * MIB - 2] + b'"}'
    with socket.create_connection(p.address, timeout=20 * SLOW) as s:
        s.sendall(head_of(len(body)) + body)
        assert b"data: " in wait_until("the stream began", lambda: s.recv(65536).partition(b"data: ")[1])
        assert memory_is_free(p)
    standin.wait(cancelled=1, in_flight=0)


@pytest.mark.parametrize("ending", ["refused", "bad json", "no key", "banned", "aborted", "cut off", "timeout"])
def test_memory_comes_back_whatever_happened(start, standin, ending):
    p = start([key("k")], SMALL_MEMORY + "body_timeout = 1s\n[models]\nban = some/banned\n")
    body, model = full_body(2 * MIB), b'"some/banned"  '
    if ending == "refused":
        standin.rules({"match": {"model": "*"}, "times": 1, "act": {"preset": "400_20012"}})
        assert post(p, body)[0] == 400
    elif ending == "bad json":
        assert post(p, body[:-1] + b"]")[0] == 400
    elif ending == "no key":
        standin.rules({"match": {"model": "other"}, "act": {"preset": "429_rpm"}})
        other = body.replace(b"Qwen/Qwen3-8B", b"other")
        assert [post(p, other)[0] for _ in "ab"] == [429, 429]
    elif ending == "banned":
        assert post(p, body.replace(b'"Qwen/Qwen3-8B"', model))[0] == 404
    elif ending == "aborted":
        standin.rules({"match": {"model": "*"}, "times": 1, "act": {"stall_before_head": True}})
        with socket.create_connection(p.address) as s:
            s.sendall(head_of(len(body)) + body)
            standin.wait(in_flight=1)
        standin.wait(cancelled=1, in_flight=0)
    elif ending == "cut off":
        with socket.create_connection(p.address) as s:
            s.sendall(head_of(len(body)) + body[:MIB])
    else:
        assert only_code(p.raw(head_of(len(body)) + body[:MIB]))[0] == 408
    wait_until("all memory is free", lambda: memory_is_free(p))


def test_each_is_counted_once(proxy, standin):
    """Good, refused by us, refused by the platform, retried: totals, keys and the platform's ledger agree."""
    standin.rules({"match": {"model": "busy"}, "times": 1, "act": {"preset": "500"}},
                  {"match": {"model": "unknown"}, "act": {"preset": "400_20012"}})
    good = [proxy.chat() for _ in range(3)] + [proxy.chat("busy"), proxy.chat("unknown")]
    assert [g[0] for g in good] == [200, 200, 200, 200, 400]
    for body in (b"{", b"{}", DUPLICATES[0], b'{"model":1}'):
        assert post(proxy, body)[0] == 400
    post(proxy, b"x", headers={"Content-Encoding": "gzip"})
    rows, snapshot = standin.requests(), proxy.wait_idle()
    assert len(rows) == 6
    assert snapshot["totals"]["rpm"] == len(snapshot["requests"]) == 5
    assert sum(k["rpm"] for k in snapshot["keys"]) == len(rows)  # keys count tries
    assert snapshot["totals"]["tpm"] == sum(r["tokens_in"] + r["tokens_out"] for r in rows if r["status"] == 200)
    for k in snapshot["keys"]:
        mine = [r for r in rows if r["key"] == key("good", int(k["label"][1:]))]
        assert k["rpm"] == len(mine)
