"""The real program in a terminal: what a person does, what the platform sees, and that the terminal is left sane."""
import os
import pty
import signal
import subprocess
import threading

import pytest

from harness import CANARY, Proxy, key, wait_until


def test_a_person_adds_a_key_sees_traffic_and_switches_the_failing_one_off(open_screen, standin):
    bad, good = key("bad"), key("good")
    standin.script(rules=[{"match": {"key": bad, "path": "/v1/chat/completions"}, "act": {"preset": "500"}}])
    s = open_screen([], width=80, height=24)
    s.see("Welcome", str(s.address[1]))
    s.press("a")
    s.paste(f"{bad}\n{good}\n")
    shown = s.see("2 ")
    assert CANARY not in shown
    s.press("Enter")
    wait_until("both keys are in the pool", lambda: len(s.snapshot()["keys"]) == 2)
    wait_until("both were tested", s.all_tested)
    s.press("1")
    for _ in range(6):
        s.chat()
    wait_until("the failing key has failed", lambda: any(k["failed"] for k in s.snapshot()["keys"]))
    shown = s.see("RPM 6", "Qwen/Qwen3-8B")
    assert any(0x2800 <= ord(c) <= 0x28FF for c in shown), "no dot on a graph: " + shown
    failing = next(k for k in s.snapshot()["keys"] if k["failed"])
    s.press("2")
    s.see("Keys", failing["masked"])
    s.press("/")
    s.type(failing["masked"][:7])
    s.press("Enter")
    s.press("e")
    wait_until("the failing key is off", lambda: s.key(failing["id"])["state"] == "off")
    s.see("off")
    standin.reset()
    for _ in range(20):
        assert s.chat()[0] == 200
    assert {r["key"] for r in standin.requests()} == {good}
    standin.reset()
    s.press("t")
    wait_until("the stand-in sees the test of this key",
               lambda: [r for r in standin.report()["requests"] if r["path"] == "/v1/models" and r["key"] == bad])
    wait_until("the test is over", lambda: s.key(failing["id"])["tested_s_ago"] is not None and
               s.key(failing["id"])["state"] == "off")
    s.press("e")
    wait_until("it is on again", lambda: s.key(failing["id"])["enabled"])
    assert CANARY not in s.capture("-S", "-")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_terminal_is_sane_after_a_signal(open_screen, number):
    s = open_screen([key("good")])
    s.see("Overview")
    assert s.flags()[0] == "1"
    s.signal(number)
    assert s.process.wait(30) == 0
    s.assert_terminal_is_sane()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_the_terminal_is_sane_after_a_crash(open_screen, number):
    s = open_screen([key("good")])
    s.see("Overview")
    s.expect_crash = True
    s.signal(number)
    code = s.process.wait(30)
    assert code != 0
    s.expect_exit = code
    s.assert_terminal_is_sane()
    assert CANARY not in s.capture("-S", "-")


def test_the_quit_dialog_drains(open_screen):
    s = open_screen([key("good")])
    s.see("Overview")
    for _ in range(20):
        s.press("Escape")
    assert s.process.poll() is None
    wait_until("the escapes were taken, and quit nothing", lambda: s.press("2") or "[2 Keys]" in s.capture())
    s.press("q")
    s.see("drain")
    s.press("d")
    assert s.process.wait(30) == 0
    s.assert_terminal_is_sane()


def test_control_c_twice_drains(open_screen):
    s = open_screen([key("good")])
    s.see("Overview")
    s.press("C-c")
    s.see("again")
    assert s.process.poll() is None
    s.press("C-c")
    assert s.process.wait(30) == 0
    s.assert_terminal_is_sane()


def test_sighup_with_a_living_terminal_reloads(open_screen, standin):
    s = open_screen([key("one")])
    s.write_conf([key("one"), key("two")])
    s.signal(signal.SIGHUP)
    wait_until("the second key is there", lambda: len(s.snapshot()["keys"]) == 2)
    assert s.process.poll() is None
    wait_until("it was tested", s.all_tested)


def test_a_lost_terminal_ends_it(open_screen):
    s = open_screen([key("good")])
    s.see("Overview")
    pid = s.pid
    s.tmux("kill-server", check=False)
    wait_until("the process ended", lambda: not os.path.exists(f"/proc/{pid}") or
               open(f"/proc/{pid}/stat").read().split()[2] == "Z")
    s.process.poll = lambda: 0
    assert not s.socket_path.exists()


