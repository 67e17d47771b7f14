"""What can go wrong around the process (docs/testing-catalogue.md, part D): disks, files, signals, rights, the binary."""
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading

import pytest

from harness import BINARY, BUILD, CANARY, CHAT, MODE, SLOW, Proxy, Wire, key, load, wait_until
from rawhttp import Raw

CHATS = "/v1/chat/completions"
NOBODY = 65534
RELEASE = BUILD / "release/sfproxy"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to become another user")
NEEDS_RELEASE = pytest.mark.skipif(not RELEASE.exists(), reason="no release binary is built")


def run(*args, cwd, env=None, prefix=(), binary=BINARY, timeout=20, **more):
    """One sfproxy to its end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SFPROXY") and k not in ("KEYS", "PORT", "HOME")}
    return subprocess.run([*prefix, str(binary), *map(str, args)], capture_output=True, timeout=timeout * SLOW, cwd=cwd,
                          env={**clean, **(env or {})}, stdin=subprocess.DEVNULL, **more)


def alarm(p):
    return p.snapshot()["alarm"]


def add_key(p, name, n=0):
    done = p.cli("keys", "add", input=f"{name}{n} = {key(name, n)}\n")
    assert done.returncode == 0, done.stderr


def kept(p):
    path = p.state_dir / "keys"
    return path.read_text() if path.exists() else ""


# --- D3 ---
@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)],
                                           capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def disturbed_and_recovered(p, standin, hurt, heal):
    """Requests go on while nothing can be written, it is said, and what was not saved is saved afterwards."""
    add_key(p, "before")
    wait_until("it is on the disk", lambda: key("before") in kept(p))
    hurt()
    add_key(p, "during")
    wait_until("the alarm is shown", lambda: alarm(p))
    assert "disk" in alarm(p) and CANARY not in alarm(p)
    standin.rules({"match": {"path": CHATS, "every": 10}, "act": {"preset": "429_rpm", "headers": {"Retry-After": "1"}}})
    answers = load(p, 200, clients=8)
    assert {status for status, _ in answers} <= {200, 429} and len(answers) == 200
    assert key("during") not in kept(p) and key("before") in kept(p), "half a file"
    assert alarm(p)
    heal()
    add_key(p, "after")
    wait_until("all of it is on the disk", lambda: key("during") in kept(p) and key("after") in kept(p))
    wait_until("the alarm is over", lambda: "dropped" in (alarm(p) or "dropped"))
    p.stop()
    with sqlite3.connect(p.state_dir / "state.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM request").fetchone() == (200,), "requests waited in memory meanwhile"
        assert db.execute("SELECT sum(requests) FROM day_total").fetchone() == (200,)


def test_D3_disk_full(start, standin, small_disk):
    p = start([key("k", n) for n in range(3)], f"[log]\nfile = {small_disk}/log\nlevel = debug\n", state=small_disk / "state")

    def fill():
        with open(small_disk / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
    disturbed_and_recovered(p, standin, fill, (small_disk / "filler").unlink)
    assert CANARY.encode() not in (small_disk / "log").read_bytes()


def test_D3_no_file_may_grow(start, standin):
    """The limit of the process on the size of files: EFBIG, and a signal whose default is death."""
    p = start([key("k", n) for n in range(3)])
    hard = resource.prlimit(p.process.pid, resource.RLIMIT_FSIZE)[1]
    disturbed_and_recovered(p, standin, lambda: resource.prlimit(p.process.pid, resource.RLIMIT_FSIZE, (0, hard)),
                            lambda: resource.prlimit(p.process.pid, resource.RLIMIT_FSIZE, (hard, hard)))


# --- D4 ---
@pytest.fixture
def nobodys():
    """A directory that the user nobody owns and can reach."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sfproxy-nobody-"))
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def nobodys_conf(folder, mode=0o600):
    path = folder / "sfproxy.conf"
    path.write_text(f"[server]\nlisten = 127.0.0.1:0\n[upstream]\nbase_url = http://127.0.0.1:1\n[keys]\na = {key('a')}\n")
    path.chmod(mode)
    os.chown(path, NOBODY, NOBODY)
    return path


