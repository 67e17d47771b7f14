"""Glyph policy of the terminal screen: outside Chinese text only characters that every terminal draws one cell wide.

East Asian "ambiguous" characters (box drawing, arrows, ellipsis, dashes) are two cells wide on many Chinese set-ups and
break every column behind them."""
import pathlib
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHINESE = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x3000, 0x303F), (0xFF00, 0xFFEF)]


def is_chinese(ch):
    return any(low <= ord(ch) <= high for low, high in CHINESE)


def sources():
    return sorted((ROOT / "ui" / "tui").glob("*.[ch]"))


def bad_glyphs(text):
    return [
        (number, ch, unicodedata.name(ch, "?"))
        for number, line in enumerate(text.splitlines(), 1)
        for ch in line
        if ord(ch) > 0x7E and not is_chinese(ch) and unicodedata.east_asian_width(ch) not in ("N", "Na", "H")
    ]


def test_there_are_sources():
    assert len(sources()) > 10


def test_only_narrow_glyphs_outside_chinese():
    wrong = [f"{p.name}:{n}: {ch} {name}" for p in sources() for n, ch, name in bad_glyphs(p.read_text("utf-8"))]
    assert not wrong, "\n".join(wrong)


def test_the_check_can_fail():
    assert bad_glyphs("\u2500 box") and bad_glyphs("a \u2014 dash") and not bad_glyphs("\u2713 \u28ff \u4e2d")
