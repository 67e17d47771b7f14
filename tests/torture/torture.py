"""`make torture`: every failing call is tested failing.

    MODE=debug python3 tests/torture/torture.py [--flows chat,stream] [--families buf,lib] [--most 60] [--only K] [-v]

For each flow and each family of calls: run the flow once and count the calls, then again for each k (a spread of --most of
them when there are more) with the k-th call failing, once. Afterwards, whatever failed:
  * the process lives; or it ended by the policy of base/mem.h, saying "sfproxy: out of memory" (allocations only); or,
    while it starts, with an exit code and a sentence;
  * every request got an answer or a closed connection within its deadline, and one that looks finished is whole;
  * nothing is in flight, no lease is out, and requests and commands work as before;
  * no BUG line, nothing of a sanitizer, no key in anything written.
A violation is printed with the call stack of the call that failed."""

import argparse
import collections
import http.client
import json
import mmap
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import harness  # noqa: E402

FAMILIES = ["buf", "lib", "x", "open", "write", "sync", "socket", "accept", "epoll", "thread", "curl"]  # enum family
MEMORY, SANITIZERS = {"buf", "lib", "x"}, {"asan", "tsan"}
BY_POLICY = {"lib", "x"}  # an allocation in a library may be one inside an x-function: vasprintf(), reallocarray()
POLICY = "sfproxy: out of memory"
FILTH = ("BUG: ", "Sanitizer", "runtime error:")
STACK_MAX, OWN_MAX, DEADLINE_S, KEYS, X_MOST = 24, 16, 20, 6, 5
LIBRARY = pathlib.Path(os.environ.get("FAIL_NTH_SO", harness.BUILD / harness.MODE / "fail_nth.so"))


class Violation(Exception):
    pass


class Board:
    """struct board of fail_nth.c."""
    HEAD, FIELDS = 8, ["count", "nth", "failed", "base", "depth"]

    def __init__(self, binary):
        self.binary = binary
        self.file = tempfile.NamedTemporaryFile(prefix="fail-nth-")
        self.file.truncate(mmap.PAGESIZE)
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        own = self.policy_functions()
        at = self.HEAD + 8 * (len(self.FIELDS) + STACK_MAX)
        struct.pack_into(f"<Q{2 * len(own)}Q", self.map, at, len(own), *[x for pair in own for x in pair])

    def policy_functions(self):
        rows = [r.split() for r in subprocess.check_output(["nm", "-S", self.binary], text=True).splitlines()]
        names = {"xmalloc", "xcalloc", "xrealloc", "xstrdup", "xstrndup", "xasprintf"}
        found = [(int(r[0], 16), int(r[0], 16) + int(r[1], 16)) for r in rows if len(r) == 4 and r[3] in names]
        assert 4 <= len(found) <= OWN_MAX, found
        return found

    def __getattr__(self, name):
        if name not in self.FIELDS:
            raise AttributeError(name)
        return struct.unpack_from("<Q", self.map, self.HEAD + 8 * self.FIELDS.index(name))[0]

    def arm(self, family, nth):
        struct.pack_into("<II5Q", self.map, 0, 0, 1 << FAMILIES.index(family), 0, nth, 0, self.base, 0)
        struct.pack_into("<I", self.map, 0, 1)

    def disarm(self):
        struct.pack_into("<I", self.map, 0, 0)

    def stack(self):
        """Where it failed: our own functions by name, innermost first."""
        at = self.HEAD + 8 * len(self.FIELDS)
        addresses = [a - self.base - 1 for a in struct.unpack_from(f"<{self.depth}Q", self.map, at)]
        named = subprocess.run(["addr2line", "-sfe", self.binary, *[hex(max(0, a)) for a in addresses]], text=True,
                               capture_output=True).stdout.split("\n")
        calls = [f"{f} {line}" for f, line in zip(named[::2], named[1::2]) if not line.startswith("?")]
        return " < ".join(calls[:8]) or "only libraries"


class Patient(harness.Proxy):
    """A proxy with the library in it, whose death is no surprise."""

    def __init__(self, standin, board, conf=""):
        self.board = board
        preload = f"{sanitizer_runtime()}{LIBRARY}"
        super().__init__(standin, [harness.key("torture", n) for n in range(KEYS)], conf, tested=False,
                         env={"LD_PRELOAD": preload, "FAIL_NTH": board.file.name})

    def start(self, tested=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("--headless"), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env)
        wait_for("sfproxy is up or gone", lambda: not self.lives() or self.answers())
        if self.lives():
            self.learn_address()

    def learn_address(self):
        for _ in range(5):  # the one failing call may be this one's
            try:
                host, port = self.snapshot()["listen"].split(",")[0].rsplit(":", 1)
                self.address = (host, int(port))
                return
            except (OSError, http.client.HTTPException, ValueError, AssertionError):
                if self.dies():
                    return
        raise Violation("control.sock gives no snapshot")

    def lives(self):
        return self.process.poll() is None

    def dies(self, seconds=0.1):
        """An aborting process closes its sockets before it can be waited for."""
        try:
            return self.process.wait(seconds * harness.SLOW) is not None
        except subprocess.TimeoutExpired:
            return False

    def answers(self):
        try:
            return self.control("GET", "/healthz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def check_writings(self):
        log = self.log()
        for word in FILTH:
            if word in log:
                raise Violation(f"it wrote {next(line for line in log.splitlines() if word in line)[:300]}")
        self.look_for_keys()

    def check_death(self, family, starting):
        code = self.process.wait(DEADLINE_S)
        self.check_writings()
        if code == -signal.SIGABRT and family in BY_POLICY and POLICY in self.log():
            return "ended by policy"
        if starting and code > 0 and self.log().strip():
            return "refused to start"
        raise Violation(f"ended with {code}: {self.log()[-400:]}")

    def end(self):
        """Stops it cleanly if it lives, throws its folder away."""
        try:
            if self.lives():
                code = self.stop(seconds=DEADLINE_S)
                if code:
                    raise Violation(f"SIGTERM ended it with {code}: {self.log()[-400:]}")
            self.check_writings()
        finally:
            if self.lives():
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)


