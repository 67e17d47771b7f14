"""A few of the failing calls of `make torture`: one allocation, write, watch or transfer fails, and all goes on."""

import os
import subprocess
import sys

import pytest

from harness import MODE, ROOT

SANITIZED = MODE in ("asan", "tsan")


@pytest.mark.skipif(SANITIZED, reason="the library and the sanitizer both want to be malloc(); make torture MODE=asan")
@pytest.mark.parametrize("flow, families", [
    ("chat", "buf,x,write,epoll,accept,curl"), ("stream", "buf,write,epoll,curl"), ("key", "buf,write"),
    ("reload", "open,write")])
def test_one_call_fails(flow, families):
    command = [sys.executable, ROOT / "tests/torture/torture.py", "--flows", flow, "--families", families, "--most", "6"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 violations" in done.stdout
