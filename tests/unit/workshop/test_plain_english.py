"""One name for one thing, in every string, docstring and document of the product."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]

SAY_INSTEAD = {
    r"artifacts?": "build (a file that a build wrote), or image (its bytes)",
    r"new images?": "new build; or just image, for bytes",
    r"(?:an?|the|each|every|this|that|its|their|old|older|of|with) offers?": "build, or offered build",
    r"only offered": "offered",
    r"holdings?": "contents (of a partition), on hold (a board)",
    r"holds it": "has it",
    r"held": "on hold (a board), blocked (a job), kept or has (bytes)",
    r"apps? runs?": "running",
    r"runs? (?:its|their|the) applications?": "is running",
    r"dfu at \d": "in DFU mode",
    r"in doubt": "uncertain",
    r"(?<!in )doubts?": "uncertain",
    r"settling": "being written",
    r"can not": "cannot",
}
"""Words that have a plainer name, as patterns, and that name."""

RIDDLE = r"(?:(?:of|for|to|in|by|from|with|at|on) )?(?:what|whether|where|how|who|whom|whose|why|which|when)\b"
"""How a docstring begins that says neither what the thing does nor what it is; `Of which …`, too."""
NOT_A_RIDDLE = "Return …, True if …, The …, or a verb"

NAMES = {
    "Artifact": "a type, in an annotation that stands before it",
    "artifact": "field of an event, and table of the journal",
    "no-such-artifact": "kind of error on the socket",
    "held": "kind of error on the socket",
}
"""Strings that the socket protocol or a file fixes, whole."""

IN_SQL = {
    "TABLE artifact (": "table of the journal",
    "UPDATE artifact SET": "table of the journal",
    "INTO artifact VALUES": "table of the journal",
    "FROM artifact": "table of the journal",
    "TABLE holding (": "table of the journal",
    "UPDATE holding SET": "table of the journal",
    "INTO holding VALUES": "table of the journal",
    "FROM holding": "table of the journal",
    "WHEN 'held' THEN": "status of a job in a journal of an earlier schema",
}
"""Pieces of SQL that a journal on somebody's disk fixes."""

_REFUSED = {re.compile(rf"(?i)\b{pattern}\b"): instead for pattern, instead in SAY_INSTEAD.items()}
_RIDDLE = re.compile(f"(?i){RIDDLE}")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Text(NamedTuple):
    """One text of a file: where it begins, itself, and whether it documents code."""

    line: int
    text: str
    documents: bool = False


def python_texts(source: str) -> Iterator[Text]:
    """Return each string of a module; an f-string with `…` for each value."""
    tree = ast.parse(source)
    documents: set[int] = set()
    pieces: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as constant):
                documents.add(id(constant))
            case ast.Call(func=ast.Name("key"), args=[ast.Constant(value=str()) as constant, *_]):
                documents.add(id(constant))  # of a key in a TOML file, for editors
            case ast.JoinedStr(values=values):
                pieces |= {id(value) for value in values}
            case _:
                pass
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                whole = "".join(str(value.value) if isinstance(value, ast.Constant) else "…" for value in values)
                yield Text(node.lineno, whole)
            case ast.Constant(value=str(text)) if id(node) not in pieces:
                yield Text(node.lineno, text, documents=id(node) in documents)
            case _:
                pass


def toml_texts(source: str) -> Iterator[Text]:
    """Each comment of a TOML file; Python's tokens find it beside a string with a `#` in it."""
    for number, line in enumerate(source.splitlines(), 1):
        try:
            for token in tokenize.generate_tokens(io.StringIO(line).readline):
                if token.type == tokenize.COMMENT:
                    yield Text(number, token.string)
        except tokenize.TokenError:
            pass  # a list or table that ends on a later line


def document_texts(source: str) -> Iterator[Text]:
    yield Text(1, source)


def without_code(text: str) -> str:
    """Return `text` with its code blanked, on as many lines as before: identifiers may have any name."""
    return _CODE.sub(lambda found: "\n" * found[0].count("\n") or "…", text)


def mistakes(name: str, texts: Iterator[Text]) -> Iterator[str]:
    """Return each mistake in words: where it stands, and what to say instead."""
    for text in texts:
        if text.text in NAMES:
            continue
        plain = text.text
        for phrase in IN_SQL:
            plain = plain.replace(phrase, "…")
        plain = without_code(plain)
        for pattern, instead in _REFUSED.items():
            for found in pattern.finditer(plain):
                line = text.line + plain.count("\n", 0, found.start())
                yield f"{name}:{line}: {' '.join(found[0].split())!r}: say {instead}"
        if text.documents and (found := _RIDDLE.match(plain)):
            yield f"{name}:{text.line}: a docstring that begins with {found[0]!r}: begin with {NOT_A_RIDDLE}"


