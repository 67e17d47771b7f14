"""A walk through RFC 9112 (HTTP/1.1) and the parts of RFC 9110 that bind a server or an intermediary.

A row is: section, what is demanded, the bytes, the statuses of all answers to them, and whether the connection goes on.
Behind the bytes a good `GET /healthz` is sent: on a connection that goes on it is answered 200, otherwise not at all.
Rows marked (choice) are where the RFC leaves a choice; we take the strict one.
"""
import hashlib
import json
import re
import socket
import time

import pytest

from harness import CHAT, key
from rawhttp import BODY, CHATS, HZ, Raw, chunked, chunked_post, post, send

GOES_ON, CLOSES = True, False
N = len(BODY)
LAST = HZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def get(path="/healthz", *lines, version="HTTP/1.1", host="Host: a"):
    return "\r\n".join([f"GET {path} {version}", *([host] if host else []), *lines, "", ""]).encode("latin-1")


def old(data):
    return data.replace(b"HTTP/1.1", b"HTTP/1.0")


ROWS = [
    # --- 9112 §2: messages ---
    ("9112 2.2", "a message is octets in a superset of ASCII", get("/healthz", "X: \xff\xe9"), [200], GOES_ON),
    ("9112 2.2", "a bare LF as line end is refused (choice)", b"GET /healthz HTTP/1.1\nHost: a\n\n", [400], CLOSES),
    ("9112 2.2", "a bare LF behind good lines (choice)",
     b"GET /healthz HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", [400], CLOSES),
    ("9112 2.2", "a bare CR in the request line is invalid",
     b"GET /heal\rthz HTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 2.2", "a bare CR in a field is invalid", get("/healthz", "X: a\rb"), [400], CLOSES),
    ("9112 2.2", "an empty line before the request line is ignored", b"\r\n" + get(), [200], GOES_ON),
    ("9112 2.2", "not endless empty lines (choice)", b"\r\n" * 100 + get(), [400], CLOSES),
    ("9112 2.2", "blanks before the first field: refuse",
     b"GET /healthz HTTP/1.1\r\n Host: a\r\nX: y\r\n\r\n", [400], CLOSES),
    ("9112 2.2", "blanks before the first field, as a folded request line",
     b"GET /healthz HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 2.2", "what is no HTTP request gets 400", b"EHLO there\r\n", [400], CLOSES),
    ("9112 2.3", "a higher minor version is answered as 1.1", get(version="HTTP/1.2"), [200], GOES_ON),
    ("9112 2.3", "HTTP-name is case-sensitive", get(version="Http/1.1"), [400], CLOSES),
    ("9112 2.3", "a version is one digit, a dot, one digit", get(version="HTTP/1.01"), [400], CLOSES),
    ("9112 2.3", "a version is one digit, a dot, one digit", get(version="HTTP/1"), [400], CLOSES),
    ("9110 15.6.6", "a major version that is not spoken: 505", get(version="HTTP/2.0"), [505], CLOSES),
    ("9110 15.6.6", "a major version that is not spoken: 505", get(version="HTTP/3.1"), [505], CLOSES),
    # --- 9112 §3: request line ---
    ("9112 3", "single blanks between the parts", b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3", "single blanks between the parts", b"GET\t/healthz\tHTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3", "no blank behind the version", b"GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3", "no blank before the method", b" GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3", "a blank in the target is not repaired", b"GET /heal thz HTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3", "request lines of 8000 octets are read", get("/" + "a" * 7980), [404], GOES_ON),
    ("9112 3", "a longer target than wanted: 414", get("/" + "a" * 9000), [414], CLOSES),
    ("9112 3.1", "a method is a token", b"G(T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3.1", "the method is case-sensitive", get().replace(b"GET", b"Get"), [405], GOES_ON),
    ("9112 3.2", "1.1 without Host: 400", get(host=""), [400], CLOSES),
    ("9112 3.2", "two Hosts: 400", get("/healthz", "Host: a"), [400], CLOSES),
    ("9112 3.2", "an invalid Host: 400", get(host="Host: a b"), [400], CLOSES),
    ("9112 3.2", "an invalid Host: 400", get(host="Host: a:port"), [400], CLOSES),
    ("9112 3.2", "1.0 without Host", get(version="HTTP/1.0", host=""), [200], CLOSES),
    ("9112 3.2", "two Hosts in 1.0", get("/healthz", "Host: b", version="HTTP/1.0"), [400], CLOSES),
    ("9112 3.2.1", "origin-form with a query", get("/healthz?x=1&y=/?"), [200], GOES_ON),
    ("9112 3.2.2", "absolute-form is accepted", get("http://localhost/healthz"), [200], GOES_ON),
    ("9112 3.2.2", "absolute-form is accepted, with a query and no path", get("http://127.0.0.1?x"), [401], GOES_ON),
    ("9112 3.2.2", "absolute-form still needs a Host", get("http://a/healthz", host=""), [400], CLOSES),
    ("9112 3.2.2", "of Host and absolute-form the target counts",
     get("http://127.0.0.1/", host="Host: evil.example"), [401], GOES_ON),
    ("9112 3.2.2", "of Host and absolute-form the target counts",
     get("http://evil.example/", host="Host: 127.0.0.1"), [421], GOES_ON),
    ("9112 3.2.3", "authority-form is for CONNECT only", get("a:80"), [400], CLOSES),
    ("9112 3.2.3", "CONNECT is not offered", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", [400], CLOSES),
    ("9112 3.2.4", "asterisk-form for OPTIONS", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [204], GOES_ON),
    ("9112 3.2.4", "asterisk-form for OPTIONS only", get("*"), [400], CLOSES),
    ("9110 4.2.4", "userinfo in the target is an error", get("http://user:pw@a/healthz"), [400], CLOSES),
    ("9110 4.2.1", "an empty host is invalid", get("http:///healthz"), [400], CLOSES),
    ("9110 7.1", "a fragment is never part of a target", get("/healthz#x"), [400], CLOSES),
    # --- 9112 §5: fields ---
    ("9112 5.1", "a blank before the colon: 400", get("/healthz", "X : y"), [400], CLOSES),
    ("9112 5.1", "a tab before the colon: 400", get("/healthz", "X\t: y"), [400], CLOSES),
    ("9112 5.1", "blanks around the value are no part of it", get(host="Host: \t a \t "), [200], GOES_ON),
    ("9112 5.1", "no blank is needed", get(host="Host:a"), [200], GOES_ON),
    ("9112 5.2", "obs-fold: 400", get("/healthz", "X: a", " b"), [400], CLOSES),
    ("9112 5.2", "obs-fold with a tab: 400", get("/healthz", "X: a", "\tb"), [400], CLOSES),
    ("9110 5.1", "a field name is a token", get("/healthz", "X[]: a"), [400], CLOSES),
    ("9110 5.1", "a field name is not empty", get("/healthz", ": a"), [400], CLOSES),
    ("9110 5.1", "a line without a colon is no field", get("/healthz", "nonsense"), [400], CLOSES),
    ("9110 5.1", "field names have no case", get("/healthz", "cONNECTION: close"), [200], CLOSES),
    ("9110 5.1", "unknown fields are ignored", get("/healthz", "X-Whatever: %s"), [200], GOES_ON),
    ("9110 5.5", "CR, LF and NUL in a value are invalid", get("/healthz", "X: a\0b"), [400], CLOSES),
    ("9110 5.5", "other controls (choice)", get("/healthz", "X: a\x01b"), [400], CLOSES),
    ("9110 5.5", "a tab inside a value is fine", get("/healthz", "X: a\tb"), [200], GOES_ON),
    ("9110 5.4", "larger fields than wanted: 4xx", get("/healthz", "X: " + "a" * 9000), [431], CLOSES),
    ("9110 5.6.1", "empty list elements are ignored", get("/healthz", "Connection: ,, close ,"), [200], CLOSES),
    # --- 9112 §6: framing ---
    ("9112 6.1", "Transfer-Encoding and Content-Length: refuse (choice), close",
     post(chunked(BODY), "Transfer-Encoding: chunked"), [400], CLOSES),
    ("9112 6.1", "Transfer-Encoding in 1.0 is faulty: close", old(chunked_post(chunked(BODY))), [400], CLOSES),
    ("9112 6.1", "an unknown coding: 501", post(BODY, "Transfer-Encoding: gzip, chunked", length=False), [501], CLOSES),
    ("9112 6.1", "chunked is not applied twice",
     post(BODY, "Transfer-Encoding: chunked, chunked", length=False), [400], CLOSES),
    ("9112 7", "coding names have no case",
     post(chunked(BODY), "Transfer-Encoding: CHUNKED", length=False), [200], GOES_ON),
    ("9112 6.3", "chunked is not the last coding: 400, close",
     post(BODY, "Transfer-Encoding: chunked, gzip", length=False), [400], CLOSES),
    ("9112 6.3", "chunked is not the last coding: 400, close",
     post(BODY, "Transfer-Encoding: gzip", length=False), [400], CLOSES),
    ("9112 6.3", "chunked is not the last coding: 400, close",
     post(BODY, "Transfer-Encoding: identity", length=False), [400], CLOSES),
    ("9112 6.3", "an invalid Content-Length: 400, close",
     post(BODY, "Content-Length: abc", length=False), [400], CLOSES),
    ("9112 6.3", "an invalid Content-Length: 400, close",
     post(BODY, "Content-Length: -1", length=False), [400], CLOSES),
    ("9112 6.3", "two Content-Lengths that differ: 400, close", post(BODY, f"Content-Length: {N + 1}"), [400], CLOSES),
    ("9112 6.3", "two that are equal (choice)", post(BODY, f"Content-Length: {N}"), [400], CLOSES),
    ("9110 8.6", "a list of equal lengths (choice)",
     post(BODY, f"Content-Length: {N}, {N}", length=False), [400], CLOSES),
    ("9110 8.6", "a length that overflows",
     post(BODY, "Content-Length: 18446744073709551617", length=False), [400], CLOSES),
    ("9112 6.3", "without both a request has no body", post(b"", length=False), [400], GOES_ON),  # no JSON
    ("9112 6.3", "a body on GET is framed as any other",
     get("/v1/files", f"Content-Length: {N}") + BODY, [200], GOES_ON),
    ("9112 9.3", "a body that is not read makes us close",
     get("/healthz", "Content-Length: 5") + b"hello", [200], CLOSES),
    ("9112 9.3", "a body that is not read makes us close",
     chunked_post(chunked(b"hello"), path="/nowhere"), [404], CLOSES),
    # --- 9112 §7: chunked ---
    ("9112 7.1", "chunked is parsed", chunked_post(chunked(BODY[:7], BODY[7:])), [200], GOES_ON),
    ("9112 7.1", "hexadecimal of either case", chunked_post(b"%X\r\n%s\r\n0\r\n\r\n" % (N, BODY)), [200], GOES_ON),
    ("9112 7.1", "leading zeros", chunked_post(b"000%x\r\n%s\r\n00\r\n\r\n" % (N, BODY)), [200], GOES_ON),
    ("9112 7.1", "sizes that overflow are anticipated", chunked_post(b"1" + b"0" * 16 + b"\r\nx"), [400], CLOSES),
    ("9112 7.1", "no size", chunked_post(b"\r\nx\r\n0\r\n\r\n"), [400], CLOSES),
    ("9112 7.1", "data longer than the size", chunked_post(b"1\r\nxx\r\n0\r\n\r\n"), [400], CLOSES),
    ("9112 7.1.1", "unknown chunk extensions are ignored",
     chunked_post(b"%x;a;b=c;d=\"e;\\\"f\"\r\n%s\r\n0;g\r\n\r\n" % (N, BODY)), [200], GOES_ON),
    ("9112 7.1.1", "their length is limited", chunked_post(b"1;" + b"a" * 5000 + b"\r\n{\r\n0\r\n\r\n"), [400], CLOSES),
    ("9112 7.1.2", "trailers are read and dropped",
     chunked_post(chunked(BODY)[:-2] + b"X: y\r\nContent-Length: 3\r\n\r\n"), [200], GOES_ON),
    ("9112 7.1.2", "a malformed trailer", chunked_post(chunked(BODY)[:-2] + b"X y\r\n\r\n"), [400], CLOSES),
    # --- 9112 §9: connections ---
    ("9112 9.3", "1.1 persists", get(), [200], GOES_ON),
    ("9112 9.3", "close is honoured", get("/healthz", "Connection: close"), [200], CLOSES),
    ("9112 9.3", "close in a list, in any case", get("/healthz", "Connection: x, CLOSE"), [200], CLOSES),
    ("9112 9.3", "close in a second line",
     get("/healthz", "Connection: keep-alive", "Connection: close"), [200], CLOSES),
    ("9112 9.3", "1.0 closes", get(version="HTTP/1.0"), [200], CLOSES),
    ("9112 9.3", "1.0 with keep-alive persists",
     get("/healthz", "Connection: Keep-Alive", version="HTTP/1.0"), [200], GOES_ON),
    ("9112 9.3.2", "pipelined requests are answered in order",
     get() + get("/nowhere") + get("/healthz"), [200, 404, 200], GOES_ON),
    ("9112 9.6", "nothing behind close is processed",
     get("/healthz", "Connection: close") + get("/nowhere"), [200], CLOSES),
    # --- 9110: methods, expectations, upgrades ---
    ("9110 9.1", "GET is supported", get("/v1/models"), [200], GOES_ON),
    ("9110 9.1", "a method not allowed here: 405", get(CHATS), [405], GOES_ON),
    ("9110 9.1", "a method nobody knows (choice: 405)", get().replace(b"GET", b"FROB"), [405], GOES_ON),
    ("9110 9.3.7", "OPTIONS", get(CHATS).replace(b"GET", b"OPTIONS"), [204], GOES_ON),
    ("9110 9.3.8", "TRACE is not offered", get().replace(b"GET", b"TRACE"), [405], GOES_ON),
    ("9110 10.1.1", "100-continue with the body already there needs no 100",
     post(BODY, "Expect: 100-continue"), [200], GOES_ON),
    ("9110 10.1.1", "its name has no case", post(BODY, "Expect: 100-Continue"), [200], GOES_ON),
    ("9110 10.1.1", "an expectation that can't be met: 417", post(BODY, "Expect: tea"), [417], CLOSES),
    ("9110 10.1.1", "in 1.0 it is ignored", old(post(BODY, "Expect: 100-continue")), [200], CLOSES),
    ("9110 10.1.1", "a final status instead of 100",
     get(CHATS, "Expect: 100-continue", "Content-Length: 5").replace(b"GET", b"BREW"), [405], CLOSES),
    ("9110 7.8", "Upgrade is ignored",
     get("/healthz", "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AA"), [200], GOES_ON),
    ("9110 7.8", "Upgrade is ignored", get("/healthz", "Connection: Upgrade", "Upgrade: websocket"), [200], GOES_ON),
    ("9110 8.4", "a content coding that is not supported: 415",
     post(b"\x1f\x8b", "Content-Encoding: gzip", "Connection: close"), [415], CLOSES),
    ("9110 14.2", "Range is ignored where there are no ranges", get("/healthz", "Range: bytes=0-3"), [200], GOES_ON),
    ("9110 13.1", "preconditions without validators are ignored",
     get("/healthz", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"), [200], GOES_ON),
]


@pytest.mark.parametrize("section, demand, data, statuses, goes_on", ROWS, ids=[f"{r[0]}: {r[1]}" for r in ROWS])
def test_rfc(shared, standin, section, demand, data, statuses, goes_on):
    found = send(shared, data + (HZ + LAST if goes_on else LAST))
    assert [a.status for a in found] == statuses + ([200, 200] if goes_on else [])
    last = found[-1]
    assert last.headers["connection"] == "close"
    for a in found[:-1]:
        assert a.headers.get("connection", "keep-alive") == "keep-alive"
    for a in found:
        check_answer(a)


def check_answer(a):
    """What every answer of ours has to fulfil."""
    if a.status == 405:
        assert a.headers["allow"], "9110 15.5.6: 405 MUST have Allow"
    if a.status == 401:
        assert "www-authenticate" in a.headers, "9110 15.5.2: 401 MUST have WWW-Authenticate"
    if a.status >= 200:
        assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
                            r"\d{4} \d\d:\d\d:\d\d GMT", a.headers["date"]), "9110 6.6.1: Date is an IMF-fixdate"
        when = time.mktime(time.strptime(a.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
        assert abs(when - time.time()) < 60
    if a.status < 200 or a.status == 204:
        assert not {"content-length", "transfer-encoding"} & set(a.headers), "9110 8.6, 9112 6.1"
    elif a.body:
        assert "content-type" in a.headers, "9110 8.3"
    assert "server" not in a.headers


def test_9110_9_3_2_head_is_get_without_content(shared):
    for path in ("/healthz", "/readyz", "/v1/models", "/nowhere", "/"):
        data = get(path, "Connection: close", host="Host: localhost")
        whole, bare = send(shared, data)[0], send(shared, data.replace(b"GET", b"HEAD"), heads=(0,))[0]
        assert bare.status == whole.status and set(bare.headers) == set(whole.headers)
        assert bare.headers["content-length"] == str(len(whole.body)) and bare.body == b""


def test_9112_6_1_no_transfer_encoding_for_1_0(shared):
    stream = json.dumps({**CHAT, "stream": True}).encode()
    for extra in ([], ["Connection: keep-alive"]):
        a, = send(shared, old(post(stream, *extra)))
        assert a.status == 200 and "transfer-encoding" not in a.headers and a.headers["connection"] == "close"
        assert a.body.endswith(b"data: [DONE]\n\n")


def test_9112_8_an_incomplete_request_is_not_acted_on(shared, standin):
    for data in (post(BODY[:-1], f"Content-Length: {N}", length=False), chunked_post(b"%x\r\n%s\r\n" % (N, BODY)),
                 chunked_post(b"%x\r\n%s" % (N, BODY[:-1])), chunked_post(chunked(BODY)[:-2]), post(BODY)[:40]):
        with Raw(shared, data) as w:
            w.sock.shutdown(socket.SHUT_WR)
            assert w.all() == b""
    assert standin.report()["totals"]["requests"] == 0


def test_9112_9_6_the_last_answer_reaches_a_client_that_still_sends(shared):
    """Closing with unread input would send RST, which can take the answer with it."""
    with Raw(shared, post(b"", f"Content-Length: {1 << 40}", length=False)) as w:
        w.say(b"x" * 60000)
        assert [a.status for a in w.answers()] == [413]


def test_9110_10_1_1_continue_is_sent_when_the_body_is_wanted(shared):
    with Raw(shared, post(b"", "Expect: 100-continue", f"Content-Length: {N}", length=False)) as w:
        first = w.answer()
        assert first.status == 100 and first.headers == {}
        w.say(BODY)
        assert w.answer(2).status == 200
    with Raw(shared, old(post(b"", "Expect: 100-continue", f"Content-Length: {N}", length=False))) as w:
        w.say(BODY)
        assert [a.status for a in w.answers()] == [200]  # no 1xx for 1.0 (15.2)


def test_9110_7_6_1_connection_options_are_not_forwarded(shared, standin):
    send(shared,
         post(BODY, "Connection: close, X-Trace-Id, accept", "X-Trace-Id: t", "Accept: a/b", "Keep-Alive: x",
              "TE: trailers",
                      "Upgrade: h2c", "Proxy-Connection: x"))
    names = {name.lower() for name, _ in standin.requests()[-1]["headers"]}
    assert not names & {"connection", "x-trace-id", "accept", "keep-alive", "te", "upgrade", "proxy-connection"}


def test_9110_15_2_interim_answers_of_the_platform_stay_there(shared, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"many_1xx": 3}})
    assert [a.status for a in send(shared, post(BODY, "Connection: close"))] == [200]


def test_9112_6_3_a_reply_cut_short_never_looks_complete(start, standin):
    p = start([key("k")])
    standin.rules({"match": {"stream": True}, "act": {"cut": 2}})
    with Raw(p, post(json.dumps({**CHAT, "stream": True}).encode())) as w:
        raw = w.all()
    assert b"Transfer-Encoding: chunked" in raw and not raw.endswith(b"0\r\n\r\n") and b'"error"' in raw


def test_the_body_upstream_is_framed_by_us(shared, standin):
    body = BODY + b" " * 5
    send(shared, chunked_post(chunked(*(body[i:i + 3] for i in range(0, len(body), 3))), "Connection: close"))
    row = standin.requests()[-1]
    fields = {n.lower(): v for n, v in row["headers"]}
    assert fields["content-length"] == str(len(body)) and "transfer-encoding" not in fields
    assert row["body_sha256"] == hashlib.sha256(body).hexdigest()
