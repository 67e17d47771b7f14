import pytest

from harness import Proxy, Standin, key


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
def start(standin):
    """start(keys, conf=..., env=...) -> Proxy; everything started is checked and stopped after the test."""
    started = []

    def make(keys=(), conf="", upstream=None, **more):
        p = Proxy(upstream or standin, keys, conf, **more)
        started.append(p)
        standin.reset()
        return p

    yield make
    for p in started:
        p.close()


@pytest.fixture
def proxy(start):
    """With three good keys."""
    return start([key("good", n) for n in range(3)])
