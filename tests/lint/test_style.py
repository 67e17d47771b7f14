"""Lengths, calls that are not to be used, leftovers, and what stands at the top of the repository."""

import re
import warnings

import pytest
from sources import PROGRAM, ROOT, TESTS, code_of, name, text_of, tracked

FUNCTION_MAX, FUNCTION_LONG, FILE_MAX = 100, 60, 900
FLAT_SWITCHES = set()  # "file:function": longer than FUNCTION_MAX, but a table in the form of a switch
TEST_FILES_MAX = 1200
TOP = {"src", "ui", "docs", "tests", "Makefile", "sfproxy.conf", "README.md", "LICENSE"}
BANNED = {
    r"(?:strcpy|strcat|strncat|strncpy|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof)": "overruns, cuts or guesses",
    r"(?:localtime|gmtime|ctime|asctime|strerror_l|tmpnam|mktemp)": "shared state or races; use the _r form or mkstemp",
    r"(?:system|popen|vfork|alloca|rand|srand|random)": "no shells, no unbounded stack, no weak randomness",
    r"(?:sleep|usleep|nanosleep)": "threads wait on what they wait for",
    r"(?:cJSON_GetObjectItem|cJSON_HasObjectItem|cJSON_Parse)": "use the case-sensitive getters, ParseWithLengthOpts",
    r"(?:evhttp_\w+|curl_easy_perform)": "blocks or is not strict enough",
}
MAY = {
    "src/cli.c": {"nanosleep"},  # a subcommand that asks the running instance again until a test is over
    "src/cli_http.c": {"curl_easy_perform"},  # a subcommand: nothing else runs
}


def functions(path):
    """(name, first line, lines of the body) of every function: braces at column 0."""
    lines = code_of(path).split("\n")
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start is not None:
            head = " ".join(lines[max(0, start - 4) : start])
            names = re.findall(r"(\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$", head)
            yield (names[-1] if names else "?"), start + 1, number - start - 1
            start = None


@pytest.mark.parametrize("path", PROGRAM + TESTS, ids=name)
def test_lengths(path):
    limit = FILE_MAX if path in PROGRAM else TEST_FILES_MAX
    assert text_of(path).count("\n") <= limit, f"{name(path)} has more than {limit} lines"
    for function, line, length in functions(path):
        where = f"{name(path)}:{line}: {function}() has {length} lines"
        if length > FUNCTION_MAX:
            assert f"{name(path)}:{function}" in FLAT_SWITCHES, where
        elif length > FUNCTION_LONG and path in PROGRAM:
            warnings.warn(where)


@pytest.mark.parametrize("path", PROGRAM, ids=name)
def test_banned_calls(path):
    code = re.sub(r"^#pragma GCC poison.*$", "", code_of(path), flags=re.M)
    for pattern, why in BANNED.items():
        for call in re.findall(rf"(?<![\w.>])({pattern})\s*\(", code):
            assert call in MAY.get(name(path), ()), f"{name(path)} calls {call}(): {why}"
    assert not re.search(r"setlocale\s*\(\s*LC_ALL", code), f"{name(path)}: LC_ALL changes what numbers look like"


@pytest.mark.parametrize("path", PROGRAM + TESTS, ids=name)
def test_white_space(path):
    text = text_of(path)
    assert text.endswith("\n") and not text.endswith("\n\n"), f"{name(path)} ends oddly"
    for number, line in enumerate(text.split("\n"), 1):
        assert line == line.rstrip(), f"{name(path)}:{number}: blanks at the end"
        assert "\t" not in line, f"{name(path)}:{number}: a tab"


def test_leftovers():
    """The words are put together here so that this file does not find itself."""
    words = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")
    others = [ROOT / "Makefile", ROOT / "sfproxy.conf", *(ROOT / "docs").glob("*.md"), *(ROOT / "ui/web").glob("*")]
    others += [p for p in (ROOT / "tests").rglob("*.py") if "node_modules" not in p.parts]
    for path in [*PROGRAM, *TESTS, *others]:
        found = words.search(text_of(path))
        assert not found, f"{name(path)}: {found[0]}"


def test_no_long_dashes():
    for path in [*PROGRAM, *(ROOT / "ui/web").glob("*")]:
        assert "\u2014" not in text_of(path), name(path)


def test_every_c_file_tells_its_story():
    """A file that is not small begins with a comment, its own or its header's."""
    for path in PROGRAM:
        if path.suffix != ".c" or text_of(path).count("\n") < 100:
            continue
        header = path.with_suffix(".h")
        told = text_of(path).startswith("/*") or (header.exists() and text_of(header).startswith("/*"))
        assert told, f"{name(path)} does not say what it is for"


def test_top_of_the_repository():
    names = tracked()
    if names is None:
        pytest.skip("no git here")
    top = {n.split("/", 1)[0] for n in names}
    assert {t for t in top if not t.startswith(".")} <= TOP
    assert not [n for n in names if n.endswith((".o", ".a", ".so", ".pyc", ".db"))], "made files are not kept in git"


def test_unused_functions_are_named():
    """A hint, no failure: public functions that only their own file mentions."""
    prototype = re.compile(r"^(?!static|typedef|#)[\w *]+?\b([a-z_]\w*)\([^;{}]*\)[^;{}()]*;", re.M)
    words = {p: set(re.findall(r"\w+", code_of(p))) for p in PROGRAM + TESTS}
    for path in PROGRAM:
        if path.suffix != ".h":
            continue
        own = path.with_suffix(".c")
        for function in prototype.findall(code_of(path)):
            if not any(function in w for p, w in words.items() if p not in (path, own)):
                warnings.warn(f"{name(path)}: nobody outside {own.name} uses {function}()")