@ROOT_ONLY
@pytest.mark.parametrize("case", ["directory", "parent", "of root", "database", "lock", "keys"])
def test_D4_read_only_state(nobodys, case):
    conf, state = nobodys_conf(nobodys), nobodys / "up/state"
    state.mkdir(parents=True, mode=0o700)
    if case == "parent":
        state.rmdir()
    if case in ("database", "lock", "keys"):
        path = state / {"database": "state.db", "lock": "lock", "keys": "keys"}[case]
        path.write_bytes(b"something that must not be passed over")
        path.chmod(0o600)  # of root
    if case != "of root":
        for path in (nobodys / "up", state):
            os.chown(path, NOBODY, NOBODY) if path.exists() else None
    if case in ("directory", "parent"):
        (state if case == "directory" else nobodys / "up").chmod(0o500)
    done = run("-c", conf, "--state", state, "--headless", cwd=nobodys, prefix=AS_NOBODY)
    said = done.stderr.decode()
    assert done.returncode in (1, 2) and "Permission denied" in said and str(nobodys / "up") in said, (done.returncode, said)
    assert CANARY not in said and "Sanitizer" not in said


@ROOT_ONLY
def test_D4_no_home(nobodys):
    done = run("-c", nobodys_conf(nobodys), "--headless", cwd=nobodys, prefix=AS_NOBODY, env={"HOME": "/nonexistent"})
    said = done.stderr.decode()
    assert done.returncode in (1, 2) and "/nonexistent" in said, said


@ROOT_ONLY
def test_D4_a_configuration_it_may_not_read(nobodys):
    conf = nobodys_conf(nobodys)
    conf.chmod(0)
    done = run("-c", conf, "check", cwd=nobodys, prefix=AS_NOBODY)
    assert done.returncode == 2 and str(conf) in done.stderr.decode() and b"Permission denied" in done.stderr


# --- D5 ---
def over(start, data):
    def spoil(path):
        with open(path, "r+b") as f:
            f.seek(start)
            f.write(data)
    return spoil


def tables(*statements):
    def spoil(path):
        with sqlite3.connect(path) as db:
            for s in statements:
                db.execute(s)
        db.close()
    return spoil


RANDOM = random.Random(7)
SPOILT = {"empty": lambda p: p.write_bytes(b""), "one_byte": lambda p: p.write_bytes(b"S"),
          "text": lambda p: p.write_text("this is no database\n" * 500), "zeros": lambda p: p.write_bytes(b"\0" * 65536),
          "noise": lambda p: p.write_bytes(RANDOM.randbytes(65536)), "header": over(0, RANDOM.randbytes(100)),
          "half_a_page": lambda p: os.truncate(p, 2048), "one_page": lambda p: os.truncate(p, 4096),
          "page_2": over(4096, RANDOM.randbytes(4096)), "page_3": over(8192, RANDOM.randbytes(4096)),
          "all_but_page_1": over(4096, RANDOM.randbytes(1 << 16)),
          "foreign": lambda p: (p.unlink(), tables("CREATE TABLE bookmarks(url)", "INSERT INTO bookmarks VALUES (1)")(p)),
          "wal": lambda p: p.with_name("state.db-wal").write_bytes(RANDOM.randbytes(40000)),
          "shm": lambda p: p.with_name("state.db-shm").write_bytes(RANDOM.randbytes(32768))}


@pytest.fixture(scope="module")
def full_state(tmp_path_factory, standin_process):
    """A state directory with a run-time key, a key switched off and a ban in it."""
    p = Proxy(standin_process, [key("k", n) for n in range(3)])
    add_key(p, "added")
    p.api("POST", f"keys/{p.key('k0')['id']}/disable")
    p.api("POST", "models/ban", {"model": "a/b"})
    p.stop()
    folder = tmp_path_factory.mktemp("state") / "state"
    shutil.copytree(p.state_dir, folder)
    p.close()
    return folder


