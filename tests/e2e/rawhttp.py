"""Requests and answers as bytes, for tests of the protocol itself."""
import collections
import json
import os
import select
import socket

from harness import CHAT, SLOW

Answer = collections.namedtuple("Answer", "status headers body")
CHATS = "/v1/chat/completions"
BODY = json.dumps(CHAT).encode()
HZ = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"  # what a smuggler would like to have answered


def post(body=BODY, *headers, path=CHATS, length=True):
    """A POST request as bytes; `headers` are lines."""
    lines = [f"POST {path} HTTP/1.1", "Host: a", "Content-Type: application/json", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def chunked_post(framed, *headers, path=CHATS):
    return post(framed, "Transfer-Encoding: chunked", *headers, path=path, length=False)


def one_answer(data, head_only):
    """(Answer, rest). Fails when the bytes are no well-formed answer, or break off."""
    head, end, rest = data.partition(b"\r\n\r\n")
    assert end, f"the head breaks off: {data[:300]!r}"
    first, *lines = head.split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    assert version == b"HTTP/1.1" and len(status) == 3, first
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        assert colon and name and not name.endswith(b" "), line
        key = name.decode().lower()
        assert key not in ("content-length", "transfer-encoding") or key not in headers, lines
        headers[key] = value.strip().decode("latin-1")
    status = int(status)
    assert not ("content-length" in headers and "transfer-encoding" in headers), lines
    if head_only or status < 200 or status in (204, 304):
        return Answer(status, headers, b""), rest
    if "transfer-encoding" in headers:
        body = b""
        while True:
            size, end, rest = rest.partition(b"\r\n")
            n = int(size, 16)
            assert end and rest[n:n + 2] == b"\r\n", rest[:100]
            body, rest = body + rest[:n], rest[n + 2:]
            if n == 0:
                return Answer(status, headers, body), rest
    if "content-length" in headers:
        n = int(headers["content-length"])
        assert len(rest) >= n, f"the body breaks off: {len(rest)} of {n}"
        return Answer(status, headers, rest[:n]), rest[n:]
    return Answer(status, headers, rest), b""


def answers_in(data, heads=()):
    """All answers in these bytes; `heads`: numbers of the requests that were HEAD."""
    out = []
    while data:
        answer, data = one_answer(data, len([a for a in out if a.status >= 200]) in heads)
        out.append(answer)
    return out


class Raw:
    """A connection by hand."""

    def __init__(self, proxy, data=b"", rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(20 * SLOW)
        self.sock.connect(proxy.address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.ended = False
        if data:
            self.sock.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def heard(self, seconds=0.0):
        """Reads what is there, waiting so long at most; True when there was something, or the end."""
        if self.ended or not select.select([self.sock], [], [], seconds)[0]:
            return self.ended
        try:
            part = self.sock.recv(1 << 16)
        except ConnectionResetError:
            part = b""
        self.got += part
        self.ended = not part
        return True

    def say(self, data):
        """False: the peer has closed."""
        try:
            self.sock.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def all(self):
        """Everything up to the end of the connection."""
        while not self.ended:
            assert self.heard(20 * SLOW), f"the connection stays open: {self.got[-300:]!r}"
        return self.got

    def answers(self, **more):
        return answers_in(self.all(), **more)

    def answer(self, count=1):
        """The next `count` answers on a connection that stays open; the last one."""
        while True:
            try:
                found = answers_in(self.got)
                if len(found) >= count:
                    return found[count - 1]
            except (AssertionError, ValueError):
                pass
            assert not self.ended and self.heard(20 * SLOW), self.got[-300:]


def send(proxy, data, **more):
    """These bytes on a fresh connection, which the proxy has to close: the answers."""
    with Raw(proxy, data) as r:
        return r.answers(**more)


def code_of(answer):
    return json.loads(answer.body)["error"]["code"]


# --- the process ---

def memory(proxy, field="VmRSS"):
    """Bytes. A sanitizer keeps freed memory for itself, so that a bound means nothing there: 0."""
    if SLOW != 1:
        return 0
    with open(f"/proc/{proxy.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field)) * 1024


def cpu_seconds(proxy):
    with open(f"/proc/{proxy.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