def sanitizer_runtime():
    """It must come first; with it, the library has no memory functions."""
    if harness.MODE not in SANITIZERS:
        return ""
    return subprocess.check_output(["gcc", f"-print-file-name=lib{harness.MODE}.so"], text=True).strip() + " "


def wait_for(what, condition, seconds=DEADLINE_S):
    deadline = time.monotonic() + seconds * harness.SLOW
    while not condition():
        if time.monotonic() > deadline:
            raise Violation(f"not within {seconds * harness.SLOW} s: {what}")
        time.sleep(0.01)


# --- flows: each returns a word for what the client saw; a timeout is a hang ---

def asked(ask):
    """The outcome of ask(), which may be a lost connection but not silence."""
    try:
        return ask()
    except TimeoutError:
        raise Violation(f"no answer within {DEADLINE_S} s") from None
    except (OSError, http.client.HTTPException) as e:
        return "cut off" if isinstance(e, http.client.IncompleteRead) else "closed"


def chat(p, whole, stream=False):
    status, _, body = p.chat(stream=stream, timeout=DEADLINE_S)
    if status != 200:
        return f"{status} {json.loads(body)['error']['code']}"
    if stream and b"data: [DONE]" not in body:
        if b'"error"' not in body:
            raise Violation(f"a stream without its end looks finished: {body[-200:]!r}")
        return "200 with an error event"
    content = content_of(body, stream)
    if whole and content != whole:
        raise Violation(f"the answer is not whole: {body[:300]!r}")
    return "200"


def content_of(body, stream):
    if not stream:
        return json.loads(body)["choices"][0]["message"]["content"]
    return "".join(e["choices"][0]["delta"].get("content") or "" for e in harness.events(body)
                   if isinstance(e, dict) and e.get("choices"))


def flow_chat(p, s):
    return asked(lambda: chat(p, s.whole))


def flow_stream(p, s):
    return asked(lambda: chat(p, s.whole, stream=True))


def flow_failover(p, s):
    s.rules({"match": {"path": "/v1/chat/completions"}, "times": 1, "act": {"preset": "429_rpm"}})
    return asked(lambda: chat(p, s.whole))


def flow_abort(p, s):
    s.rules({"match": {"stream": True}, "times": 1, "act": {"chunks": 200, "chunk_interval_ms": 10}})

    def refused(w):
        status, body, _ = w.answer()
        return f"{status} {json.loads(body)['error']['code']}"

    def leave():
        w = harness.Wire(p, {**harness.CHAT, "stream": True})
        w.sock.settimeout(DEADLINE_S)
        try:
            if not w.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 "):
                return refused(w)
            w.read_until(b"data: ")
        except AssertionError:
            return "closed"
        finally:
            w.leave("rst")
        return "left"
    return asked(leave)


def control(p, method, path, body=None):
    def ask():
        status, answer = p.control(method, "/admin/api/" + path, body)
        return f"{status}", answer
    result = asked(ask)
    return result if isinstance(result, tuple) else (result, b"")


def flow_key(p, s):
    status, _ = control(p, "POST", "keys", harness.key("extra"))
    extra = [k["id"] for k in json.loads(control(p, "GET", "keys")[1] or "{}").get("keys", []) if not k["from_file"]]
    for i in extra:
        status += " " + control(p, "POST", f"keys/{i}/test")[0] + " " + control(p, "DELETE", f"keys/{i}")[0]
    return status


def flow_reload(p, s):
    s.turn += 1
    p.write_conf([harness.key("torture", n) for n in range(KEYS)], f"[models]\nban = nobody/m{s.turn}\n")
    return control(p, "POST", "reload")[0]


def flow_page(p, s):
    status, body = control(p, "GET", "snapshot")
    if status == "200":
        json.loads(body)
    for path in ("/", "/style.css", "/v1/models"):
        status += " " + str(asked(lambda: p.request("GET", path, timeout=DEADLINE_S)[0]))
    return status


FLOWS = {"chat": flow_chat, "stream": flow_stream, "failover": flow_failover, "abort": flow_abort, "key": flow_key,
         "reload": flow_reload, "page": flow_page, "start": None}


