"""The terminal screen from outside, in tmux, over made-up snapshots (fake_screen.c). A test whose name begins with rNN is
of requirement NN; docs/screen.md lists them.

Every test has its own tmux server. SFPROXY_FAKE_SCREEN names a built program, else build/$MODE/fake_screen is used; without
either it is compiled once."""
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import time

import pytest

from fake import ROOT, body, cells, still, until

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")

SIZES = [(1, 1), (2, 3), (20, 5), (39, 11), (40, 12), (79, 23), (80, 24), (110, 30), (184, 39), (120, 35), (250, 60), (80, 24)]


@pytest.mark.parametrize("keys", [["1"], ["2"], ["2", "Enter"], ["3"], ["3", "Enter"], ["4", "Enter"], ["5"], ["6"],
                                  ["q"], ["2", "D"], ["2", "a"], ["2", "/"]])
def test_r06_13_every_size(screen, keys):
    s = screen()
    s.keys(*keys)
    for width, height in SIZES:
        s.resize(width, height)
        if width >= 40 and height >= 12:
            s.wait(r"\d\d:\d\d:\d\d")
            s.wait("Esc|q quit|quit|退出")
        elif width >= 20:
            s.wait("sfproxy|/|q:|Add keys|\\?")
        for line in s.text().splitlines():
            assert cells(line) <= width
        assert s.pid()


def test_a_dead_platform_is_said_everywhere(screen):
    s = screen(args="--outage upstream")
    s.wait(r"UPSTREAM DOWN \d+s +KEYS")
    s.wait(r"upstream down \d+s: no connect, probe in \ds")
    for view in "23456":
        s.keys(view)
        s.wait(r"UPSTREAM DOWN \d+s")
    s.keys("1", "L")
    s.wait(r"平台故障 \d+s +密钥")
    s.wait(r"平台故障 \d+s：无法连接，\ds后探测")
    s.resize(40, 12)
    s.wait(r"平台故障 \d+s +✓")


def test_an_overloaded_model_and_requests_in_line(screen):
    s = screen(args="--outage model", width=200, height=50)
    s.wait("WAITING 3")
    s.wait("3 requests wait for a key")
    s.wait(r"! model deepseek-ai/DeepSeek-V3: busy, probe in \ds")
    s.wait("! model Kwai-Kolors/Kolors: busy, probing now")
    s.keys("3")
    s.wait(r"~ Kwai-Kolors/Kolors +probing")
    s.wait(r"! deepseek-ai/DeepSeek-V3 +down \ds .* 3\n")
    s.keys("/")
    s.type("DeepSeek-V3")
    s.keys("Enter", "Tab", "Enter")
    s.wait(r"breaker open: busy, probe in \ds")
    s.wait("requests in line for a key: 3")
    s.resize(80, 24)
    s.keys("1")
    s.wait(r"! DeepSeek-V3 busy, probe in \ds")


def test_graph_window_chooses_itself_until_asked(screen):
    s = screen(width=120, height=35)
    s.wait("1h auto")
    for shown in ("24h", "auto", "24h"):
        s.keys("w")
        s.wait(f"graph window:? {shown}")
    s.keys("w")
    s.wait("graph window: auto")
    assert "1h auto" in s.text()


def test_first_page_is_read_whole_at_every_size(screen):
    sentences = {"en": "aretested|keptin|shownonlymasked.|andtype:reload", "zh": "保存在|只以掩码显示。|再输入:reload"}
    for lang, parts in sentences.items():
        s = screen(args=f"--keys 0 --lang {lang}")
        for width, height in ((60, 22), (80, 24), (120, 35)):
            s.resize(width, height)
            for part in parts.split("|"):
                until(f"{part} at {width}", lambda part=part: part in re.sub(r"\s+", "", s.text()))


def test_r06_small_window_says_what_it_needs(screen):
    s = screen(width=38, height=9)
    s.wait(r"38x9 \(need 40x12\)")
    s.resize(80, 24)
    s.wait("1 Overview")


