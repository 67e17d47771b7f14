"""Every option of src/conf/options.h stands in sfproxy.conf and in docs/config.md, with the same default."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r'OPTION\((?P<section>\w+), (?P<name>\w+), (?P<type>\w+), "(?P<default>[^"]*)", (?P<min>"[^"]*"|\d+), (?P<max>\d+),'
    r' (?P<flags>0|\w+), "(?P<help>[^"]+)"\)'
)
TYPES = {"TEXT", "LIST", "NUMBER", "SIZE", "DURATION", "FLAG", "CHOICE"}


def options():
    text = (ROOT / "src/conf/options.h").read_text(encoding="utf-8")
    table = text[text.index("#define OPTION_TABLE") :]
    rows = [m.groupdict() for m in ROW.finditer(table)]
    assert len(rows) == table.count("OPTION("), "a row the pattern does not match"
    return rows


def shipped():
    """{"section.name": (value, help, is_active)} of sfproxy.conf."""
    found, section = {}, ""
    for line in (ROOT / "sfproxy.conf").read_text(encoding="utf-8").splitlines():
        header = re.fullmatch(r"\[(\w+)\]", line)
        item = re.fullmatch(r"(;?)([\w.]+) =(.*?)(?: +; (.*))?", line)
        if header:
            section = header[1]
        elif item and section not in ("clients", "keys"):
            key = f"{section}.{item[2]}"
            assert key not in found, f"{key} stands twice in sfproxy.conf"
            found[key] = (item[3].strip(), item[4], not item[1])
    return found


def documented():
    """{"section.name": (default, range, applies)} of the option tables in docs/config.md."""
    row = re.compile(r"^\| `([\w.]+)` \| (`[^`]*`|empty) \| ([^|]+) \| [^|]+ \| (reload|restart) \|$", re.M)
    found = {}
    for name, default, limits, applies in row.findall((ROOT / "docs/config.md").read_text(encoding="utf-8")):
        assert name not in found, f"{name} stands twice in docs/config.md"
        found[name] = ("" if default == "empty" else default.strip("`"), limits, applies)
    return found


OPTIONS = options()
IDS = [f"{o['section']}.{o['name']}" for o in OPTIONS]


def test_table_is_sane():
    assert len(OPTIONS) > 40
    assert len(set(IDS)) == len(IDS)
    assert {o["type"] for o in OPTIONS} <= TYPES


@pytest.mark.parametrize("option", OPTIONS, ids=IDS)
def test_in_shipped_file(option):
    key = f"{option['section']}.{option['name']}"
    assert key in shipped(), f"{key} is missing in sfproxy.conf"
    value, sentence, active = shipped()[key]
    assert value == option["default"]
    assert sentence and sentence.startswith(option["help"])
    assert active == (option["default"] != ""), "active lines have a default, the others are commented out"


@pytest.mark.parametrize("option", OPTIONS, ids=IDS)
def test_documented(option):
    key = f"{option['section']}.{option['name']}"
    assert key in documented(), f"{key} has no row in docs/config.md"
    default, limits, applies = documented()[key]
    assert default == option["default"]
    assert applies == ("restart" if option["flags"] == "RESTART" else "reload")
    if option["type"] == "CHOICE":
        assert limits.split(", ") == option["min"].strip('"').split("|")


def test_nothing_else():
    assert set(shipped()) == set(IDS)
    assert set(documented()) == set(IDS)


def test_environment_names_are_unique():
    names = [f"SFPROXY_{o['section']}_{o['name']}".upper() for o in OPTIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"SFPROXY_[A-Z]+_[A-Z_]+", n) for n in names)
    assert "SFPROXY_ASCII" not in names


def test_limits_are_explained():
    text = (ROOT / "docs/config.md").read_text(encoding="utf-8")
    beyond = text[text.index("## Limits, and what happens") :]
    for option in OPTIONS:
        if option["section"] == "limits":
            assert f"| `limits.{option['name']}` | `{option['default']}` |" in beyond, option["name"]


@pytest.mark.parametrize("section", ["clients", "keys"])
def test_sections_with_names_of_the_user(section):
    text = (ROOT / "sfproxy.conf").read_text(encoding="utf-8")
    block = text[text.index(f"[{section}]") :].split("\n\n")[0].splitlines()[1:]
    assert block and all(line.startswith(";") and " = " in line for line in block)


@pytest.mark.parametrize("word", re.findall(r'\{"(\w+)\.", set_\w+\}', (ROOT / "src/conf/models.c").read_text()))
def test_rules_of_models(word):
    assert re.search(rf"^;{word}\.\S+ = \S", (ROOT / "sfproxy.conf").read_text(encoding="utf-8"), re.M)
    assert f"| `{word}." in (ROOT / "docs/config.md").read_text(encoding="utf-8")
