"""The real binary between the stand-in upstream and real clients.

Standin and Proxy start processes on ports of their own and stop exactly those. `wait_until` polls with a deadline.
After each test conftest.py lets Proxy.close() look for filth: sanitizer reports, BUG lines, leases out, keys in
anything the process wrote.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal as signals
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
MODE = os.environ.get("MODE", "release")
BINARY = pathlib.Path(os.environ.get("SFPROXY", BUILD / MODE / "sfproxy"))
STANDIN = pathlib.Path(os.environ.get("STANDIN", BUILD / "standin"))
SLOW = {"release": 1, "debug": 1}.get(MODE, 4)
CANARY = "CANARY7f3e9b"  # part of every made-up key: must never be seen in what the program writes

CHAT = {"model": "Qwen/Qwen3-8B", "messages": [{"role": "user", "content": "hi"}]}


def key(name, n=0):
    """A made-up key, 50 characters long."""
    text = f"sk-{name}{n}{CANARY}"
    return text + "x" * (50 - len(text))


def wait_until(what, condition, seconds=20):
    """The condition's first true value; fails with the sentence after the deadline."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * SLOW} s: {what}")
        time.sleep(0.02)


def request(address, method, path, body=None, headers=None, timeout=60):
    """One request on a connection of its own: (status, headers, body)."""
    connection = http.client.HTTPConnection(*address, timeout=timeout * SLOW)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        head = {"Content-Type": "application/json"} if body is not None else {}
        head.update(headers or {})
        connection.request(method, path, body=body.encode() if isinstance(body, str) else body, headers=head)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


