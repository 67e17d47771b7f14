"""What the screen costs: CPU of its thread, bytes of a frame, time from a key press to the first changed byte.

    python3 tests/tui/measure.py [SECONDS]

The real program on a pseudo-terminal of 200x50 with 200 keys, 1000 requests a second from the traffic maker of tests/upstream
when a stand-in is built, 4 frames a second. Not a test: figures depend on the machine."""
import fcntl
import os
import pathlib
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


def wait(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return value


def ui_ticks(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "ui":
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])
    raise SystemExit("there is no screen")


class Reader(threading.Thread):
    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd, self.bytes, self.last = fd, 0, 0.0
        self.text = b""

    def run(self):
        while True:
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                return
            self.last = time.monotonic()
            self.bytes += len(got)
            self.text = (self.text + got)[-200000:]


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    home = pathlib.Path(tempfile.mkdtemp(prefix="measure-"))
    standin = subprocess.Popen([ROOT / "build/standin", "--port", "0", "--portfile", home / "port"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait("the stand-in", lambda: (home / "port").exists() and (home / "port").read_text().strip())
    listen = "127.0.0.1:17861"
    (home / "conf").write_text(f"[server]\nlisten = {listen}\n[upstream]\nbase_url = http://127.0.0.1:{(home / 'port').read_text().strip()}\n"
                               "[keys]\n" + "".join(f"k{i} = sk-good{i:04}{'x' * 40}\n" for i in range(200)))
    (home / "conf").chmod(0o600)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execv(ROOT / "build/sfproxy", ["sfproxy", "-c", str(home / "conf"), "--state", str(home / "state"), "--lang", "en"])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    reader = Reader(fd)
    reader.start()
    wait("the screen", lambda: b"RPM" in reader.text)
    traffic = subprocess.Popen([ROOT / "build/traffic", "--url", f"http://{listen}", "--rps", "1000"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        time.sleep(8)
        for view, name in (("1", "Overview"), ("2", "Keys"), ("2H", "Keys, map"), ("4", "Requests")):
            os.write(fd, view.encode())
            time.sleep(1)
            ticks, count, begin = ui_ticks(pid), reader.bytes, time.monotonic()
            time.sleep(seconds / 4)
            spent = time.monotonic() - begin
            print(f"{name:10} UI thread {100 * (ui_ticks(pid) - ticks) / TICKS / spent:.2f} % of a core, "
                  f"{(reader.bytes - count) / spent / 4:.0f} bytes a frame", flush=True)
        took = []
        for i in range(60):
            while time.monotonic() - reader.last < 0.03:
                time.sleep(0.002)
            before, begin = reader.bytes, time.monotonic()
            os.write(fd, b"2345"[i % 4:i % 4 + 1])
            while reader.bytes < before + 200:
                time.sleep(0.0005)
            took.append(1000 * (time.monotonic() - begin))
            time.sleep(0.11)
        took.sort()
        print(f"key press to picture: median {statistics.median(took):.0f} ms, 95 % within {took[56]:.0f} ms, worst {took[-1]:.0f} ms")
    finally:
        for p in (traffic, standin):
            p.kill()
        os.kill(pid, 9)


main()
