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


@pytest.fixture
def untouched(standin):
    """untouched(p): no request of p was admitted, none reached the platform, no key was touched."""
    def check(p):
        snapshot = p.wait_idle()
        assert standin.requests() == []
        assert (snapshot["totals"]["rpm"], snapshot["totals"]["tpm"], snapshot["requests"]) == (0, 0, [])
        assert all((k["rpm"], k["ok"], k["failed"], k["limited"]) == (0, 0, 0, 0) for k in snapshot["keys"])
    return check


@pytest.fixture(scope="module")
def shared(standin_process):
    """One process for the tests of a module that leave nothing behind; three good keys."""
    p = Proxy(standin_process, [key("good", n) for n in range(3)])
    yield p
    p.close()