class Standin:
    """The stand-in upstream: see tests/upstream/README.md."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="standin-")
        portfile = pathlib.Path(self.dir, "port")
        self.process = subprocess.Popen([str(STANDIN), "--port", "0", "--portfile", str(portfile)],
                                        stdout=subprocess.DEVNULL)
        wait_until("the stand-in is up", lambda: portfile.exists() and portfile.read_text().strip())
        self.port = int(portfile.read_text())
        self.address = ("127.0.0.1", self.port)
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None):
        status, _, answer = request(self.address, method, "/_standin/" + path, body)
        assert status == 200, (status, answer)
        return json.loads(answer)

    def script(self, **script):
        return self.ask("POST", "script", script)

    def rules(self, *rules):
        return self.ask("POST", "rules", list(rules))

    def clear(self):
        return self.ask("POST", "clear", {})

    def reset(self):
        return self.ask("POST", "reset", {})

    def report(self, last=100):
        return self.ask("GET", f"report?last={last}")

    def requests(self, last=1000):
        """Rows of API requests, oldest first, tests of keys left out."""
        return [r for r in self.report(last)["requests"] if not r["path"].endswith(("/v1/models", "/user/info"))]

    def wait(self, timeout_ms=20000, **conditions):
        query = "&".join(f"{k}={v}" for k, v in conditions.items())
        answer = self.ask("GET", f"wait?{query}&timeout_ms={timeout_ms * SLOW}")
        assert answer["ok"], (conditions, answer)
        return answer

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


class Proxy:
    """One sfproxy process with its own state directory and configuration."""

    def __init__(self, upstream, keys=(), conf="", env=None, args=(), wait=True, state=None, tested=True):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sfproxy-"))
        self.state_dir = pathlib.Path(state) if state else self.dir / "state"
        self.conf_path = self.dir / "sfproxy.conf"
        self.socket_path = self.state_dir / "control.sock"
        self.log_path = self.dir / "stderr.log"
        self.upstream = upstream if isinstance(upstream, str) else upstream.url
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SFPROXY") and k not in ("KEYS", "PORT")}
        self.env.update({"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
                         "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
                         "TSAN_OPTIONS": "exitcode=98:halt_on_error=0",
                         "SFPROXY_MODELS_REFRESH": "0"})  # tests of the refresh ask for it
        self.env.update(env or {})
        self.args = list(args)
        self.write_conf(keys, conf)
        self.process = None
        self.expect_exit = 0
        self.expect_crash = False  # a signal was sent on purpose: a sanitizer's report of it is no finding
        self.start(wait and tested)

    def write_conf(self, keys, conf=""):
        lines = ["[server]", "listen = 127.0.0.1:0", "[upstream]", f"base_url = {self.upstream}", "[keys]"]
        lines += [k if "=" in k else f"k{i} = {k}" for i, k in enumerate(keys)]
        self.conf_path.write_text("\n".join(lines) + "\n" + conf + "\n")
        self.conf_path.chmod(0o600)

    def command(self, *args):
        return [str(BINARY), "-c", str(self.conf_path), "--state", str(self.state_dir), *map(str, args)]

    def start(self, tested=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("--headless", *self.args), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.env)
        wait_until("control.sock answers", self.is_up)
        address = self.snapshot()["listen"].split(",")[0]
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.url = f"http://{address}"
        self.base_url = self.url + "/v1"
        if tested:
            wait_until("the keys were tested", self.all_tested)

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"sfproxy ended with {self.process.returncode}: {self.log()}")
        try:
            return self.control("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def all_tested(self):
        keys = self.snapshot()["keys"]
        return all(k["state"] not in ("untested", "testing") for k in keys)

    # --- control.sock ---
    def control(self, method, path, body=None):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20 * SLOW)
        s.connect(str(self.socket_path))
        connection = http.client.HTTPConnection("localhost")
        connection.sock = s
        try:
            data = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, body=data)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def api(self, method, path, body=None, status=None):
        got, answer = self.control(method, "/admin/api/" + path, body)
        assert status is None and got < 300 or got == status, (got, answer)
        return json.loads(answer) if answer else None

    def snapshot(self):
        return self.api("GET", "snapshot")

    def key(self, label):
        return next(k for k in self.snapshot()["keys"] if k["label"] == label or k["id"] == label)

    # --- clients ---
    def request(self, method, path, body=None, headers=None, timeout=60):
        return request(self.address, method, path, body, headers, timeout)

    def chat(self, model="Qwen/Qwen3-8B", stream=False, headers=None, timeout=60, **more):
        return self.request("POST", "/v1/chat/completions", {**CHAT, "model": model, "stream": stream, **more}, headers,
                            timeout)

    def raw(self, data, timeout=20):
        """Sends bytes on a fresh connection, returns everything until the peer closes."""
        with socket.create_connection(self.address, timeout=timeout * SLOW) as s:
            s.sendall(data)
            out = b""
            while True:
                try:
                    part = s.recv(65536)
                except ConnectionResetError:
                    return out
                if not part:
                    return out
                out += part

    def cli(self, *args, **kwargs):
        return subprocess.run(self.command(*args), capture_output=True, text=True, env=self.env, timeout=60 * SLOW,
                              **kwargs)

    def wait_idle(self):
        """Nothing in flight, everything counted."""
        def idle():
            totals = self.snapshot()["totals"]
            return totals["in_flight"] == 0 and totals["leases"] == 0
        wait_until("nothing is in flight and no lease is out", idle)
        return self.snapshot()

    # --- process ---
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signals.SIGTERM, seconds=60):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds * SLOW)

    def close(self):
        """Stops it and looks for filth."""
        code = self.process.poll()
        if code is None:
            try:
                self.wait_idle()
            finally:
                code = self.stop()
        log = self.log()
        report = r"BUG: " if self.expect_crash else r"BUG: |ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:"
        assert not re.search(report, log), log
        assert code == self.expect_exit, f"exit code {code}: {log[-3000:]}"
        self.look_for_keys()
        shutil.rmtree(self.dir, ignore_errors=True)

    def look_for_keys(self):
        for path in self.dir.rglob("*"):
            if path.is_file() and path.name not in ("keys", "sfproxy.conf", "keys.txt"):
                assert CANARY.encode() not in path.read_bytes(), f"a key is in {path}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def events(body):
    """The data of each event of an event stream, parsed when it is JSON."""
    out = []
    for block in body.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                text = line[6:]
                out.append(json.loads(text) if text.startswith("{") else text)
    return out


def split_url(url):
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port


class Wire:
    """A client connection by hand: one request, then reading, going away, or reading nothing at all."""

    def __init__(self, proxy, body=None, path="/v1/chat/completions", headers="", send=None, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(30 * SLOW)
        self.sock.connect(proxy.address)
        self.got = bytearray()
        self.reset_seen = False
        if send is None:
            data = json.dumps(CHAT if body is None else body).encode()
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}"
            send = head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data
        self.sock.sendall(send)

    def read_until(self, text):
        while text not in self.got:
            part = self.sock.recv(65536)
            assert part, f"the connection ended before {text!r}: {self.got[-500:]!r}"
            self.got += part
        return self.got

    def read_all(self):
        while True:
            try:
                part = self.sock.recv(65536)
            except ConnectionResetError:
                self.reset_seen = True
                return self.got
            if not part:
                return self.got
            self.got += part

    def answer(self):
        """Reads one answer: (status, body without chunk framing, complete)."""
        self.read_until(b"\r\n\r\n")
        end = self.got.index(b"\r\n\r\n") + 4
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", self.got[:end])
        while len(self.got) < end + int(length[1]) if length else not self.got.endswith(b"\r\n0\r\n\r\n"):
            try:
                part = self.sock.recv(65536)
            except ConnectionResetError:
                break
            if not part:
                break
            self.got += part
        return self.parse()

    def parse(self):
        head, _, rest = bytes(self.got).partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if length:
            return status, rest, len(rest) == int(length[1])
        parts, at = [], 0
        while (line := rest.find(b"\r\n", at)) >= 0:
            n = int(rest[at:line], 16)
            if n == 0:
                return status, b"".join(parts), rest[line:] == b"\r\n\r\n"
            parts.append(rest[line + 2:line + 2 + n])
            at = line + 4 + n
        return status, b"".join(parts), False

    def leave(self, how):
        """fin: half closed; close: closed; rst: reset."""
        if how == "fin":
            self.sock.shutdown(socket.SHUT_WR)
            return
        if how == "rst":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


def load(proxy, count, clients=16, make=None, path="/v1/chat/completions"):
    """`count` requests by that many keep-alive clients; returns the (status, body) pairs. make(i) is the i-th body."""
    numbers, answers = iter(range(count)), []
    lock = threading.Lock()

    def client():
        connection = http.client.HTTPConnection(*proxy.address, timeout=60 * SLOW)
        while True:
            with lock:
                i = next(numbers, None)
            if i is None:
                break
            body = json.dumps(make(i) if make else CHAT)
            try:
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = response.status, response.read()
            except (OSError, http.client.HTTPException) as e:
                connection.close()
                answer = 0, repr(e).encode()
            with lock:
                answers.append(answer)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def error_of(answer):
    """The error object of an answer (status, headers, body) in OpenAI's form."""
    return json.loads(answer[2])["error"]