def test_on_hangup_keep_goes_on_without_a_screen(open_screen):
    s = open_screen([key("good")], conf="[ui]\non_hangup = keep")
    s.see("Overview")
    s.tmux("kill-server", check=False)
    wait_until("it says so", lambda: "going on without a screen" in str(s.snapshot()["log"]))
    assert s.chat()[0] == 200
    stat = open(f"/proc/{s.pid}/stat").read().split()
    before = int(stat[13]) + int(stat[14])
    for _ in range(20):
        assert s.chat()[0] == 200
    s.wait_idle()
    ticks = sum(int(open(f"/proc/{s.pid}/stat").read().split()[i]) for i in (13, 14)) - before
    assert ticks < 400, "it spins"
    s.signal(signal.SIGTERM)
    wait_until("the process ended", lambda: not os.path.exists(f"/proc/{s.pid}"))
    s.process.poll = lambda: 0


def test_requests_go_on_when_the_terminal_is_frozen(standin):
    """A pty that nobody reads: its buffer fills, the screen's thread hangs in write(), requests do not."""
    master, slave = pty.openpty()
    p = None
    try:
        class Frozen(Proxy):
            def start(self, tested=True):
                env = {**self.env, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
                with open(self.log_path, "ab") as log:
                    self.process = subprocess.Popen(self.command(), stdin=slave, stdout=slave, stderr=log, env=env,
                                                    start_new_session=True, preexec_fn=controlling_terminal)
                wait_until("control.sock answers", self.is_up)
                host, port = self.snapshot()["listen"].split(",")[0].rsplit(":", 1)
                self.address = (host, int(port))
                wait_until("the keys were tested", self.all_tested)

        def controlling_terminal():
            import fcntl
            import termios
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        p = Frozen(standin, [key("good", n) for n in range(2)])
        # Keep the screen busy until it can write no more: the master's queue stays full.
        def full():
            import fcntl
            import struct
            import termios
            for _ in range(3):
                p.chat()
            waiting = struct.unpack("i", fcntl.ioctl(master, termios.FIONREAD, struct.pack("i", 0)))[0]
            return waiting >= 3000
        wait_until("the terminal's buffer is full", full, 60)
        for _ in range(200):
            assert p.chat()[0] == 200
        standin.reset()
        assert p.stop(signal.SIGTERM) == 0
    finally:
        if p and p.process.poll() is None:
            p.process.kill()
        os.close(master)
        os.close(slave)


def test_without_a_terminal_it_is_headless(standin):
    p = Proxy(standin, [key("good")], args=["--lang", "en"])
    try:
        assert p.chat()[0] == 200
    finally:
        p.close()


@pytest.mark.parametrize("term", ["dumb", "nosuch-terminal", ""])
def test_a_terminal_that_cannot_do_it_gives_headless(standin, term):
    master, slave = pty.openpty()
    stop = threading.Event()
    reader = threading.Thread(target=drain, args=(master, stop), daemon=True)
    reader.start()

    class OnPty(Proxy):
        def start(self, tested=True):
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(self.command(), stdin=slave, stdout=slave, stderr=log,
                                                env={**self.env, "TERM": term})
            wait_until("control.sock answers", self.is_up)
            host, port = self.snapshot()["listen"].split(",")[0].rsplit(":", 1)
            self.address = (host, int(port))
            wait_until("the keys were tested", self.all_tested)

    p = OnPty(standin, [key("good")])
    try:
        assert p.chat()[0] == 200
        assert "no screen" in str(p.snapshot()["log"])
    finally:
        p.close()
        stop.set()
        os.close(slave)
        os.close(master)


def drain(fd, stop):
    while not stop.is_set():
        try:
            if not os.read(fd, 65536):
                return
        except OSError:
            return


# --- requirements and the whole path of a person ---

WORDS = {"Space": "Spc", "Escape": "Esc"}


def press_shown(s, *keys):
    """Presses keys that the bottom line of the current screen names, and no others."""
    for pressed in keys:
        label = "1-6" if pressed in "123456" else WORDS.get(pressed, pressed)
        wait_until(f"the bottom line names {label}",
                   lambda: label in s.capture().rstrip("\n").splitlines()[-1].split())
        s.press(pressed)


@pytest.mark.parametrize("width, height", [(80, 24), (120, 35)])
def test_r17_the_bottom_line_is_enough(open_screen, standin, width, height):
    """Adds three keys, finds the failing one, switches it off, tests it again, bans a model and cancels a request, with no
    key that the screen does not name."""
    bad, good, other = key("bad"), key("good"), key("other")
    standin.script(rules=[{"match": {"key": bad, "path": "/v1/chat/completions"}, "act": {"preset": "500"}}])
    s = open_screen([], width=width, height=height)
    s.see("Welcome")
    press_shown(s, "a")
    s.see("Add keys")
    s.paste(f"{bad}\n{good}\n{other}\n")
    s.see("3 new")
    press_shown(s, "Enter")
    wait_until("three keys are in the pool", lambda: len(s.snapshot()["keys"]) == 3)
    wait_until("they were tested", s.all_tested)
    for _ in range(9):
        s.chat()
    failing = wait_until("one has failed", lambda: next((k for k in s.snapshot()["keys"] if k["failed"]), None))
    press_shown(s, "2", "/")
    s.type("failed>0")
    press_shown(s, "Enter")
    s.see("failed>0 (1)", failing["masked"])
    press_shown(s, "e")
    wait_until("it is off", lambda: s.key(failing["id"])["state"] == "off")
    standin.reset()
    press_shown(s, "t")
    wait_until("the platform sees its test", lambda: [r for r in standin.report()["requests"] if r["path"] == "/v1/models" and r["key"] == bad])
    press_shown(s, "3", "/")
    s.type("Qwen3-32B")
    press_shown(s, "Enter")
    s.see("Qwen3-32B (")
    if "PAID 1" in s.capture() and "FREE 0" in s.capture():
        press_shown(s, "Tab")
    press_shown(s, "b")
    wait_until("it is banned", lambda: [m for m in s.snapshot()["models"] if m["id"] == "Qwen/Qwen3-32B" and m["banned"]])
    assert s.chat(model="Qwen/Qwen3-32B")[0] == 404
    standin.clear()
    standin.script(rules=[{"match": {"path": "/v1/chat/completions"}, "act": {"stall_before_head": True}}])
    ended = []
    client = threading.Thread(target=lambda: ended.append(s.chat()), daemon=True)
    client.start()
    wait_until("it is under way", lambda: [r for r in s.snapshot()["requests"] if r["live"]])
    press_shown(s, "4", "f")
    s.see("in flight only")
    wait_until("a running one is under the cursor", lambda: [l for l in s.capture().splitlines() if l.startswith(">") and "▸" in l])
    press_shown(s, "x")
    s.see("cancel request")
    press_shown(s, "y")
    client.join(30)
    assert ended and ended[0][0] >= 500
    wait_until("nothing is under way", lambda: s.snapshot()["totals"]["in_flight"] == 0)


def test_r29_what_was_chosen_survives_a_kill(open_screen, tmp_path):
    s = open_screen([key("good")], width=120, height=35, state=tmp_path)
    s.see("auto")
    s.press("w")
    s.see("graph window")
    shown = wait_until("the window", lambda: next((w for w in ("1h", "24h") if f"{w}  LIVE" in s.capture()), None))
    s.press("P")
    s.see("PRIVACY")
    wait_until("the disk has it", lambda: s.press("L") or "总览" in s.capture())
    s.snapshot()  # answered after the commands before it
    wait_until("written", lambda: b"ui.lang" in b"".join(p.read_bytes() for p in s.state_dir.glob("state.db*")))
    s.signal(signal.SIGKILL)
    assert s.process.wait(30) == 137
    s.process.poll = lambda: 0
    again = open_screen([key("good")], width=120, height=35, state=tmp_path, lang=None)
    shown_again = again.see(f"{shown}  ", "隐私")
    assert "总览" in shown_again


def test_save_writes_the_picture(open_screen):
    s = open_screen([key("good")])
    s.see("Overview")
    s.press("2")
    s.see("sk-")
    s.type(":save")
    s.press("Enter")
    s.see("saved as")
    files = wait_until("a file", lambda: list(s.state_dir.glob("screen-*.txt")))
    assert "Keys 1" in files[0].read_text() and CANARY not in files[0].read_text()
    assert files[0].stat().st_mode & 0o777 == 0o600


def test_a_key_switched_off_on_the_page_is_off_on_the_screen(open_screen):
    import browser as web
    if not web.available():
        pytest.skip("chromium and chromedriver are not installed")
    s = open_screen([key("good"), key("good2")], width=120, height=35)
    s.press("2")
    s.see("\u2713 sk-good")
    b = web.Browser()
    try:
        b.open(s.url + "/")
        b.type("#token", (s.state_dir / "admin.token").read_text().strip())
        b.click("button")
        find = "return document.querySelector('button[aria-label=\"Disable: k0\"]')"
        b.wait_until("the page is live", lambda: b.run(find + " !== null"))
        b.run(find + ".click()")
        wait_until("it is off", lambda: not s.key("k0")["enabled"])
        s.see("- sk-good", "\u27131")
    finally:
        b.close()