def test_r04_escape_never_quits(screen):
    s = screen()
    for _ in range(20):
        s.keys("Escape")

    def on_keys():  # an ESC with something right behind it is one unknown chord
        s.keys("2")
        return "[2 Keys]" in s.text()

    until("the keys", on_keys)
    assert s.pid() and s.asked() == []


def test_r04_quit_dialog_names_what_is_in_flight(screen):
    s = screen()
    s.keys("q")
    s.wait(r"\d+ requests are in flight")
    s.keys("Enter")
    s.gone("Quit sfproxy")
    s.keys("q")
    s.wait("Quit sfproxy")
    s.keys("x")
    s.keys("Escape")
    s.gone("Quit sfproxy")
    assert s.asked() == []
    s.keys("q")
    s.wait("Quit sfproxy")
    s.keys("d")
    s.wait("ended=0")
    assert [l.split()[0] for l in s.asked()] == ["drain"]


def test_r04_ctrl_c_twice_drains_and_a_third_quits(screen):
    s = screen()
    s.keys("C-c")
    s.wait("Ctrl-C again")
    assert s.asked() == []
    s.keys("C-c")
    until("drain", lambda: [l.split()[0] for l in s.asked()] == ["drain"])
    s.keys("C-c")
    s.wait("ended=130")
    assert [l.split()[0] for l in s.asked()] == ["drain", "quit"]


def test_r05_delete_asks_and_disable_can_be_undone(screen):
    s = screen(args="--frozen")
    s.keys("2")
    s.wait("Keys 24")
    s.type("/laptop\n")
    s.wait("filter: laptop")
    for _ in range(9):
        s.keys("D")
        until("answer", lambda: re.search(r"Delete 1 keys|delete it there", s.text()))
        if "Delete 1" in s.text():
            break
        s.keys("j")
    s.wait("Delete 1 keys")
    s.keys("Enter")
    s.gone("Delete 1 keys")
    assert s.asked() == []
    s.keys("e")
    s.wait(r"(disabled|enabled) 1 keys\.  u undo")
    until("command", lambda: len(s.asked()) == 1)
    s.keys("u")
    s.wait("undone")
    first, second = s.asked()
    assert {first.split()[0], second.split()[0]} == {"disable", "enable"}
    assert first.split()[1] == second.split()[1]
    s.keys("u")
    s.wait("nothing to undo")


def test_r03_21_pasted_keys_are_one_unit_and_never_shown(screen, tmp_path):
    s = screen(args="--keys 0")
    s.wait("Welcome to sfproxy")
    random.seed(5)
    secrets = ["sk-" + "".join(random.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(48)) for _ in range(98)]
    lines = secrets + [secrets[3], "this line is qqq DDD eee no key"]
    paste = tmp_path / "paste"
    paste.write_text("\n".join(lines))
    s.keys("a")
    s.wait("Add keys")
    s.tmux("load-buffer", str(paste))
    s.tmux("paste-buffer", "-p", "-t", "t")
    s.wait("98 new, 1 duplicate, 1 ignored")
    assert s.asked() == []
    s.keys("Enter")
    s.wait("98 keys added, 1 duplicate")
    assert [l.split()[0] for l in s.asked()] == ["add"]
    seen = s.text("-S", "-")
    for tab in "123456":
        s.keys(tab)
        s.wait(rf"\[{tab} ")
        seen += s.text()
    seen += s.trace.read_text()
    for secret in secrets:
        assert secret[7:-4] not in seen


def test_r20_unknown_escapes_are_swallowed(screen):
    s = screen(args="--frozen")
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    random.seed(3)
    s.raw(b"\x1b[I")
    s.raw(b"\x1b[O")
    s.raw(b"\x1b[?99z")
    s.raw(b"\x1bOz")
    s.raw(b"\x1bD")
    for _ in range(100):
        middle = "".join(random.choice("0123456789;?>") for _ in range(random.randrange(6)))
        s.raw(b"\x1b[" + middle.replace("<", "").encode() + random.choice("abcdegjknpqrstuvwxyz").encode())
    s.keys("5")
    s.wait(r"\[5 Log\]")
    assert s.pid() and s.asked() == []