@pytest.mark.parametrize("how", list(SPOILT))
def test_D5_a_damaged_database(start, full_state, tmp_path, how):
    """It starts, serves, keeps the keys file, deletes nothing, says so, and works at the next start too."""
    state = tmp_path / "state"
    shutil.copytree(full_state, state)
    SPOILT[how](state / "state.db")
    spoilt = (state / "state.db").read_bytes()
    p = start([key("k", n) for n in range(3)], state=state)
    assert p.chat()[0] == 200 and p.key("added0")
    aside = [f for f in state.iterdir() if ".corrupt-" in f.name and not f.name.endswith(("-wal", "-shm"))]
    if aside:
        assert aside[0].read_bytes() == spoilt and "corrupt" in p.log() and aside[0].stat().st_mode & 0o777 == 0o600
    elif how not in ("empty", "one_byte", "wal", "shm", "page_2", "page_3"):
        raise AssertionError(f"neither set aside nor known to be harmless: {sorted(os.listdir(state))}")
    p.api("POST", f"keys/{p.key('k1')['id']}/disable")
    p.stop()
    with sqlite3.connect(state / "state.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    p.start()
    assert p.key("k1")["state"] == "off" and p.chat()[0] == 200


def test_D5_a_newer_database_is_refused(full_state, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(full_state, state)
    tables("PRAGMA user_version = 99")(state / "state.db")
    before = (state / "state.db").read_bytes()
    conf = tmp_path / "sfproxy.conf"
    conf.write_text("[server]\nlisten = 127.0.0.1:0\n")
    done = run("-c", conf, "--state", state, "--headless", cwd=tmp_path)
    assert done.returncode in (1, 2) and b"newer" in done.stderr and b"state.db" in done.stderr
    assert (state / "state.db").read_bytes() == before and not list(state.glob("*.corrupt-*"))


# --- D6 ---
def odd_file(path, how):
    good = f"[server]\nlisten = 127.0.0.1:0\n[keys]\na = {key('a')}\n"
    if how == "loop":
        path.symlink_to(path.name)
    elif how == "directory":
        path.mkdir()
    elif how == "fifo":
        os.mkfifo(path)
    elif how == "device":
        path.symlink_to("/dev/zero")
    elif how == "dangling":
        path.symlink_to("nowhere")
    elif how == "huge":
        path.write_bytes(b"# comment\n" * (17 << 20 >> 3))
    else:
        path.write_bytes({"not utf-8": good.encode() + b"\xff\xfe = \xff\n", "nul": good.encode() + b"[pool]\nstra\0tegy = x\n",
                          "utf-16": good.encode("utf-16"), "binary": RANDOM.randbytes(5000),
                          "key outside": f"{key('a')}\n".encode(), "one long line": b"a" * (1 << 20),
                          "no section": b"listen = 1\n"}[how])


@pytest.mark.parametrize("how", ["loop", "directory", "fifo", "device", "dangling", "huge", "not utf-8", "nul", "utf-16",
                                 "binary", "key outside", "one long line", "no section"])
@pytest.mark.parametrize("what", ["conf", "keys_file"])
def test_D6_odd_files(tmp_path, what, how):
    path = tmp_path / "odd"
    odd_file(path, how)
    conf = path
    if what == "keys_file":
        conf = tmp_path / "sfproxy.conf"
        conf.write_text(f"[server]\nlisten = 127.0.0.1:0\n[pool]\nkeys_file = {path}\n")
        conf.chmod(0o600)
    done = run("-c", conf, "check", cwd=tmp_path, env={"HOME": str(tmp_path)})
    said = done.stderr.decode()
    if what == "keys_file" and how in ("key outside", "not utf-8"):
        assert done.returncode in (0, 2), said
    else:
        assert done.returncode == 2 and "odd" in said, said
    assert CANARY not in said + done.stdout.decode() and "Sanitizer" not in said
    assert len(said) < 100000 and "\0" not in said and "\x1b" not in said


def test_D6_others_can_read_the_keys(tmp_path):
    conf = tmp_path / "sfproxy.conf"
    conf.write_text(f"[keys]\na = {key('a')}\n")
    for mode, warned in ((0o600, False), (0o640, True), (0o604, True), (0o666, True)):
        conf.chmod(mode)
        done = run("-c", conf, "check", cwd=tmp_path, env={"HOME": str(tmp_path)})
        assert done.returncode == 0 and (b"chmod 600" in done.stderr) == warned, (oct(mode), done.stderr)


# --- D7 ---
STATE_FILES = {"lock", "keys", "state.db", "state.db-wal", "state.db-shm", "control.sock", "admin.token"}


def test_D7_the_keys_file_is_whole_after_kill_9(start):
    """Twenty kills while keys are added: each line is a whole key, what was there stays, no temporary file is read."""
    p = start([])
    known, before = set(), set()
    for n in range(20):
        stop = threading.Event()

        def add():
            i = 0
            while not stop.is_set():
                text = "".join(f"r{n}x{i}y{j} = {key(f'r{n}x{i}y', j)}\n" for j in range(20))
                known.update(key(f"r{n}x{i}y", j) for j in range(20))
                try:
                    p.control("POST", "/admin/api/keys", text)
                except OSError:
                    return
                i += 1
                if i == 5:
                    return
        thread = threading.Thread(target=add)
        thread.start()
        stop.wait(RANDOM.random() * 0.15)
        p.process.kill()
        p.process.wait()
        stop.set()
        thread.join()
        now = set(re.findall(r"sk-\S+", kept(p)))
        assert now <= known and before <= now, (n, now - known, len(before - now))
        assert not kept(p) or kept(p).endswith("\n")
        before = now
        if n % 5 == 4 or n < 2:
            assert (p.state_dir / "keys").stat().st_mode & 0o777 == 0o600 if now else True
        (p.state_dir / "keys.tmp").write_text(key("half"))
        p.start(tested=False)
        assert len(p.snapshot()["keys"]) == len(now)
    assert {f.name for f in p.state_dir.iterdir()} <= STATE_FILES
    assert before, "nothing was ever saved, so this tested nothing"


# --- D11 ---
def can_inject():
    return bool(shutil.which("strace")) and subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=write:error=EINTR:when=1000", "true"],
        capture_output=True).returncode == 0


class Traced(Proxy):
    """Under strace, which makes system calls fail; the process stays our child (-D)."""

    def __init__(self, *args, inject, **more):
        self.inject = inject
        super().__init__(*args, **more)

    def command(self, *args):
        line = super().command(*args)
        calls = ",".join(i.split(":")[0] for i in self.inject)
        return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}",
                *(x for i in self.inject for x in ("-e", f"inject={i}")), *line] if "--headless" in args else line


