"""docs/keys.md is made of the tables that the screen runs on: ui/tui/bindings.h, ui/tui/app_command.c and the English
sentences of ui/tui/lang_help.h. `python3 tests/lint/keys_page.py` writes it; test_docs.py compares."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/keys.md"

INTRO = """# Keys of the screen

`?` on the screen shows the same table, and `/` searches it. The bottom line names the keys that are valid now, the usual
ones first. Full-width letters of an input method count as the plain ones. A key that does nothing in a view says where it
works. This page is made from the table that drives the screen: `python3 tests/lint/keys_page.py`.
"""

SECTIONS = [
    ("Anywhere", "IN_ALL", ""),
    ("Overview", "IN_OVERVIEW", "Without any key the Overview is the page of the first start; `a` and `c` work there too."),
    ("Keys", "IN_KEYS", "A verb works on the marked rows, else on the row under the cursor; on the row of an account it "
                        "works on all of its keys."),
    ("Models", "IN_MODELS", ""),
    ("Requests", "IN_REQUESTS", ""),
    ("Log", "IN_LOG", ""),
    ("Help", "IN_HELP", ""),
    ("While a line is typed", "IN_LINE|IN_COMMAND", "The filter of `/`, the command line of `:`, a label, a balance."),
    ("While keys are added", "IN_ADD", ""),
    ("Questions", "IN_YES_NO", ""),
    ("The quit dialog", "IN_QUIT", ""),
    ("The list of columns", "IN_COLUMNS", ""),
]

FILTER = """## The filter

Words with blanks between them must all occur; `!word` must not. `field:text` looks in one column, `field>number` and
`field<number` compare, with `K` and `M`, or `s`, `m`, `h` for times: `class:free state:cool`, `status:429 dur>5`, `tpm>10K`.
Fields of Keys: {keys}. Of Models: {models}. Of Requests: {requests}. Words of states and classes may be English in both
languages. What is no field is plain text. `Esc` clears the filter; it stays with its view until then.
"""


ALIASES = {"K_DELETE": "Del", "K_F1": "F1", "K_F5": "F5", "K_F10": "F10", "K_BACKSPACE": "Backspace", "K_BACKTAB": "S-Tab",
           "K_ENTER": "Enter"}


def read(name):
    return (ROOT / "ui/tui" / name).read_text(encoding="utf-8")


def bindings():
    rows = re.findall(r"""^    B\(([\w |]+), \w+, .*?, (\w+(?:\('.'\))?|'.'), "([^"]*)", (\w+), (\w+)\)""", read("bindings.h"), re.M)
    assert len(rows) == len(re.findall(r"^    B\(", read("bindings.h"), re.M)) > 60
    named = dict(re.findall(r"(IN_TABLES|IN_TYPING) = ([\w |]+),", read("bindings.h")))
    for scopes, alias, label, hint, sentence in rows:
        for group, members in named.items():
            scopes = scopes.replace(group, members)
        other = ALIASES.get(alias, alias[1] if alias.startswith("'") else "")
        if label and other and other not in label:
            label += f" {other}"
        yield set(re.findall(r"IN_\w+", scopes)), label, hint, sentence


def sentences():
    return dict(re.findall(r'MSG\((\w+), \d+, "((?:[^"\\]|\\.)*)",', read("lang_help.h") + read("lang_table.h")))


def label_of(text):
    names = {"Spc": "Space"}
    return " ".join(w if w == "arrows" else f"`{names.get(w, w)}`" for w in text.split())


def fields(name):
    return ", ".join(f"`{f}`" for f in re.findall(r'^ *\[\w+\] = \{MSG_.*?|"([\w/]+)"\}', read(name)) if f)


def page():
    text, says, rows = [INTRO], sentences(), list(bindings())
    for title, scope, note in SECTIONS:
        wanted = set(scope.split("|"))
        lines = [(l, s) for scopes, l, _, s in rows if scopes & wanted and s != "NONE" and (scope == "IN_ALL" or "IN_ALL" not in scopes)]
        text.append(f"\n## {title}\n\n" + (note + "\n\n" if note else "") + "| key | what it does |\n|---|---|\n")
        seen = []
        for label, sentence in lines:
            if (label, sentence) not in seen:
                text.append(f"| {label_of(label)} | {says[sentence].replace('|', chr(92) + '|')} |\n")
                seen.append((label, sentence))
    text.append("\n## Command line\n\n| command | what it does |\n|---|---|\n")
    for name, sentence in re.findall(r'^    \{"([\w \[\]-]+)", cmd_\w+, [\w]+, MSG_(\w+)\},', read("app_command.c"), re.M):
        text.append(f"| `:{name}` | {says[sentence]} |\n")
    text.append("\n" + FILTER.format(keys=fields("keys_columns.c"), models=fields("view_models.c"), requests=fields("view_requests.c")))
    return "".join(text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
