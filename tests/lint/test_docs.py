"""The documents tell what the code does: codes, steps, states, verdicts, cooldowns, routes, make targets, screen keys,
subcommands; and every link in them leads somewhere."""

import re
from pathlib import Path

import pytest

import keys_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def table(path, macro, row):
    """Every match of `row` in the #define of an X-macro table; fails when a row does not fit the pattern."""
    text = read(path)
    text = re.match(r"(?:.*\\\n)*.*", text[text.index(f"#define {macro}(") :])[0]
    name = re.match(r"#define \w+\((\w+)\)", text)[1]
    found = re.findall(rf"\b{name}\({row}", text)
    assert len(found) == len(re.findall(rf"^ +{name}\(", text, re.M)) > 0, f"{path}: rows that the pattern does not match"
    return found


def rows(path):
    """Cells of every table row of a page."""
    return [[c.strip() for c in line.strip("|").split("|")] for line in read(path).splitlines() if line.startswith("|")]


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def code_of(text):
    """Code blocks and code spans: where commands stand."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    return "\n".join(blocks + re.findall(r"`([^`\n]+)`", without_code(text)))


# --- errors ---

ERRORS = table("src/proxy/errors.h", "ERROR_TABLE", r"(\w+), (\d+), \"\w+\", \"\w+\", (true|false)\)")


@pytest.mark.parametrize("code, status, retry", ERRORS, ids=[e[0] for e in ERRORS])
def test_error_codes(code, status, retry):
    found = [r for r in rows("docs/errors.md") if r[0] == f"`{code}`"]
    assert len(found) == 1, f"{code} has {len(found)} rows in docs/errors.md"
    assert found[0][1] == status
    assert found[0][2] == ("yes" if retry == "true" else "no")


def test_no_error_code_that_is_gone():
    listed = {r[0].strip("`") for r in rows("docs/errors.md") if len(r) == 5 and r[1].isdigit()}
    assert listed == {e[0] for e in ERRORS}


# --- states ---

def test_steps():
    listed = {(r[0], r[1]) for r in rows("docs/states.md") if len(r) == 3}
    for step, name in table("src/proxy/steps.h", "STEP_TABLE", r"(\w+), \"(\w+)\""):
        assert (step, f"`{name}`") in listed, step


def names_of(function):
    """The strings of the names[] table in a function of keystate.c."""
    text = read("src/pool/keystate.c")
    body = text[text.index(f"*{function}(") :]
    return re.findall(r'"([^"]+)"', body[: body.index(";")])


@pytest.mark.parametrize("function, count, cells", [("key_state_name", 8, 4), ("key_class_name", 5, 2)])
def test_key_states_and_classes(function, count, cells):
    names = names_of(function)
    assert len(names) == count
    listed = [r[0].strip("`") for r in rows("docs/states.md") if len(r) == cells]
    for name in names:
        assert listed.count(name) == 1, name


def ends_of_requests():
    return table("src/meter/record.h", "END_TABLE", r"\w+, \"(\w+)\", (true|false)\)")


def test_ends_of_requests():
    listed = {r[0].strip("`"): r[2] for r in rows("docs/states.md") if len(r) == 3}
    for name, is_error in ends_of_requests():
        assert listed.get(name) == ("yes" if is_error == "true" else "no"), name


VERDICTS = table("src/pool/verdict.h", "VERDICT_TABLE", r"(\w+), \"(\w+)\", (\w+)")


@pytest.mark.parametrize("verdict, name, kind", VERDICTS, ids=[v[1] for v in VERDICTS])
def test_verdicts(verdict, name, kind):
    found = [r for r in rows("docs/states.md") if r[0] == f"`{name}`" and len(r) == 5]
    assert len(found) == 1, f"{name} has {len(found)} rows in the table of verdicts"
    assert found[0][2] == ("" if kind == "OK" else kind.lower())
    cools = re.search(rf"\[VERDICT_{verdict}\] = ", read("src/pool/cooldown.c")) is not None
    assert cools == (found[0][3] != "nothing"), "what cools down"


def test_what_clients_see():
    """code_of_verdict() against the last column, for the verdicts that an answer of ours is made of."""
    made = dict(re.findall(r"\[VERDICT_(\w+)\] = ERR_(\w+)", read("src/proxy/answer.c")))
    assert len(made) == len(VERDICTS)
    for verdict, name, kind in VERDICTS:
        if kind in ("OK", "FINAL") and verdict != "REDIRECT":
            continue
        row = next(r for r in rows("docs/states.md") if r[0] == f"`{name}`" and len(r) == 5)
        assert f"`{made[verdict]}`" in row[4], name


UNITS = {"SECOND": "s", "MINUTE": "min", "HOUR": "h"}


def ladders():
    """{"RATE_MINUTE": ["20 s", ...]} of cooldown.c."""
    found = re.findall(r"\[VERDICT_(\w+)\] = \{SCOPE_\w+, \{([^}]+)\}\}", read("src/pool/cooldown.c"))
    step = re.compile(r"(?:(\d+) \* )?(SECOND|MINUTE|HOUR)")
    return {v: [f"{n or 1} {UNITS[u]}" for n, u in step.findall(steps)] for v, steps in found}


def test_cooldown_ladder():
    names = {v: name for v, name, _ in VERDICTS}
    listed = {}
    for row in rows("docs/states.md"):
        if len(row) == 3 and re.search(r"\d (s|min|h)\b", row[1]):
            for name in re.findall(r"`(\w+)`", row[0]):
                listed[name] = re.findall(r"\d+ (?:min|s|h)\b", row[1])
    assert {names[v]: steps for v, steps in ladders().items()} == listed


# --- routes, subcommands, options of the command line ---

def documented_paths(page):
    text = code_of(read(page))
    return set(re.findall(r"(?<![\w.:])/[\w./{}]*", text))


@pytest.mark.parametrize("page", ["README.md", "docs/README.zh.md"])
def test_routes(page):
    paths = documented_paths(page)
    client = re.findall(r'^    \{(?:"\w+"|NULL), "(/[\w/]+)", ROUTE_KIND_\w+, .*?(true|false)\}', read("src/proxy/route.c"), re.M)
    assert len(client) == read("src/proxy/route.c").count(", ROUTE_KIND_") - 1, "rows the pattern does not match"
    exact = set()
    for path, prefix in client:
        if prefix == "false":
            exact.add(path)
            assert f"/v1{path}" in paths, path
        else:
            assert f"/v1{path}" in paths or f"/v1{path}/..." in paths, path
    own = re.findall(r'^    \{"GET", "(/[^"]*)", ROUTE_(?:PUBLIC|CLIENT)', read("src/proxy/own.c"), re.M)
    assert own
    for path in own:
        assert path.replace("{rest}", "{id}") in paths, path


@pytest.mark.parametrize("page", ["README.md", "docs/README.zh.md"])
def test_command_line(page):
    text, usage = code_of(read(page)), read("src/main.c")
    for option in set(re.findall(r'\{"([\w-]+)", (?:no|required)_argument', usage)) - {"config"}:
        assert f"--{option}" in text, option
    verbs = re.search(r"sfproxy keys ([\w|, -]+)", usage)[1]
    listed = set(re.findall(r"sfproxy keys ([\w|]+)", text))
    for verb in re.findall(r"\b(list|add|import|enable|disable|test|remove)\b", verbs):
        assert any(verb in group.split("|") for group in listed), verb
    for word in ("check", "status"):
        assert f"sfproxy {word}" in text


# --- make ---

def make_targets():
    found = set()
    for line in re.findall(r"^([\w./ -]+):(?!=)", read("Makefile"), re.M):
        found |= set(line.split())
    return found - {".PHONY"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_make_targets(page):
    targets = make_targets()
    assert {"run", "demo", "test"} <= targets
    for arguments in re.findall(r"\bmake((?: +[\w./=-]+)+)", code_of(page.read_text(encoding="utf-8"))):
        for word in arguments.split():
            if "=" not in word:
                assert word in targets, f"make {word}"


# --- keys of the screen ---

def test_screen_keys_and_commands():
    """docs/keys.md is what the tables say: nothing missing, nothing that is gone."""
    assert read("docs/keys.md") == keys_page.page(), "python3 tests/lint/keys_page.py writes it anew"


def test_requirements_of_the_screen():
    """Thirty of them, each with tests that exist."""
    found = {int(r[0]): r[2] for r in rows("docs/screen.md") if len(r) == 3 and r[0].isdigit()}
    assert sorted(found) == list(range(1, 31))
    tests = set()
    for path in (ROOT / "tests/tui").glob("test_*.py"):
        tests |= set(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.M))
    for number, cell in found.items():
        named = re.findall(r"`(test_\w+)`", cell)
        assert named and set(named) <= tests, number
    for test in tests:
        for number in re.findall(r"\d\d", re.match(r"test(?:_r?\d\d)*", test)[0]):
            assert f"`{test}`" in found[int(number)], test


# --- tests that pages name ---

def functions_of(file):
    return set(re.findall(r"^def (test_\w+)\(", (ROOT / "tests/e2e" / f"{file}.py").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("page, count", [("docs/clients.md", 21), ("docs/migrating.md", 22)])
def test_named_tests_exist(page, count):
    """A cell names a file, then tests of it; "unit" stands before a file of unit tests."""
    cells = [r[-1] for r in rows(page) if re.search(r"(?<![.`])\btest_", r[-1])]
    assert len(cells) == count
    for cell in cells:
        known = set()
        for unit, file, test in re.findall(r"(unit )?\b(?<!`)(test_\w+)|`(test_\w+)`", cell):
            if unit:
                assert (ROOT / "tests/unit" / f"{file}.c").is_file(), file
            elif file:
                known = functions_of(file)
            else:
                assert test in known, f"{test}: {cell}"


# --- the pages themselves ---

def anchors(text):
    """As GitHub makes them from headings."""
    heads = re.findall(r"^#+ (.+)$", without_code(text), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links(page):
    text = without_code(page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_reachable():
    for page in PAGES:
        if page.parent.name == "docs" and page.name != "README.zh.md":
            assert f"(docs/{page.name})" in read("README.md"), page.name
            assert f"({page.name})" in read("docs/README.zh.md"), page.name


HEADINGS = {
    "sfproxy": "sfproxy", "Start": "启动", "First request": "第一个请求", "Routes": "路由", "The screen": "终端界面",
    "How it works": "工作原理", "Subcommands": "子命令", "Configuration": "配置", "Security": "安全", "Not yet": "尚未提供",
    "Where to read next": "接着读", "Licence": "许可证",
}


def shape(path):
    """Level and text of each heading, with the rows of tables and the code blocks under it."""
    found, in_code = [], False
    for line in read(path).splitlines():
        if line.startswith("```"):
            in_code = not in_code
            found[-1][3] += in_code
        elif not in_code and re.match(r"#+ ", line):
            found.append([line.count("#"), line.lstrip("# "), 0, 0])
        elif not in_code and line.startswith("|"):
            found[-1][2] += 1
    return found


def test_both_readmes_say_the_same():
    english, chinese = shape("README.md"), shape("docs/README.zh.md")
    assert [(e[0], HEADINGS[e[1]], e[2], e[3]) for e in english] == [tuple(c) for c in chinese]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_options_exist(page):
    """Options named section.name in prose are options of options.h."""
    options = {f"{s}.{n}" for s, n in re.findall(r"OPTION\((\w+), (\w+), [A-Z]+,", read("src/conf/options.h"))}
    sections = {o.split(".")[0] for o in options}
    for section, name in re.findall(r"`(\w+)\.(\w+)(?: = [^`]*)?`", page.read_text(encoding="utf-8")):
        if section in sections and name not in ("c", "h"):  # files: `server.h`
            assert f"{section}.{name}" in options, f"{section}.{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_named_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:src|ui|tests|docs)/[\w./-]+\.(?:c|h|py|md|txt|json|ini|sh))`", text):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`((?:src|ui|tests|docs)/[\w/-]+)`", text):
        assert (ROOT / name).is_dir(), name


# --- admin API ---

ADMIN_ROUTES = re.findall(r'\{"(GET|POST|DELETE)", "(/[^"]*)", ROUTE_(\w+), \w+\}', read("src/admin/admin.c"))


def test_admin_routes():
    """docs/admin-api.md names exactly the routes of the table, with their classes."""
    listed = {r[0].strip("`"): r[1] for r in rows("docs/admin-api.md") if re.match(r"`(GET|POST|DELETE) /", r[0])}
    assert listed == {f"{m} {p}": c.lower() for m, p, c in ADMIN_ROUTES if c not in ("PUBLIC", "CLIENT")}


def test_metrics():
    """docs/admin-api.md names every metric, and the dashboard only metrics that there are."""
    written = set(re.findall(r'"((?:sfproxy|process)_\w+)"', read("src/admin/metrics.c")))
    named = set()
    for row in rows("docs/admin-api.md"):
        named |= set(re.findall(r"`((?:sfproxy|process)_\w+)`", row[0]))
    assert named == written
    used = set(re.findall(r"\b(sfproxy_\w+)", read("docs/grafana-dashboard.json")))
    assert {re.sub(r"_(bucket|sum|count)$", "", u) for u in used} <= written
