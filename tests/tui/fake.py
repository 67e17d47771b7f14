"""The screen over made-up snapshots (fake_screen.c) in a shell in tmux, and what the tests of it share.

Nothing waits a fixed time: texts and flags are polled with a deadline."""
import os
import pathlib
import re
import signal
import subprocess
import time
import unicodedata
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 10

def until(what, condition, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        time.sleep(0.03)


def cells(line):
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line
    )


class FakeScreen:
    """A shell in tmux that ran the program; the shell stays when the program ends."""

    def __init__(self, program, tmp_path, width=80, height=24, args="", env="", shell=False):
        self.socket = "sf" + uuid.uuid4().hex[:10]
        self.trace = tmp_path / f"trace-{self.socket}"
        self.width, self.height = width, height
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height),
                  "env -i PATH=$PATH HOME=/tmp TERM=tmux-256color LC_ALL=C.UTF-8 PS1='SHELL> ' bash --norc --noprofile -i")
        until("shell", lambda: "SHELL>" in self.text())
        self.tmux("set-option", "-g", "escape-time", "0")
        if not shell:
            self.type(f"FAKE_LOG={self.trace} {env} {program} {args}; echo ended=$?")
            self.keys("Enter")
            until("first frame", lambda: "RPM" in self.text() or "headless" in self.text())

    def tmux(self, *args, check=True):
        r = subprocess.run(["tmux", "-L", self.socket, *args], capture_output=True, text=True, check=False)
        assert r.returncode == 0 or not check, r.stderr
        return r.stdout

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options, "-t", "t")

    def flags(self):
        return self.tmux("display", "-p", "-t", "t", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}").strip()

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def type(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)

    def raw(self, data):
        self.tmux("send-keys", "-t", "t", "-H", *[f"{b:02x}" for b in data])

    def wait(self, text, deadline=DEADLINE):
        return until(f"{text!r} on the screen", lambda: re.search(text, self.text()), deadline)

    def gone(self, text):
        until(f"{text!r} gone", lambda: not re.search(text, self.text()))

    def asked(self):
        """What the screen asked the control thread for, settings left out."""
        if not self.trace.exists():
            return []
        lines = self.trace.read_text().splitlines()
        return [l for l in lines if not l.startswith(("log ", "setting "))]

    def pid(self):
        shell = self.tmux("display", "-p", "-t", "t", "#{pane_pid}").strip()
        r = subprocess.run(["pgrep", "-P", shell, "fake_screen"], capture_output=True, text=True, check=False)
        return int(r.stdout.split()[0]) if r.stdout.split() else None

    def resize(self, width, height):
        self.width, self.height = width, height
        self.tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def close(self):
        # First, so that no sanitizer that looks for leaks at the end is cut off half-way: it would spin for ever.
        shell = self.tmux("display", "-p", "-t", "t", "#{pane_pid}", check=False).strip()
        pid = self.pid() if shell else None
        if pid:
            os.kill(pid, signal.SIGKILL)
        self.tmux("kill-server", check=False)


def body(text):
    """Without the lines that change by themselves: the tab bar has a clock."""
    return "\n".join(text.splitlines()[1:])


def still(s):
    """The picture, once two looks agree; ages and toasts are left out."""
    def look():
        lines = s.text().splitlines()[2:-2]
        return "\n".join(re.sub(r"\d+s\b|\d+\.\d\d", "#", l) for l in lines)

    first = look()
    time.sleep(0.4)
    return first if look() == first else None