@pytest.mark.skipif(not can_inject(), reason="needs strace and the right to trace")
@pytest.mark.skipif(MODE in ("asan", "tsan"), reason="LeakSanitizer cannot look at a traced process")
@pytest.mark.parametrize("inject", [
    ["read:error=EINTR:when=200+7", "write:error=EINTR:when=20+7"], ["recvfrom:error=EINTR:when=3+5", "sendto:error=EINTR:when=3+5"],
    ["writev:error=EINTR:when=2+3", "sendmsg:error=EINTR:when=2+3"], ["epoll_wait:error=EINTR:when=5+3"],
    ["accept4:error=EINTR:when=1+3"], ["accept4:error=ECONNABORTED:when=2+3"], ["fsync:error=EINTR:when=1+2", "fdatasync:error=EINTR:when=1+2"],
], ids=lambda i: "+".join(x.split(":")[0] + "-" + x.split("=")[1].split(":")[0] for x in i))
def test_D11_interrupted_system_calls(standin, inject):
    p = Traced(standin, [key("k", n) for n in range(2)], inject=inject)
    try:
        answers = load(p, 60, clients=6, make=lambda i: {**CHAT, "stream": bool(i % 2)})
        assert {status for status, _ in answers} == {200}, [a for a in answers if a[0] != 200][:3]
        assert all(body.endswith((b"[DONE]\n\n", b"}")) for _, body in answers)
        add_key(p, "more")
        wait_until("it is on the disk", lambda: key("more") in kept(p))
    finally:
        p.close()


def test_D11_pipes_that_broke(start, standin):
    """Clients that reset while answers are written, and a stderr whose reader is gone."""
    reader, writer = os.pipe()
    p = start([key("k")])
    p.stop()
    with subprocess.Popen(p.command("--headless"), stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, env=p.env) as p.process:
        os.close(reader)
        os.close(writer)
        wait_until("it serves", p.is_up)
        address = p.snapshot()["listen"].rsplit(":", 1)
        p.address = (address[0], int(address[1]))
        for _ in range(50):
            with Raw(p, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 50) as r:
                r.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert p.chat()[0] == 200
        assert p.stop() == 0


# --- D12 ---
FAKETIME = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
DAY = 86400


class Clock:
    """The wall clock of one process, moved by seconds while it runs. The monotonic clock goes on as it is."""

    def __init__(self, folder):
        self.file = folder / "faketime"
        self.jump(0)
        self.env = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def jump(self, seconds):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}s\n")
        fresh.rename(self.file)


def shown_time(p):
    return p.snapshot()["time"] / 1000


def cooldown_left(p, label):
    return [c["seconds_left"] for c in p.key(label)["cooldowns"]]