def product() -> Iterator[tuple[str, Iterator[Text]]]:
    """Return each file of the product that a person reads, with its texts."""
    for top in ("shared", "daemon", "tui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            yield str(path.relative_to(ROOT)), python_texts(path.read_text())
    for path in sorted((ROOT / "config").rglob("*.toml")):
        yield str(path.relative_to(ROOT)), toml_texts(path.read_text())
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for path in documents:
        yield str(path.relative_to(ROOT)), document_texts(path.read_text())


def test_every_text_has_one_name_for_one_thing() -> None:
    files = list(product())
    assert {Path(name).suffix for name, _ in files} == {".py", ".toml", ".md"}
    assert [mistake for name, texts in files for mistake in mistakes(name, texts)] == []


def test_every_exception_is_needed() -> None:
    sources = [path.read_text() for top in ("shared", "daemon", "tui") for path in (ROOT / top).rglob("*.py")]
    strings = {text.text for source in sources for text in python_texts(source)}
    assert [name for name in NAMES if name not in strings] == []
    assert [phrase for phrase in IN_SQL if not any(phrase in string for string in strings)] == []


@pytest.mark.parametrize(
    ("source", "line", "word", "instead"),
    [
        ('raise Refused("no artifact is known")', 1, "'artifact'", "build"),
        ('say(f"{count} Artifacts of {board}")', 1, "'Artifacts'", "build"),
        ('hint = "flash the new image"', 1, "'new image'", "build"),
        ('hint = (\n    "the new "\n    "images"\n)', 2, "'new images'", "build"),
        ('hint = "take the offer with f"', 1, "'the offer'", "offered build"),
        ('note = "disarmed: builds are only offered"', 1, "'only offered'", "offered"),
        ('note = "the holding of app1"', 1, "'holding'", "contents"),
        ('def f():\n    """Return the sector\n    which holds it.\n    """', 3, "'holds it'", "has it"),
        ('note = "held against it"', 1, "'held'", "blocked"),
        ('note = "app runs"', 1, "'app runs'", "running"),
        ('note = "the board runs its application"', 1, "'runs its application'", "running"),
        ('note = "dfu at 1-1"', 1, "'dfu at 1'", "in DFU mode"),
        ('note = "contents in doubt"', 1, "'in doubt'", "uncertain"),
        ('note = "doubts"', 1, "'doubts'", "uncertain"),
        ('note = "settling"', 1, "'settling'", "being written"),
        ('note = "that can not be"', 1, "'can not'", "cannot"),
        ('"""What is there."""', 1, "'What'", "begin with"),
        ('class C:\n    x: int\n    """Whether x."""', 3, "'Whether'", "begin with"),
        ('def f():\n    """Where it is."""', 2, "'Where'", "begin with"),
        ('async def f():\n    """Of what it is made."""', 2, "'Of what'", "begin with"),
        ('def f():\n    """How."""', 2, "'How'", "begin with"),
        ('def f():\n    """Who."""', 2, "'Who'", "begin with"),
        ('def f():\n    """Why."""', 2, "'Why'", "begin with"),
        ('x: Annotated[bool, key("Whether it is plugged in.")]', 1, "'Whether'", "begin with"),
    ],
)
def test_a_planted_word_is_found_with_its_place(source: str, line: int, word: str, instead: str) -> None:
    (found,) = {each for each in mistakes("planted.py", python_texts(source)) if word in each}
    assert found.startswith(f"planted.py:{line}: ")
    assert instead in found


def test_a_planted_word_is_found_in_a_comment_and_in_a_document() -> None:
    toml = 'guards = [  # of each artifact\n  "a # held",\n]\nholds = "data"  # in doubt\n'
    found = list(mistakes("a.toml", toml_texts(toml)))
    assert [each.partition(": say")[0] for each in found] == ["a.toml:1: 'artifact'", "a.toml:4: 'in doubt'"]
    document = "# A\n```sh\nls artifact\n```\nThe `held` kind.\nIt is held.\n"
    assert list(mistakes("A.md", document_texts(document))) == [f"A.md:6: 'held': say {SAY_INSTEAD['held']}"]


@pytest.mark.parametrize(
    "source",
    [
        'kind = "held"',
        'sql = "REPLACE INTO artifact VALUES (?, ?, ?)"',
        '"""Return an `Artifact`, as `held` says."""',
        "artifact = Holding(settling=1)",
        'note = "put the board on hold, and release it"',
        'note = "tinyusb offers two settings"',
        '"""The board whose job it is."""',
    ],
)
def test_names_of_code_and_wire_are_free(source: str) -> None:
    assert list(mistakes("planted.py", python_texts(source))) == []
