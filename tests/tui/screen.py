"""sfproxy in tmux: keys are sent, the screen is read. One tmux server per Screen, on a socket of its own."""
import os
import pathlib
import shlex
import subprocess
import tempfile

from harness import MODE, Proxy, wait_until


class Screen(Proxy):
    """A Proxy whose process runs in a tmux window instead of headless."""

    def __init__(self, upstream, keys=(), conf="", width=80, height=24, lang="en", **more):
        self.tmux_dir = tempfile.mkdtemp(prefix="tmux-")
        self.size = (width, height)
        self.lang = lang
        super().__init__(upstream, keys, conf, **more)

    def tmux(self, *args, check=True):
        done = subprocess.run(["tmux", "-S", self.tmux_dir + "/s", "-f", "/dev/null", *args], capture_output=True,
                              text=True, timeout=60)
        assert not check or done.returncode == 0, (args, done.stderr)
        return done.stdout

    def start(self, tested=True):
        env = [f"{k}={v}" for k, v in self.env.items() if k.endswith("SAN_OPTIONS") or k.startswith("SFPROXY")]
        inner = shlex.join(["env", "LC_ALL=C.UTF-8", *env, *self.command(*(["--lang", self.lang] if self.lang else []), *self.args)])
        # The shell stays, so that what the terminal looks like afterwards can be asked.
        code = shlex.quote(str(self.dir / "exit"))
        pid = shlex.quote(str(self.dir / "pid"))
        script = (f"sh -c 'echo $$ > {pid}; exec {inner}' 2>>{shlex.quote(str(self.log_path))}; echo $? > {code}; "
                  "PS1='back> ' exec sh")
        self.tmux("new-session", "-d", "-x", str(self.size[0]), "-y", str(self.size[1]), script)
        wait_until("the pid is known", lambda: (self.dir / "pid").exists() and (self.dir / "pid").read_text().strip())
        self.pid = int((self.dir / "pid").read_text())
        self.process = Child(self.pid, self.dir / "exit")
        wait_until("control.sock answers", self.is_up)
        address = self.snapshot()["listen"].split(",")[0]
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.url = f"http://{address}"
        if tested:
            wait_until("the keys were tested", self.all_tested)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def paste(self, text):
        path = pathlib.Path(self.tmux_dir, "paste")
        path.write_text(text)
        self.tmux("load-buffer", str(path))
        self.tmux("paste-buffer", "-p")

    def capture(self, *flags):
        return self.tmux("capture-pane", "-p", *flags)

    def see(self, *texts, seconds=20):
        """Waits until all the texts are on the screen together; returns the capture."""
        def all_there():
            shown = self.capture()
            return shown if all(t in shown for t in texts) else None
        try:
            return wait_until(f"the screen shows {texts}", all_there, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.capture()}") from None

    def flags(self):
        """(alternate screen, cursor shown, mouse reporting) of the terminal."""
        return tuple(self.tmux("display", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}").split())

    def assert_terminal_is_sane(self):
        self.see("back>")
        wait_until("alternate screen off, cursor on, mouse off", lambda: self.flags() == ("0", "1", "0"))
        self.type("stty -a")
        self.press("Enter")
        shown = self.see("icanon")
        for flag in ("icanon", "echo", "isig", "icrnl", "opost"):
            assert f" {flag}" in shown.replace("\n", " "), shown
            assert f"-{flag} " not in shown, shown

    def close(self):
        try:
            super().close()
        finally:
            self.tmux("kill-server", check=False)


class Child:
    """What Proxy needs of subprocess.Popen, for a process that tmux started."""

    def __init__(self, pid, exit_path):
        self.pid, self.exit_path = pid, exit_path

    def poll(self):
        if self.exit_path.exists() and self.exit_path.read_text().strip():
            return int(self.exit_path.read_text())
        return None

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds):
        wait_until("the process ended", lambda: self.poll() is not None, seconds)
        return self.poll()


SLOW_SCREEN = MODE in ("asan", "tsan")
