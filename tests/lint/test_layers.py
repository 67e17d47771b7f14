"""Who may include whom. base -> conf -> net, pool, meter, store -> proxy -> control -> admin, ui: a file includes its own
folder and lower layers only; src/*.c ties everything together. Large libraries are each known to few files."""

import re

import pytest
from sources import PROGRAM, name, text_of

MIDDLE = {"net", "pool", "meter", "store"}
BELOW = {
    "base": set(),
    "conf": {"base"},
    "net": {"base", "conf"},
    "pool": {"base", "conf"},
    "meter": {"base", "conf", "pool"},  # a record names keys and verdicts
    "store": {"base", "conf", "pool"},  # what is kept is what the pool says of its keys
    "proxy": {"base", "conf"} | MIDDLE,
    "control": {"base", "conf", "proxy"} | MIDDLE,
    "admin": {"base", "conf", "proxy", "control"} | MIDDLE,
    "ui/tui": {"base", "control"},
}
LIBRARIES = {
    r"cjson/.*": {"src/admin/api.c", "src/cli_text.h", "src/conf/environment.c", "src/proxy/probe.c"},
    r"curl/.*": {"src/net/lines.h", "src/net/outcome.h", "src/net/shard.h", "src/net/urls.h", "src/cli.c", "src/cli_http.c"},
    r"event2?/.*": {"src/net/loop.c"},
    r"sqlite3\.h": {"src/store/statedb_int.h"},
    r"openssl/.*": {"src/base/secret.c"},
    r"(?:n?curses(?:w?/.*)?|term|panel)\.h": {"ui/tui/draw.c", "ui/tui/input.c", "ui/tui/term.c", "ui/tui/theme.c"},
}
NO_SOCKETS = {"sys/socket.h", "netinet/in.h", "netinet/tcp.h", "arpa/inet.h", "netdb.h", "sys/epoll.h"}
TABLES = {"src/admin/page_text.h", "src/conf/options.h", "src/pool/catalog_table.h"}  # one macro or rows, nothing else
INCLUDE = re.compile(r'^#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def folder_of(path):
    parts = name(path).split("/")[:-1]
    return "/".join(parts[1:]) if parts[0] == "src" else "/".join(parts)


def included_folder(included):
    return included.rsplit("/", 1)[0] if "/" in included else ""


def test_every_folder_is_known():
    assert {folder_of(p) for p in PROGRAM} == set(BELOW) | {""}


@pytest.mark.parametrize("path", PROGRAM, ids=name)
def test_includes(path):
    here = folder_of(path)
    for kind, included in INCLUDE.findall(text_of(path)):
        if kind == '"':
            there = included_folder(included)
            allowed = not here or there == here or there in BELOW[here]
            assert allowed, f"{name(path)} includes {included}: {here} may only know {sorted(BELOW[here])}"
            continue
        for pattern, users in LIBRARIES.items():
            if re.fullmatch(pattern, included):
                assert name(path) in users, f"{name(path)} includes <{included}>, which is for {sorted(users)}"
        if here in ("pool", "meter"):
            assert included not in NO_SOCKETS, f"{name(path)}: {here} knows no sockets"


def test_library_users_exist():
    """A list that is longer than what is true hides the next one."""
    for pattern, users in LIBRARIES.items():
        for user in users:
            path = next((p for p in PROGRAM if name(p) == user), None)
            assert path, f"{user} is gone: take it out of LIBRARIES"
            assert any(k == "<" and re.fullmatch(pattern, i) for k, i in INCLUDE.findall(text_of(path))), user


@pytest.mark.parametrize("path", [p for p in PROGRAM if p.suffix == ".h" and name(p) not in TABLES], ids=name)
def test_header_guard(path):
    guard = re.search(r"^#ifndef (\w+)\n#define (\w+)$", text_of(path), re.M)
    assert guard and guard[1] == guard[2], f"{name(path)} has no include guard"
