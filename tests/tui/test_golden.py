"""Golden screens: what every view shows, kept as text in tests/tui/golden, in both languages at three sizes.

`make golden` (GOLDEN=1) writes them anew; look at the difference before it is committed. The clock is left out."""
import difflib
import os
import pathlib
import re
import shutil
import time

import pytest

from fake import cells, until

GOLDEN = pathlib.Path(__file__).parent / "golden"
SIZES = [(80, 24), (120, 35), (200, 50)]
# Name, keys that lead there, what is on the screen then and not before, keys that lead back.
VIEWS = [("overview", "1", r"\[1 ", ""), ("keys", "2", r"\[2 ", ""), ("accounts", "A", r"\+ acct", "A"),
         ("map", "H", "Keys x models|密钥 x 模型", "H"), ("key", "Enter", "(Detail|详情) sk-", "Escape"),
         ("add", "a", "Add keys|添加密钥", "Escape"), ("models", "3", r"\[3 ", ""), ("requests", "4", r"\[4 ", ""),
         ("request", "j j j j j j j j j j Enter", r"(Detail|详情) \d+", "Escape"), ("log", "5", r"\[5 ", ""),
         ("help", "6", r"\[6 ", ""), ("quit", "1 q", "Quit sfproxy|退出 sfproxy", "Escape")]

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")


def picture(s):
    """Once two looks agree; without what moves by itself."""
    def look():
        return re.sub(r"\d\d:\d\d:\d\d", "hh:mm:ss", s.text()).rstrip("\n") + "\n"

    def still():
        first = look()
        time.sleep(0.3)
        return first if look() == first else None

    return until("a still picture", still)


def press(s, keys):
    for word in keys.split():
        s.keys(*([word] if len(word) > 1 and word.isalpha() and word[0].isupper() else list(word)))


@pytest.mark.parametrize("width, height", SIZES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_r07_golden(screen, lang, width, height):
    s = screen(args=f"--frozen --accounts --lang {lang}", width=width, height=height)
    wrong = []
    for name, there, there_is, back in VIEWS:
        press(s, there)
        s.wait(there_is)
        now, path = picture(s), GOLDEN / f"{name}-{width}x{height}-{lang}.txt"
        press(s, back)
        if back:
            s.gone(there_is)
        for line in now.splitlines():
            assert cells(line) <= width
        if os.environ.get("GOLDEN"):
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(now)
        elif now != path.read_text():
            wrong += difflib.unified_diff(path.read_text().splitlines(), now.splitlines(), path.name, "now", lineterm="", n=0)
    assert not wrong, "\n".join(wrong)