ENDS = {
    "quit": lambda s: s.keys("q", "Q"),
    "term": lambda s: os.kill(s.pid(), signal.SIGTERM),
    "segv": lambda s: os.kill(s.pid(), signal.SIGUSR2),
    "abort": lambda s: os.kill(s.pid(), signal.SIGQUIT),
}


@pytest.mark.parametrize("end", ENDS)
def test_r02_the_terminal_is_restored(screen, end):
    s = screen()
    until("modes on", lambda: s.flags() == "1 1 0")
    ENDS[end](s)
    s.wait(r"ended=\d")
    until("flags", lambda: s.flags() == "0 0 1")
    s.keys("Enter")
    s.type("clear; stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig|ixon'")
    s.keys("Enter")
    s.wait(r"(?m)^4$")


def test_r02_suspend_asks_first_and_comes_back(screen):
    s = screen()
    s.keys("C-z")
    s.wait("would freeze the proxy")
    s.keys("C-z")
    s.wait("Stopped")
    until("flags", lambda: s.flags() == "0 0 1")
    s.type("fg\n")
    until("flags", lambda: s.flags() == "1 1 0")
    s.wait("1 Overview")
    s.keys("2")
    s.wait(r"\[2 Keys\]")


def test_hide_and_show(screen):
    s = screen()
    s.keys("q", "h")
    until("hidden", lambda: s.flags() == "0 0 1")
    s.wait("serves on")
    s.keys("Enter")
    until("shown", lambda: s.flags() == "1 1 0")
    s.wait("1 Overview")
    flags = [l.rsplit("=", 1)[1] for l in s.asked() if l.startswith("screen_hidden")]
    assert flags == ["1", "0"]


def test_r12_stderr_goes_to_the_log_view_and_back_at_the_end(screen):
    s = screen()
    os.kill(s.pid(), signal.SIGUSR1)
    s.keys("5")
    s.wait("stderr: a library complains loudly")
    s.keys("1")
    s.wait(r"\[1 Overview\]")
    assert "complains" not in s.text()
    os.kill(s.pid(), signal.SIGTERM)
    s.wait("(?m)^a library complains loudly")


def test_a_terminal_that_is_gone_ends_the_screen(screen):
    s = screen()
    pid, trace = s.pid(), s.trace
    s.tmux("kill-server")
    until("process ended", lambda: not pathlib.Path(f"/proc/{pid}").exists())
    assert "hangup" in trace.read_text()


def test_r01_a_frozen_terminal_blocks_nothing(program, tmp_path):
    beat = tmp_path / "beat"
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execv(program, [program, "--heartbeat", str(beat)])
    try:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        until("first bytes", lambda: select.select([fd], [], [], 0.1)[0])
        for key in b"2345112345" * 20:  # every key is a frame that nobody reads
            os.write(fd, bytes([key]))
            time.sleep(0.02)
        before = beat.stat().st_size
        until("the main thread goes on", lambda: beat.stat().st_size >= before + 10)
        os.kill(pid, signal.SIGTERM)
        until("ends within its limit", lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, 5)
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(fd)


@pytest.mark.parametrize("view", "234")
def test_r07_chinese_leaves_no_residue(screen, view):
    s = screen(args="--frozen --lang zh --keys 60")
    s.keys(view)
    s.wait(rf"\[{view} ")
    random.seed(int(view))
    for _ in range(50):
        s.keys(random.choice(["j", "k", "NPage", "PPage", "G", "g", "L"]))
    s.keys("Escape")
    s.keys("j")
    picture = until("a still picture", lambda: still(s))
    s.keys("C-l")
    assert until("a still picture", lambda: still(s)) == picture
    for line in picture.splitlines():
        assert cells(line) <= 80