@pytest.mark.skipif(not FAKETIME, reason="needs libfaketime")
@pytest.mark.skipif(MODE in ("asan", "tsan"), reason="a sanitizer's runtime must be the first library")
@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_D12_the_clock_jumps(start, standin, tmp_path, jump):
    """A day forth or back under a stream, a cooldown and a restart: nothing times out, no duration is odd, and a key rests
    neither for ever nor not at all."""
    clock = Clock(tmp_path)
    p = start([f"a = {key('a')}", f"b = {key('b')}"], env=clock.env)
    standin.rules({"match": {"key": key("a"), "path": CHATS}, "act": {"preset": "429_rpm", "headers": {"Retry-After": "300"}}},
                  {"match": {"stream": True}, "act": {"chunks": 10, "chunk_interval_ms": 100}})
    wait_until("key a rests", lambda: p.chat()[0] == 200 and cooldown_left(p, "a"))
    before = shown_time(p)
    w = Wire(p, {**CHAT, "stream": True})
    w.read_until(b"data: ")
    clock.jump(jump)
    wait_until("it sees the new time", lambda: abs(shown_time(p) - before - jump) < 3600)
    w.read_until(b"data: [DONE]")
    assert p.chat()[0] == 200
    s = p.wait_idle()
    assert 0 <= s["uptime_s"] < 3600 and s["totals"]["rpm"] >= 3
    assert len(cooldown_left(p, "a")) == 1 and 200 < cooldown_left(p, "a")[0] <= 300
    assert all(r["status"] == 200 and 0 <= r["duration_ms"] < 60000 for r in s["requests"])
    assert s["totals"]["ends"]["ok"] == s["totals"]["requests_total"]
    p.stop()
    p.start(tested=False)  # what was kept was kept by the wall clock
    assert p.chat()[0] == 200
    left = cooldown_left(p, "a")
    assert len(left) == 1 and 200 < left[0] <= 300, left


@pytest.mark.skipif(not FAKETIME, reason="needs libfaketime")
@pytest.mark.skipif(MODE in ("asan", "tsan"), reason="a sanitizer's runtime must be the first library")
def test_D12_the_clock_was_wrong_while_it_was_off(start, standin, tmp_path):
    """A board without a battery starts in the past: a rest is never longer than two hours, the longest there is."""
    clock = Clock(tmp_path)
    p = start([f"a = {key('a')}", f"b = {key('b')}"], env=clock.env)
    standin.rules({"match": {"key": key("a"), "path": CHATS}, "act": {"preset": "429_rpm", "headers": {"Retry-After": "300"}}})
    wait_until("key a rests", lambda: p.chat()[0] == 200 and cooldown_left(p, "a"))
    p.stop()
    clock.jump(-400 * DAY)
    p.start(tested=False)
    assert all(left <= 7200 for left in cooldown_left(p, "a")), cooldown_left(p, "a")
    p.stop()
    clock.jump(DAY)
    standin.clear()
    p.start(tested=False)
    assert p.chat()[0] == 200 and not cooldown_left(p, "a")


