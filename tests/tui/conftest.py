import os
import subprocess

import pytest

from fake import ROOT, FakeScreen
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


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    given = os.environ.get("SFPROXY_FAKE_SCREEN")
    if given:
        return given
    built = ROOT / "build" / os.environ.get("MODE", "debug") / "fake_screen"
    if "MODE" in os.environ and built.exists():
        return str(built)
    out = tmp_path_factory.mktemp("fake") / "fake_screen"
    sources = [ROOT / "tests/tui/fake_screen.c", ROOT / "src/meter/record.c", ROOT / "src/conf/price.c"]
    sources += [ROOT / "src/control/snapshot.c", ROOT / "src/control/command.c"]
    for folder in ("ui/tui", "src/base", "src/pool"):
        sources += sorted((ROOT / folder).glob("*.c"))
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-Isrc", "-I.", "-O1", "-g", "-ffunction-sections", "-Wl,--gc-sections"]
    libs = ["-lncursesw", "-ltinfo", "-lcrypto", "-lcjson", "-lpthread"]
    subprocess.run(["gcc", *flags, "-o", str(out), *map(str, sources), *libs], cwd=ROOT, check=True)
    return str(out)


@pytest.fixture
def screen(program, tmp_path):
    made = []

    def make(**options):
        made.append(FakeScreen(program, tmp_path, **options))
        return made[-1]

    yield make
    for s in made:
        s.close()
