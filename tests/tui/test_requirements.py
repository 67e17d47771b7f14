"""Requirements of docs/screen.md that are not in test_screen.py: the number stands in the name of the test."""
import fcntl
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import struct
import sys
import termios
import time

import pytest

from fake import ROOT, body, cells, until

sys.path.insert(0, str(ROOT / "tests" / "lint"))
import keys_page  # noqa: E402

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")


class Pty:
    """The program on a pseudo-terminal that this process reads: bytes count, answers can be made up."""

    def __init__(self, program, *args, width=80, height=24, answer=None, **env):
        self.text, self.bytes, self.answer = b"", 0, answer
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8", **env)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            os.execv(program, [program, *args])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self, seconds):
        """What comes until so many seconds of silence, 2 s at most: frames may come more often; False at the program's end."""
        end = time.monotonic() + 2
        while time.monotonic() < end and select.select([self.fd], [], [], seconds)[0]:
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                return False
            if not got:
                return False
            self.text += got
            self.bytes += len(got)
            while self.answer and b"\x1b[6n" in self.text:
                before, _, self.text = self.text.partition(b"\x1b[6n")
                os.write(self.fd, self.answer(before.decode("utf-8", "replace")))
        return True

    def write(self, data):
        os.write(self.fd, data)

    def exit_code(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.pid = 0
            return os.waitstatus_to_exitcode(status)
        return None

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def on_pty(program):
    made = []

    def make(*args, **options):
        made.append(Pty(program, *args, **options))
        return made[-1]

    yield make
    for p in made:
        p.close()


def test_r08_keys_show_under_load(screen):
    s = screen(args="--keys 200 --storm 1000", width=200, height=50)
    for view in "2345123451":
        s.keys(view)
        until(f"view {view}", lambda: f"[{view} " in s.text().splitlines()[0], 5)


def test_r09_a_frame_is_small_and_a_still_picture_sends_nothing(on_pty):
    p = on_pty("--keys", "200", "--storm", "1000", width=200, height=50)
    until("the first frame", lambda: p.read(0.3) and b"RPM" in p.text)
    p.bytes = 0
    end = time.monotonic() + 5
    while time.monotonic() < end:
        p.read(0.05)
    assert p.bytes / (5 * 4) <= 6 * 1024, f"{p.bytes / 20:.0f} bytes a frame"
    still = on_pty("--keys", "24", "--frozen", width=200, height=50)
    until("the first frame", lambda: still.read(0.3) and b"RPM" in still.text)
    still.bytes = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        still.read(0.05)
    assert still.bytes < 3 * 200, "only the clock moves"


def row_under_cursor(s):
    return next(l for l in s.text().splitlines()[3:] if l.startswith(">"))


def test_r10_the_cursor_stays_with_its_row(screen):
    s = screen(args="--keys 40")
    s.keys("2", "j", "j", "j", "Space", "k")
    s.wait("marked 1")
    key = re.search(r"sk-\w{4}\.\.\w{4}", row_under_cursor(s))[0]
    for verb in ("s", "s", "S", "s", "S"):
        s.keys(verb)
        until("the same key", lambda: key in row_under_cursor(s))
    time.sleep(0.6)  # two snapshots
    assert key in row_under_cursor(s)
    s.type("/" + key[-4:] + "\n")
    s.wait(r"filter: \w{4} \(1\).*marked 1")
    s.keys("4", "2", "Escape")
    s.gone("filter:")
    s.wait("marked 1")
    assert key in row_under_cursor(s) and " * " in row_under_cursor(s)[:4]


@pytest.mark.parametrize("ambiguous, shown", [(False, True), (True, False)])
def test_r15_a_terminal_with_wide_symbols_gets_none(on_pty, ambiguous, shown):
    """It answers the question for the cursor's column as it draws: symbols two cells wide, or one."""
    def answer(before):
        line = before.rpartition("\r")[2].replace("\x1b[K", "")
        width = sum(2 if cells(c) == 2 or (ambiguous and ord(c) > 0x2000) else 1 for c in line if c >= " ")
        return f"\x1b[1;{width + 1}R".encode()

    p = on_pty("--frozen", answer=answer)
    until("the first frame", lambda: p.read(0.3) and b"RPM" in p.text)
    text = p.text.decode("utf-8", "replace")
    assert any(0x2713 <= ord(c) <= 0x28FF for c in text) == shown
    assert ("|" in text or "#" in text) != shown


def test_r15_a_terminal_without_chinese_gets_ascii(on_pty):
    p = on_pty("--frozen", "--lang", "zh", answer=lambda before: b"\x1b[1;2R")
    until("the first frame", lambda: p.read(0.3) and b"RPM" in p.text)
    assert "Overview" in p.text.decode() and p.text.isascii()


LABELS = {"Spc": " ", "Enter": "Enter", "Esc": "Escape"}
SCOPES = {"1": "IN_OVERVIEW", "2": "IN_KEYS", "3": "IN_MODELS", "4": "IN_REQUESTS", "5": "IN_LOG", "6": "IN_HELP"}
MODES = {"2/": "IN_LINE", "2:": "IN_COMMAND", "2a": "IN_ADD", "q": "IN_QUIT", "2C": "IN_COLUMNS", "2D": "IN_YES_NO"}


def hints_of(scope):
    says = keys_page.sentences()
    return {(label.split()[0], says[hint]) for scopes, label, hint, _ in keys_page.bindings()
            if scope in scopes and hint != "NONE"}


@pytest.mark.parametrize("keys, scope", [*SCOPES.items(), *MODES.items()])
@pytest.mark.parametrize("width", [80, 200])
def test_r17_the_bottom_line_says_what_the_table_says(screen, keys, scope, width):
    s = screen(width=width, height=30, args="--frozen --accounts")
    if keys == "2D":
        s.keys("2", "g")
        for _ in range(12):
            s.keys("D")
            until("an answer", lambda: re.search("Delete 1 keys|delete it there", s.text()))
            if "Delete 1" in s.text():
                break
            s.keys("j")
    else:
        s.keys(*keys)
    allowed = hints_of(scope) | (hints_of("IN_ALL") if keys in SCOPES else set())

    def only_valid():
        line = s.text().splitlines()[-1].strip()
        for label, word in sorted(allowed, key=lambda h: -len(h[1])):
            line = re.sub(rf"(^| )({re.escape(label)}(?: [S\]n])?(?: jk)?(?: {re.escape(word)})?)(?= |$)", " ", line)
        return not line.strip()

    until("nothing else in the line", only_valid)


def test_r17_a_key_without_use_says_so(screen):
    s = screen(args="--frozen")
    s.keys("2", "u")
    s.wait("nothing to undo")
    s.keys("z")
    s.wait("nothing to enlarge")
    s.keys("A")
    s.wait("no account has several keys")


@pytest.mark.parametrize("width, height", [(80, 24), (120, 35), (200, 50)])
def test_r24_the_peak_survives_any_width(screen, width, height):
    s = screen(args="--frozen", width=width, height=height)
    for _ in range(6):
        if "peak 900  24h" in s.text():
            break
        s.keys("w")
        s.wait("graph window")
    s.wait("peak 900  24h")
    left = [l[: width // 2 - 1] for l in s.text().splitlines()]
    top = left[next(i for i, l in enumerate(left) if l.startswith("RPM")) + 1]
    assert any(0x2801 <= ord(c) <= 0x28FF for c in top), "the one dot of the spike"


def test_r25_unknown_is_a_question_mark_and_ages_are_shown(screen):
    s = screen(args="--frozen", width=200, height=50)
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    rows = [l for l in s.text().splitlines() if re.search(r"sk-\w{4}\.\.", l)]
    assert any(re.search(r" \? +\? ", l) for l in rows), "balance and spending of a key that nobody asked about"
    assert any(re.search(r"<=\d+\.\d\d metered 3d +\d+\.\d\d", l) for l in rows)
    assert any(re.search(r"\d\.\d\d api \d+[ms]", l) for l in rows)
    s.wait(r"BALANCE <=\d+\.\d\d \+\d+\?  SPENT 12\.34  ¥1\.26/h  28d left")
    s.keys("3", "/")
    s.type("GLM-9000\n")
    s.wait(r"GLM-9000-unknown +\w+ +chat +\?")


def go_to_account(s):
    for _ in range(20):
        row = row_under_cursor(s)
        if "acct" in row:
            return row
        s.keys("j")
        until("the next row", lambda: row_under_cursor(s) != row)
    raise AssertionError("no account")


def test_heat_map(screen):
    s = screen(args="--frozen --accounts", width=120, height=35)
    s.keys("2", "H")
    s.wait("Keys x models 24")
    s.wait(r"~\d+s rate/min")
    s.wait(r"\d+% RPM")
    s.wait(r"\d+/m +\?")
    head = s.text().splitlines()[3]
    assert head.count("[") == 1
    s.keys("Right", "Right")
    until("another model", lambda: s.text().splitlines()[3] != head)
    s.wait(r"sk-\w+\.\.\w+  \S+/\S+: .*of 24 keys can take it now")
    s.keys("A")
    s.wait(r"\+ acct-\d +\(\d\)|\+ acct-0 \(\d\)")
    s.keys("Escape")
    s.wait(r"\n Keys 24")
    go_to_account(s)
    s.keys("Right")
    s.wait(r"- acct-\d \(\d\)")
    s.wait(r"\n +[✓▸~✗-]   \.\.\w{4}")


def test_a_verb_on_an_account_is_for_all_of_its_keys(screen):
    s = screen(args="--frozen --accounts", width=120, height=35)
    s.keys("2", "A")
    s.wait(r"\+ acct")
    count = int(re.search(r"acct-\d \((\d)\)", go_to_account(s))[1])
    s.keys("r")
    until("a command for each", lambda: len([l for l in s.asked() if l.startswith("reset")]) == count)
    assert len({l.split()[1] for l in s.asked()}) == count


def test_columns_are_chosen_and_kept(screen):
    s = screen(args="--frozen")
    s.keys("2", "C")
    s.wait("Columns of this table")
    s.keys("j", "j", "Space", "Escape")
    s.gone("Columns of this table")
    assert " class " not in s.text().splitlines()[3]
    assert "setting subject=ui.columns.keys text=class" in s.trace.read_text()


def test_a_range_is_marked(screen):
    s = screen(args="--frozen")
    s.keys("2", "v", "j", "j")
    s.wait("marked 3")
    s.keys("v", "j")
    s.wait("marked 3")
    s.keys("Escape")
    s.gone("marked")


def test_the_picture_is_saved_with_keys_masked(screen, tmp_path):
    s = screen(args="--frozen --lang zh")
    s.keys("2", "/")
    s.type("!sk-" + "a1b2c3d4" * 4 + "\n")
    s.wait(r"!sk-a1b2\.\.c3d4 ")
    shown = until("a still picture", lambda: body(s.text()))
    s.type(f":save {tmp_path}/picture\n")
    s.wait("saved as")
    saved = (tmp_path / "picture").read_text()
    assert "密钥" in saved and "a1b2c3d4a1b2" not in saved
    assert body(saved).splitlines()[:18] == shown.splitlines()[:18]
    s.type(f":save {tmp_path}/picture\n")
    s.wait("not saved")


def test_copy_reaches_the_clipboard_of_tmux(screen):
    s = screen(args="--frozen")
    s.tmux("set-option", "-g", "set-clipboard", "on")
    s.keys("c")
    s.wait("copied http://127.0.0.1:7860/v1")
    until("the buffer", lambda: s.tmux("show-buffer", check=False) == "http://127.0.0.1:7860/v1")


def test_bell_and_title_only_when_switched_on(screen):
    for args in ("", "--bell --title"):
        s = screen(args=f"--frozen --keys 8 {args}")
        s.keys("2", "*", "e")
        s.wait("disabled|enabled")
        if "enabled" in s.text():
            s.keys("e")
        until("no key left", lambda: not re.search("✓[1-9]", s.text().splitlines()[1]))
        title = s.tmux("display", "-p", "-t", "t", "#{pane_title}").strip()
        assert bool(re.match(r"sfproxy \d+ rpm \d+ in flight", title)) == bool(args)
        if args:
            until("it rang", lambda: s.tmux("display", "-p", "-t", "t", "#{window_bell_flag}").strip() == "1")
        else:
            assert s.tmux("display", "-p", "-t", "t", "#{window_bell_flag}").strip() == "0"


FUZZ = [b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[5~", b"\x1b[6~", b"\r", b"\t", b"\x1b", b"\x7f", b"\x1b[Z",
        "／".encode(), "中".encode(), b"\xff", b"\xe4\xb8", b"\x1b[200~sk-abcdefghijklmnop qrs\n\x1b[201~", b"\x1b[<0;9;9M",
        b"\x1b[<64;9;9M", b"\x1b[<65;99;99M", b"\x1b[<0;1;1M", b"\x1b[I", b"\x1bOz", b":test all\r", b":map\r", b"/class:free\r"]


def test_random_keys_break_nothing(program):
    """Keys, mouse, pastes and broken bytes for some seconds; with MODE=asan under the sanitizers. Leaving is fine."""
    chance = random.Random(int(os.environ.get("FUZZ_SEED", "7")))
    end, runs = time.monotonic() + 8, 0
    while time.monotonic() < end:
        width, height = chance.choice([(80, 24), (40, 12), (200, 50), (30, 5), (120, 35)])
        p = Pty(program, "--accounts", "--keys", str(chance.choice([0, 3, 60])), width=width, height=height)
        runs += 1
        until("the first bytes", lambda: p.read(0.2) and p.bytes > 0)
        alive, code = True, None
        while alive and code is None and time.monotonic() < end:
            keys = b"".join(chance.choice(FUZZ) if chance.random() < 0.4 else bytes([chance.choice(range(32, 127))])
                            for _ in range(30))
            try:
                p.write(keys.replace(b"\x1a", b""))
                alive = p.read(0.02)
            except OSError:
                alive = False
            if chance.random() < 0.05:
                fcntl.ioctl(p.fd, termios.TIOCSWINSZ, struct.pack("HHHH", chance.randrange(1, 60), chance.randrange(1, 250), 0, 0))
                os.kill(p.pid, signal.SIGWINCH)
            code = p.exit_code()
        if not alive and code is None:
            code = until("its end", lambda: (c := p.exit_code()) is not None and [c])[0]
        assert code in (None, 0, 130), f"ended with {code}: {p.text[-2000:]!r}"
        p.close()
    assert runs