# --- the runs ---

class Ward:
    """The stand-in, the board, and the process that is tortured as long as it lives."""

    def __init__(self):
        self.standin = harness.Standin()
        self.standin.turn, self.standin.whole = 0, None
        self.board = Board(str(harness.BINARY))
        self.patient = None
        self.outcomes, self.violations, self.runs = collections.Counter(), [], 0

    def fresh(self):
        p = Patient(self.standin, self.board)
        wait_for("the keys were tested", p.all_tested)
        self.patient = p
        if not self.standin.whole:
            self.standin.whole = content_of(p.chat()[2], False)

    def recovered(self):
        """As good as new: nothing left over, everything works."""
        p, s = self.patient, self.standin
        s.clear()
        wait_for("control.sock answers", p.answers)
        wait_for("nothing is in flight, no lease is out", lambda: all(
            p.snapshot()["totals"][k] == 0 for k in ("in_flight", "leases")))
        for k in p.snapshot()["keys"]:
            p.api("POST", f"keys/{k['id']}/reset")
            if not k["from_file"]:
                p.api("DELETE", f"keys/{k['id']}")
        for stream in (False, True):
            answers = []
            try:
                wait_for("a request works", lambda: not p.lives() or answers.append(
                    asked(lambda: chat(p, s.whole, stream))) or answers[-1] == "200")
                if p.dies(0):
                    raise Violation(f"it ended with {p.process.returncode} afterwards")
            except Violation as e:
                raise Violation(f"{e}; stream {stream}: {collections.Counter(answers)}; {p.log()[-600:]}") from None
        p.check_writings()

    def once(self, flow, family, nth):
        """One run; returns what came of it."""
        if not self.patient:
            self.fresh()
        self.board.arm(family, nth)
        try:
            outcome = FLOWS[flow](self.patient, self.standin)
        finally:
            self.board.disarm()
        if self.died():
            outcome = self.patient.check_death(family, False)
            self.discard()
        else:
            self.recovered()
        return outcome

    def died(self):
        return self.patient.dies(0.02) or (not self.patient.answers() and self.patient.dies(DEADLINE_S))

    def start_and_stop(self, family, nth):
        self.board.arm(family, nth)
        p = None
        try:
            p = self.patient = Patient.__new__(Patient)
            p.__init__(self.standin, self.board)
            outcome = "started"
            if p.lives():
                asked(lambda: chat(p, self.standin.whole))
                p.signal(signal.SIGTERM)
                wait_for("SIGTERM ends it", lambda: not p.lives())
        finally:
            self.board.disarm()
        if p.process.returncode:
            outcome = p.check_death(family, True)
        self.discard()
        return outcome

    def discard(self):
        p, self.patient = self.patient, None
        if p:
            p.end()

    def run(self, flow, family, nth):
        once = self.start_and_stop if flow == "start" else lambda f, n: self.once(flow, f, n)
        return once(family, nth)

    def torture(self, flow, family, most, only, verbose):
        self.run(flow, family, 0)
        total, failed = self.board.count, 0
        most = min(most, X_MOST) if family == "x" else most
        turns = range(1, total + 1) if total <= most else sorted({1 + i * (total - 1) // (most - 1) for i in range(most)})
        seen = collections.Counter()
        for k in [only] if only else turns:
            try:
                seen[self.run(flow, family, k)] += 1
                if verbose:
                    print(f"    {k}: {self.board.stack() if self.board.failed else 'not reached'}")
            except (Violation, AssertionError, OSError, ValueError, http.client.HTTPException) as e:
                self.violations.append(f"{flow} {family} {k}: {type(e).__name__} {e}\n      at {self.board.stack()}")
                print("    " + self.violations[-1], flush=True)
                self.bury()
            failed += self.board.failed
        self.runs += failed
        print(f"{flow:9} {family:7} {total:6} calls, {failed:3} failed: "
              + ", ".join(f"{n} x {o}" for o, n in seen.most_common()), flush=True)

    def bury(self):
        p, self.patient = self.patient, None
        if p and getattr(p, "process", None):
            p.process.kill()
            p.process.wait()
            shutil.rmtree(p.dir, ignore_errors=True)

    def close(self):
        try:
            self.discard()
        except Violation as e:
            self.violations.append(f"at the end: {e}")
        self.standin.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", default=",".join(FLOWS))
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--only", type=int, help="this k only")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the stack of each failed call")
    options = parser.parse_args()
    socket.setdefaulttimeout(DEADLINE_S * harness.SLOW)
    families = [f for f in options.families.split(",") if harness.MODE not in SANITIZERS or f not in MEMORY]
    ward = Ward()
    try:
        for flow in options.flows.split(","):
            for family in families:
                ward.torture(flow, family, options.most, options.only, options.verbose)
            if ward.patient:
                ward.discard()
    finally:
        ward.close()
    print(f"{ward.runs} calls failed one at a time, {len(ward.violations)} violations")
    return 1 if ward.violations else 0


if __name__ == "__main__":
    sys.exit(main())