# --- D14, D18: the binary that is shipped ---
@ROOT_ONLY
@NEEDS_RELEASE
def test_D14_secrets_of_the_release_binary(nobodys):
    """As a user of its own: that user can neither read its memory nor its environment nor make it dump."""
    conf = nobodys_conf(nobodys)
    process = subprocess.Popen([*AS_NOBODY, str(RELEASE), "-c", str(conf), "--state", str(nobodys / "state"), "--headless"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=nobodys,
                               env={"KEYS": key("env"), "PATH": os.environ["PATH"]})
    proc = pathlib.Path(f"/proc/{process.pid}")
    try:
        wait_until("it is up", lambda: (nobodys / "state/control.sock").exists())
        for name in ("environ", "mem", "maps", "fd", "cwd"):
            done = subprocess.run([*AS_NOBODY, "ls" if name in ("fd", "cwd") else "head", *([] if name in ("fd", "cwd") else ["-c1"]),
                                   str(proc / name) + ("/" if name == "cwd" else "")], capture_output=True)
            assert done.returncode != 0 and b"denied" in done.stderr, (name, done)
        assert re.search(r"Max core file size +0 +0 ", (proc / "limits").read_text())
        assert CANARY.encode() not in (proc / "cmdline").read_bytes()
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert not list(nobodys.glob("core*"))


@NEEDS_RELEASE
@pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf")
def test_D18_hardening_of_the_release_binary():
    def readelf(*args):
        return subprocess.run(["readelf", "-W", *args, str(RELEASE)], capture_output=True, text=True, check=True).stdout
    header, segments, dynamic, symbols = readelf("-h"), readelf("-l"), readelf("-d"), readelf("--dyn-syms")
    assert re.search(r"Type:\s+DYN", header), "not position independent"
    assert "GNU_RELRO" in segments and ("BIND_NOW" in dynamic or re.search(r"FLAGS_1.*NOW", dynamic))
    assert "PIE" in dynamic and "TEXTREL" not in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack, "an executable stack"
    assert "__stack_chk_fail" in symbols
    fortified = set(re.findall(r"__(\w+)_chk\b", symbols))
    assert len(fortified) >= 5 and {"snprintf", "fprintf"} <= fortified, fortified
    assert not {"strcpy", "strcat", "sprintf", "gets"} & set(re.findall(r" (\w+)@", symbols))


# --- D16 ---
def test_D16_one_bad_client_does_not_fill_the_log(start):
    p = start([key("k")], "[clients]\nme = a-client-key-long-enough\n")
    before = len(p.log())
    good = b"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n\r\n"
    lost = b"GET /no/such/path HTTP/1.1\r\nHost: a\r\n\r\n"
    total = 0
    for _ in range(45):
        with Raw(p) as r:
            sender = threading.Thread(target=r.say, args=((good + lost) * 200 + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",))
            sender.start()
            data = r.all()
            sender.join()
            total += data.count(b"HTTP/1.1 40")
    for n in range(2000):
        with Raw(p, b"\x16\x03\x01garbage\r\n\r\n" if n % 2 else b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX: \x1b\r\n\r\n"):
            pass
    assert total >= 18000, total
    grown = p.log()[before:]
    assert len(grown) < 64 * 1024 and grown.count("\n") < 300, grown[:2000]
    assert p.chat(headers={"Authorization": "Bearer a-client-key-long-enough"})[0] == 200


# --- D17 ---
def test_D17_many_start_at_once(tmp_path):
    """Ten on one state directory: one gets it, nine say who holds it."""
    conf = tmp_path / "sfproxy.conf"
    conf.write_text("[server]\nlisten = 127.0.0.1:0\n[upstream]\nbase_url = http://127.0.0.1:1\n")
    conf.chmod(0o600)
    all_of_them = [subprocess.Popen([str(BINARY), "-c", str(conf), "--state", str(tmp_path / "state"), "--headless"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                   for _ in range(10)]
    try:
        wait_until("one is left", lambda: sum(p.poll() is None for p in all_of_them) == 1)
        winner = next(p for p in all_of_them if p.poll() is None)
        for p in all_of_them:
            if p is not winner:
                said = p.stderr.read().decode()
                assert p.returncode == 1 and "another sfproxy" in said, said
        wait_until("it serves", lambda: (tmp_path / "state/control.sock").exists())
        assert str(winner.pid) in (tmp_path / "state/lock").read_text()
        winner.terminate()
        assert winner.wait(20 * SLOW) == 0
        assert not (tmp_path / "state/lock").exists()
    finally:
        for p in all_of_them:
            p.kill()
            p.wait()
            p.stderr.close()


# --- D19 ---
def test_D19_ready_without_the_platform(start, standin):
    """The platform says nothing to the tests of the keys: the first request is served all the same."""
    standin.rules({"match": {"path": "/v1/models"}, "act": {"stall_before_head": True}},
                  {"match": {"path": "/v1/user/info"}, "act": {"stall_before_head": True}})
    p = start([key("k", n) for n in range(3)], tested=False)
    assert p.chat()[0] == 200
    p.stop()
    p.start(tested=False)
    assert p.chat()[0] == 200
    p.stop()


def test_D19_ready_with_many_keys(start, standin, tmp_path):
    """Two thousand keys and what is remembered of them: up at once, the first request is served."""
    p = start([], "[pool]\nkeys_file = {}\n".format(many_keys(tmp_path)), tested=False)
    assert len(p.snapshot()["keys"]) == 2000 and p.chat()[0] == 200
    p.stop()
    p.start(tested=False)
    assert len(p.snapshot()["keys"]) == 2000 and p.chat()[0] == 200
    p.stop()


def many_keys(folder):
    path = folder / "keys.txt"
    path.write_text("".join(f"m{n} = {key('many', n)}\n" for n in range(2000)))
    path.chmod(0o600)
    return path
