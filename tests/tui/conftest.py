import pytest

from harness import Standin
from screen import Screen


@pytest.fixture(scope="session")
def standin_process():
    s = Standin()
    yield s
    s.close()


@pytest.fixture
def standin(standin_process):
    standin_process.clear()
    yield standin_process


@pytest.fixture
def open_screen(standin):
    """open_screen(keys, ...) -> Screen; checked and stopped after the test."""
    opened = []

    def make(keys=(), conf="", **more):
        s = Screen(standin, keys, conf, **more)
        opened.append(s)
        standin.reset()
        return s

    yield make
    for s in opened:
        s.close()