def test_r17_a_key_of_another_view_says_where_it_works(screen):
    s = screen()
    s.keys("B")
    s.wait("B works in 2 Keys")


def test_r30_readonly(screen):
    s = screen(args="--readonly")
    s.keys("2")
    s.wait("READ-ONLY")
    for key in "etDarbETB":
        s.keys(key)
        s.wait("read-only: this screen")
    assert s.asked() == []


def test_r19_full_width_letters_of_an_input_method(screen):
    s = screen()
    s.type("２")
    s.wait(r"\[2 Keys\]")
    s.type("／")
    s.type("lap")
    s.wait("filter: lap")
    s.keys("Escape")
    s.gone("filter: lap")
    s.type("？")
    s.wait(r"\[6 Help\]")


def test_r18_the_filter_stays_with_its_view(screen):
    s = screen(args="--frozen")
    s.keys("2")
    s.type("/laptop\n")
    s.wait(r"filter: laptop \(\d+\)")
    s.keys("4")
    s.gone("filter:")
    s.keys("2")
    s.wait("filter: laptop")
    s.keys("Escape")
    s.gone("filter:")


def test_r22_testing_all_shows_progress_and_stops(screen):
    s = screen(args="--keys 200")
    s.keys("2", "T")
    s.wait("test 200 keys")
    s.keys("y")
    until("command", lambda: [l.split()[0] for l in s.asked()] == ["test_all"])
    s.keys("3")
    s.wait(r"test \d+/200", 15)
    s.keys("Escape")
    s.wait(r"tested \d+ of 200, cancelled")


def test_r27_mouse(screen):
    s = screen(width=250, height=30, args="--frozen")
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    s.raw(b"\x1b[<0;235;10M\x1b[<0;235;10m")
    until("row 10", lambda: s.text().splitlines()[9].startswith(">"))
    s.raw(b"\x1b[<65;10;10M")
    until("wheel", lambda: s.text().splitlines()[12].startswith(">"))
    assert s.asked() == []
    s.keys("m")
    until("mouse off", lambda: s.flags().split()[1] == "0")
    s.keys("m")
    until("mouse on", lambda: s.flags().split()[1] == "1")


def test_r16_no_color(screen):
    s = screen(env="NO_COLOR=1")
    for view in "123456":
        s.keys(view)
        s.wait(rf"\[{view} ")
        codes = re.findall(r"\x1b\[([0-9;]*)m", s.text("-e"))
        used = {c for code in codes for c in code.split(";")}
        assert not used & {"38", "48", *map(str, range(30, 38)), *map(str, range(40, 48))}


def test_r14_ascii(screen):
    s = screen(env="SFPROXY_ASCII=1", args="--lang zh")
    for view in "123456":
        s.keys(view)
        s.wait(rf"\[{view} ")
        assert s.text().isascii()


@pytest.mark.parametrize("setup", ["TERM=dumb", "TERM=", "TERM=nosuch", "</dev/null", "| cat"])
def test_r11_headless(program, screen, setup):
    s = screen(shell=True)
    s.type(f"{setup} {program}" if setup.startswith("TERM") else f"{program} {setup}")
    s.keys("Enter")
    s.wait("headless: ")
    assert s.flags() == "0 0 1"


def test_an_entry_missing_here_falls_back(program, screen):
    s = screen(env="TERM=xterm-kitty")
    s.wait("1 Overview")


def test_privacy_hides(screen):
    s = screen(args="--privacy", width=120, height=35)
    for view in "124":
        s.keys(view)
        s.wait(rf"\[{view} ")
        text = s.text()
        assert not re.search(r"sk-\w{4}\.\.\w{4}|10\.0\.0\.\d|\d\d\.\d\d (api|set)", text)


def test_r26_pause_freezes_the_picture(screen):
    s = screen()
    s.keys("4", "p")
    s.wait("PAUSED")
    first = body(s.text()).splitlines()[:-2]
    time.sleep(1)
    assert body(s.text()).splitlines()[:-2] == first
    s.keys("p")
    s.gone("PAUSED")
    until("moves", lambda: body(s.text()).splitlines()[:-2] != first)


