"""The life of the process: how it starts, refuses to start, reloads, drains, dies, and what it leaves behind."""
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from harness import BINARY, CANARY, CHAT, MODE, SLOW, Standin, Wire, events, free_port, key, load, request, wait_until

CHATS = "/v1/chat/completions"
STREAM = {**CHAT, "stream": True}


def run(tmp_path, *args, conf=None, env=None, timeout=30, **more):
    """One sfproxy to its end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SFPROXY") and k not in ("KEYS", "PORT")}
    base = [str(BINARY), "--state", str(tmp_path / "state")]
    if conf is not None:
        path = tmp_path / "sfproxy.conf"
        path.write_text(conf)
        path.chmod(0o600)
        base += ["-c", str(path)]
    return subprocess.run(base + list(args), capture_output=True, text=True, timeout=timeout * SLOW, cwd=tmp_path,
                          env={**clean, "HOME": str(tmp_path), **(env or {})}, stdin=subprocess.DEVNULL, **more)


def slow_streams(p, standin, count, **act):
    standin.rules({"match": {"path": CHATS, "model": CHAT["model"]}, "act": act})
    wires = [Wire(p, STREAM) for _ in range(count)]
    for w in wires:
        w.read_until(b"data: ")
    return wires


def refused(p):
    try:
        socket.create_connection(p.address, 1).close()
    except ConnectionRefusedError:
        return True
    return False


# --- the end ---
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_streams_finish_first(proxy, standin, number):
    wires = slow_streams(proxy, standin, 50, chunks=60, chunk_interval_ms=25)
    proxy.signal(number)
    wait_until("new connections are refused", lambda: refused(proxy))
    assert proxy.process.poll() is None
    for w in wires:
        status, body, complete = w.answer()
        assert status == 200 and complete and body.endswith(b"data: [DONE]\n\n")
    assert proxy.process.wait(10 * SLOW) == 0
    assert not proxy.socket_path.exists()


def test_waiting_requests_finish_too(proxy, standin):
    standin.rules({"match": {"path": CHATS}, "act": {"latency_ms": 1000}})
    wires = [Wire(proxy, CHAT) for _ in range(10)]
    standin.wait(in_flight=10)
    proxy.signal(signal.SIGTERM)
    for w in wires:
        status, body, complete = w.answer()
        assert status == 200 and complete and b"choices" in body
    assert proxy.process.wait(10 * SLOW) == 0


def test_the_drain_time_is_over(start, standin):
    p = start([key("k", n) for n in range(3)], "[server]\ndrain = 1s\n")
    wires = slow_streams(p, standin, 20, chunks=100000, chunk_interval_ms=20)
    standin.rules({"match": {"model": "Qwen/Qwen3.5-4B"}, "act": {"stall_before_head": True}})
    plain = Wire(p, {**CHAT, "model": "Qwen/Qwen3.5-4B"})
    standin.wait(in_flight=21)
    p.signal(signal.SIGTERM)
    for w in wires:
        status, body, complete = w.answer()
        error = events(body)[-1]["error"]
        assert status == 200 and not complete and "stopped before the answer was complete" in error["message"]
    status, body, complete = plain.answer()
    assert status == 503 and complete and b"stopped before the answer was complete" in body
    assert p.process.wait(10 * SLOW) == 0
    standin.wait(in_flight=0)


def test_a_second_signal_does_not_wait(proxy, standin):
    wires = slow_streams(proxy, standin, 5, chunks=100000, chunk_interval_ms=20)
    proxy.signal(signal.SIGINT)
    wait_until("it drains", lambda: refused(proxy))
    proxy.signal(signal.SIGINT)
    proxy.expect_exit = 130
    for w in wires:
        status, body, complete = w.answer()
        assert not complete and b'"error"' in body
    assert proxy.process.wait(10 * SLOW) == 130


def test_idle_connections_do_not_hold_it_up(proxy):
    idle = [socket.create_connection(proxy.address) for _ in range(20)]
    kept = Wire(proxy, CHAT)
    kept.answer()
    wait_until("they are there", lambda: proxy.snapshot()["totals"]["connections"] >= 21)
    proxy.signal(signal.SIGTERM)
    assert proxy.process.wait(10 * SLOW) == 0
    for s in idle:
        s.close()
    kept.close()


def test_without_keys_the_answer_says_so_even_without_an_address(start):
    p = start([], upstream="http://nothing.invalid", tested=False)
    status, _, body = p.chat()
    assert (status, json.loads(body)["error"]["code"]) == (503, "no_keys")


def test_sigterm_while_the_platform_is_silent_in_dns(start):
    p = start([key("k")], upstream="http://nothing.invalid", tested=False)
    wires = [Wire(p, CHAT) for _ in range(3)]
    wait_until("all three were taken in", lambda: p.snapshot()["totals"]["in_flight"] == 3)
    p.signal(signal.SIGTERM)
    for w in wires:
        w.answer()
    assert p.process.wait(20 * SLOW) == 0


# --- reload ---
def test_a_bad_configuration_is_not_taken(proxy, standin):
    good = proxy.conf_path.read_text()
    proxy.conf_path.write_text(good + "[pool]\nstrategy = dance\n[limits]\nmax_body = 3X\n")
    proxy.signal(signal.SIGHUP)
    wait_until("the reason is shown", lambda: proxy.snapshot()["conf_error"])
    line = good.count("\n") + 2
    assert f"sfproxy.conf:{line}" in proxy.snapshot()["conf_error"]
    assert len(proxy.snapshot()["keys"]) == 3 and proxy.chat()[0] == 200
    answer = proxy.api("POST", "reload", status=400)
    assert "the old configuration stays" in answer["error"]["message"]
    proxy.conf_path.write_text(good)
    proxy.signal(signal.SIGHUP)
    wait_until("it is taken", lambda: not proxy.snapshot()["conf_error"])


def test_a_reload_changes_keys(proxy, standin):
    proxy.write_conf([key("good", 0), key("new")])
    proxy.api("POST", "reload")
    wait_until("tested", proxy.all_tested)
    assert len(proxy.snapshot()["keys"]) == 2
    for _ in range(4):
        assert proxy.chat()[0] == 200
    assert {r["key"] for r in standin.requests()} == {key("good", 0), key("new")}


def test_a_reload_under_load_loses_nothing(proxy, standin):
    stop = threading.Event()

    def reload():
        n = 0
        while not stop.is_set():
            proxy.write_conf([key("good", i) for i in range(1, 3 + n % 2)])
            proxy.api("POST", "reload")
            n += 1
    thread = threading.Thread(target=reload)
    thread.start()
    answers = load(proxy, 600, clients=8, make=lambda i: STREAM if i % 2 else CHAT)
    stop.set()
    thread.join()
    assert {status for status, _ in answers} == {200}


def test_a_reload_changes_the_platform(proxy, standin):
    other = Standin()
    try:
        wires = slow_streams(proxy, standin, 3, chunks=50, chunk_interval_ms=20)
        proxy.upstream = other.url
        proxy.write_conf([key("good", n) for n in range(3)])
        proxy.api("POST", "reload")
        wait_until("the new address is used", lambda: proxy.snapshot()["upstream"]["base_url"].startswith(other.url))
        for _ in range(5):
            assert proxy.chat()[0] == 200
        assert len(other.requests()) == 5 and len(standin.requests()) == 3
        for w in wires:
            assert w.answer()[2], "what ran before the reload goes on"
    finally:
        other.close()


def test_a_reload_reads_the_keys_file(start, standin, tmp_path):
    path = tmp_path / "keys.txt"
    path.write_text(f"one = {key('one')}\n")
    p = start([], f"[pool]\nkeys_file = {path}\n")
    assert [k["label"] for k in p.snapshot()["keys"]] == ["one"]
    path.write_text(f"one = {key('one')}\ntwo = {key('two')}\n")
    p.signal(signal.SIGHUP)
    wait_until("the second key is there", lambda: [k["label"] for k in p.snapshot()["keys"]] == ["one", "two"])
    refused_by = p.cli("keys", "remove", "two")
    assert refused_by.returncode == 1 and "keys.txt:2" in refused_by.stderr


# --- the terminal ---
def test_the_terminal_is_gone(tmp_path, standin):
    """A process whose controlling terminal vanishes takes SIGHUP for a hang-up, drains and ends."""
    conf = f"[server]\nlisten = 127.0.0.1:0\n[upstream]\nbase_url = {standin.url}\n[keys]\nk = {key('k')}\n"
    path = tmp_path / "sfproxy.conf"
    path.write_text(conf)
    path.chmod(0o600)
    pid, master = pty.fork()
    if pid == 0:
        os.execv(str(BINARY), [str(BINARY), "-c", str(path), "--state", str(tmp_path / "state"), "--headless"])
    output = b""
    while b"listens on" not in output:
        output += os.read(master, 4096)
    os.close(master)
    try:
        wait_until("it has ended", lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    assert not (tmp_path / "state/control.sock").exists()


def test_stderr_that_nobody_reads(start, standin, tmp_path):
    """A pipe that fills up: log lines are lost, requests are not, and it ends as usual."""
    reader, writer = os.pipe()
    conf = f"[server]\nlisten = 127.0.0.1:{free_port()}\n[upstream]\nbase_url = {standin.url}\n[log]\nlevel = debug\n"
    conf += "[keys]\n" + "".join(f"k{n} = {key('k', n)}\n" for n in range(4))
    path = tmp_path / "sfproxy.conf"
    path.write_text(conf)
    path.chmod(0o600)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([str(BINARY), "-c", str(path), "--state", str(tmp_path / "state"), "--headless"],
                               stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)

    class Frozen:
        address = ("127.0.0.1", int(conf.split("listen = 127.0.0.1:")[1].split("\n")[0]))

    def up():
        try:
            return request(Frozen.address, "GET", "/healthz")[0] == 200
        except OSError:
            return False
    try:
        wait_until("it serves", up)
        standin.rules({"match": {"every": 3, "path": CHATS}, "act": {"preset": "429_rpm", "headers": {"Retry-After": "1"}}})
        answers = load(Frozen, 300, clients=8)
        assert {status for status, _ in answers} <= {200, 429} and len(answers) == 300
        assert not select.select([], [writer], [], 0)[1], "the pipe is not full, so this tested nothing"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * SLOW) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)


# --- the start ---
def test_environment_alone(tmp_path, standin):
    port = free_port()
    env = {"KEYS": f"{key('a')},{key('b')}", "PORT": str(port), "AUTHORIZATION_KEY": "let-me-in-please",
           "SFPROXY_UPSTREAM_BASE_URL": standin.url, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    log = open(tmp_path / "log", "wb")
    process = subprocess.Popen([str(BINARY), "--headless"], env=env, cwd=tmp_path, stdout=log, stderr=log,
                               stdin=subprocess.DEVNULL)

    def up():
        try:
            return request(("127.0.0.1", port), "GET", "/readyz")[0] == 200
        except OSError:
            return False
    try:
        wait_until("it is ready", up)
        assert request(("127.0.0.1", port), "POST", CHATS, CHAT)[0] == 401
        for _ in range(4):
            assert request(("127.0.0.1", port), "POST", CHATS, CHAT, {"Authorization": "Bearer let-me-in-please"})[0] == 200
        assert {r["key"] for r in standin.requests()} == {key("a"), key("b")}
        process.terminate()
        assert process.wait(20 * SLOW) == 0
    finally:
        process.kill()
        process.wait()
        log.close()
    assert (tmp_path / ".local/state/sfproxy/state.db").exists()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"])
def test_open_to_all_without_a_client_key(tmp_path, listen):
    done = run(tmp_path, "--headless", conf=f"[server]\nlisten = {listen}\n[keys]\na = {key('a')}\n")
    assert done.returncode == 2
    assert "sfproxy.conf:2" in done.stderr and "client key" in done.stderr and "allow_open" in done.stderr
    assert not (tmp_path / "state/lock").exists()


def test_every_mistake_is_listed(tmp_path):
    conf = ("[server]\nlisten = 127.0.0.1:0\nworkers = many\nlisten = 127.0.0.1:1\n[upstream]\nbase_url = ftp://x\n"
            "connect_timeout = soon\nnonsense = 1\n[pool]\nstrategy = best\n[keys]\na = short\nb = " + key("b") + "\n[wrong]\nx = 1\n")
    for command in ([], ["check"], ["status"]):
        done = run(tmp_path, "--headless", *command, conf=conf)
        assert done.returncode == 2
        lines = {int(line.split(":")[1]) for line in done.stderr.splitlines() if line.startswith(str(tmp_path))}
        assert {3, 4, 6, 7, 8, 10, 12} <= lines and ({14, 15} & lines), done.stderr
        assert CANARY not in done.stderr


def test_check(tmp_path):
    done = run(tmp_path, "check", conf=f"[server]\nclient_key = a-long-client-key\n[keys]\na = {key('a')}\n")
    assert done.returncode == 0 and "1 keys" in done.stdout and CANARY not in done.stdout
    assert not (tmp_path / "state").exists(), "check writes nothing"
    missing = run(tmp_path, "-c", "/nowhere/sfproxy.conf", "check")
    assert missing.returncode == 2 and "/nowhere/sfproxy.conf" in missing.stderr


@pytest.mark.parametrize("args,code", [(["--version"], 0), (["--help"], 0), (["--what"], 2), (["--lang", "fr"], 2),
                                       (["dance"], 2), (["check", "twice"], 2)])
def test_options(tmp_path, args, code):
    done = run(tmp_path, *args)
    assert done.returncode == code and (done.stdout if code == 0 else done.stderr)


def test_the_port_is_taken(tmp_path, proxy):
    done = run(tmp_path, "--headless", conf=f"[server]\nlisten = 127.0.0.1:{proxy.address[1]}\n")
    assert done.returncode == 1 and str(proxy.address[1]) in done.stderr and "in use" in done.stderr
    assert proxy.chat()[0] == 200


def test_a_second_instance(tmp_path, proxy):
    done = run(tmp_path, "--headless", "--state", str(proxy.state_dir), conf="[server]\nlisten = 127.0.0.1:0\n")
    assert done.returncode == 1 and str(proxy.process.pid) in done.stderr
    assert proxy.snapshot()["keys"] and proxy.chat()[0] == 200


def test_a_state_directory_with_a_long_name(tmp_path):
    done = run(tmp_path, "--headless", "--state", str(tmp_path / ("x" * 120)), conf="[server]\nlisten = 127.0.0.1:0\n")
    assert done.returncode == 2 and "control.sock" in done.stderr


def test_a_state_directory_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "--headless", "--state", str(tmp_path / "file"), conf="[server]\nlisten = 127.0.0.1:0\n")
    assert done.returncode in (1, 2) and str(tmp_path / "file") in done.stderr


def test_a_dead_socket_is_replaced(start):
    p = start([key("k")])
    p.stop(signal.SIGKILL)
    assert p.socket_path.exists()
    p.start()
    assert p.chat()[0] == 200


def test_modes_under_a_lax_umask(start, standin):
    before = os.umask(0)
    try:
        p = start([key("k")], f"[log]\nfile = {{}}\n".format("sf.log"))
    finally:
        os.umask(before)
    p.cli("keys", "add", input=key("added"))
    wait_until("the keys are saved", (p.state_dir / "keys").exists)
    for _ in range(3):
        assert p.chat()[0] == 200
    seen = {}
    for path in [p.state_dir, *p.state_dir.rglob("*")]:
        mode = path.lstat().st_mode
        seen[path.name] = stat.S_IMODE(mode)
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), (path, oct(mode))
    assert {"lock", "keys", "state.db", "control.sock", "admin.token"} <= set(seen)


def test_the_log_file_has_no_keys(start, standin, tmp_path):
    log = tmp_path / "sf.log"
    p = start([key("k", n) for n in range(3)], f"[log]\nfile = {log}\nlevel = debug\n")
    standin.rules({"match": {"path": CHATS, "every": 2}, "act": {"preset": "401_30014", "body": {
        "code": 30014, "message": f"Token {key('k')} is invalid \u001b]52;c;x\u0007 \u202e"}}})
    for _ in range(6):
        p.chat()
    p.wait_idle()
    p.stop()
    text = log.read_bytes()
    assert b"key_invalid" in text and CANARY.encode() not in text
    assert b"\x1b" not in text and b"\x07" not in text and "\u202e".encode() not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_prompts_answers_and_wrong_tokens_are_written_nowhere(start, standin, tmp_path):
    log = tmp_path / "sf.log"
    p = start([key("k")], f"[clients]\nme = the-right-token\n[log]\nfile = {log}\nlevel = debug\n")
    answered = standin.ask("GET", "text?chunks=8&chunk_bytes=0")["content"]
    good, prompt = {"Authorization": "Bearer the-right-token"}, [{"role": "user", "content": "a-private-prompt"}]
    for stream in (False, True):
        assert p.request("POST", CHATS, {**CHAT, "messages": prompt, "stream": stream}, good)[0] == 200
    assert p.request("POST", CHATS, {**CHAT, "messages": prompt}, {"x-api-key": "a-mistyped-token"})[0] == 401
    assert p.request("GET", "/v1/files?token=a-query-secret", headers=good)[0] == 200
    standin.rules({"match": {"path": CHATS}, "act": {"preset": "400_20015"}})
    assert p.request("POST", CHATS, {**CHAT, "messages": prompt}, good)[0] == 400
    assert [r["reason"] for r in p.wait_idle()["requests"]].count("ok") >= 2
    p.stop()
    files = [log] + [f for f in p.dir.rglob("*") if f.is_file() and f.name != "sfproxy.conf"]
    assert log.stat().st_size and any(f.name == "state.db" for f in files)
    for word in ("a-private-prompt", answered[:40], "a-mistyped-token", "the-right-token", "a-query-secret"):
        assert not [f for f in files if word.encode() in f.read_bytes()], word


@pytest.mark.skipif(MODE != "release", reason="debug builds keep core files")
def test_memory_is_not_dumpable(proxy):
    assert pathlib.Path(f"/proc/{proxy.process.pid}/environ").stat().st_uid == 0
    limits = pathlib.Path(f"/proc/{proxy.process.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core"))
    assert core.split()[4] == "0"


def test_it_is_ready_soon_after_a_restart(proxy):
    proxy.stop()
    began = time.monotonic()
    proxy.start(tested=False)
    assert proxy.chat()[0] == 200
    assert time.monotonic() - began < 5 * SLOW


def test_idle_costs_nothing(proxy):
    proxy.wait_idle()

    def ticks():
        fields = pathlib.Path(f"/proc/{proxy.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    before = ticks()
    time.sleep(2)
    assert ticks() - before < 20 * SLOW, "an idle process spins"
    assert json.loads(proxy.control("GET", "/admin/api/snapshot")[1])["totals"]["in_flight"] == 0
