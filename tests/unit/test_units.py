"""Runs every unit test program of the mode under test (build/<mode>/unit/)."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODE = os.environ.get("MODE", "release")
PROGRAMS = sorted(p for p in (ROOT / "build" / MODE / "unit").glob("test_*") if p.suffix != ".d")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_unit(program):
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run([program], cwd=ROOT, env=env, capture_output=True, text=True, errors="replace", timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]


def test_there_are_units():
    sources = list((ROOT / "tests" / "unit").glob("test_*.c"))
    assert len(PROGRAMS) == len(sources) > 0