def test_r23_errors_stay_until_a_key(screen):
    s = screen()
    s.type(":reload\n")
    s.wait("unknown option")
    time.sleep(1)
    assert "unknown option" in s.text()
    s.keys("5")
    s.wait(r"E screen: reload: sfproxy.conf:12")


def test_r28_language_at_run_time(screen):
    s = screen()
    s.keys("L")
    s.wait("总览")
    s.type(":lang en\n")
    s.wait("1 Overview")
    assert "setting subject=ui.lang text=zh" in s.trace.read_text()


def test_refresh_asks_the_platform_for_its_models(screen):
    s = screen(args="--frozen")
    s.type(":refresh\n")
    s.wait("the platform lists 26 models")
    s.keys("3")
    s.wait(r"\[3 Models\]")
    s.keys("r")
    until("two commands", lambda: [l.split()[0] for l in s.asked()] == ["refresh_models"] * 2)
    s.keys("5")
    s.wait("asking the platform for its models")


CN, COM = "api.siliconflow.cn", "api.siliconflow.com"


@pytest.mark.parametrize("url, here, other", [(f"https://{CN}/v1", CN, COM), (f"https://{COM}/v1", COM, CN),
                                              ("https://API.SiliconFlow.com:443/v1", COM, CN),
                                              ("https://api-st.siliconflow.cn/v1", "api-st.siliconflow.cn", COM)])
def test_the_other_region_is_asked_only_after_a_yes(screen, url, here, other):
    s = screen(args=f"--frozen --upstream {url}")
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    for no in ("Enter", "Escape", "n", "x"):
        s.type(":test other\n")
        s.wait(rf"Ask {re.escape(other)} about sk-\w+\.\.\w+\?")
        s.wait(rf"whole key to {re.escape(other)},")
        s.wait(rf"not the configured {re.escape(here)}\.")
        s.keys(no)
        s.gone(r"Ask api")
    assert s.asked() == []
    s.type(":test other\n")
    s.wait("Ask ")
    s.keys("y")
    s.wait(r"key \w+ is not known there")
    [asked] = s.asked()
    assert re.match(r"test_other_region subject=\w+ ", asked)
    s.keys("L")
    s.type(":test other\n")
    s.wait(rf"向 {re.escape(other)} 查询 sk-")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999/v1", "https://api.siliconflow.cn.example/v1",
                                 "https://api.siliconflow.cn@example/v1"])
def test_another_base_url_has_no_other_region(screen, url):
    s = screen(args=f"--frozen --upstream {url}", width=120, height=30)
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    s.type(":test other\n")
    s.wait("not possible: .* is not the platform's own address")
    s.keys("y")
    s.keys("5")
    s.wait(r"\[5 Log\]")
    assert s.asked() == []


def test_the_other_region_is_asked_about_one_key(screen):
    s = screen(args="--frozen")
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    s.keys("*")
    s.type(":test other\n")
    s.wait("one key at a time")
    assert s.asked() == []


def test_a_base_url_changed_while_asked_shows_no_key(screen):
    s = screen(args=f"--frozen --upstream https://{CN}/v1 --upstream-then https://{COM}/v1")
    s.keys("2")
    s.wait(r"\[2 Keys\]")
    s.type(":test other\n")
    s.wait(f"whole key to {re.escape(COM)},")
    os.kill(s.pid(), signal.SIGUSR1)
    s.wait(f"not the configured {re.escape(COM)}")
    s.keys("y")
    s.wait("not asked: the base URL was changed")
    assert s.asked() == []


def test_the_question_names_the_host_that_is_asked():
    def pairs(path):
        text = (ROOT / path).read_text()
        return re.findall(r'\{"(api[\w.-]+)",\s*"(api[\w.-]+)"\}', text)

    assert len(pairs("ui/tui/other_region.c")) == 3
    assert pairs("ui/tui/other_region.c") == pairs("src/conf/address.c")
