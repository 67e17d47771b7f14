"""What the lint tests look at: the project's C files, with and without comments and texts."""

import re
import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def c_files(*folders):
    found = []
    for folder in folders:
        found += sorted(p for p in (ROOT / folder).rglob("*.[ch]") if "node_modules" not in p.parts)
    return found


PROGRAM = c_files("src", "ui")
TESTS = c_files("tests")


def name(path):
    return path.relative_to(ROOT).as_posix()


@lru_cache(maxsize=None)
def text_of(path):
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=None)
def code_of(path):
    """The text with comments and quoted texts emptied; line numbers stay."""
    return NOISE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text_of(path))


def tracked():
    """Names known to git, or None outside a repository."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return [n for n in done.stdout.decode().split("\0") if n] if done.returncode == 0 else None
