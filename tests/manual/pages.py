"""A page of the manual as a shell script.

Its ```sh blocks are the script, and every other line of it is blank: the shell names the page's own lines. Comments of
HTML, which no reader sees, say what a page needs and what is special about a block. CONTRIBUTING has them all.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
"""Every page that a user reads."""

_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>```+)(?P<language>[\w-]*)")
_ONE_LINE = re.compile(r"<!-- (?P<word>bench|needs|file|terminal|stays|ends with|only): (?P<said>.*) -->")
_FIRST = "<!-- before:"
_END = "-->"
_HEREDOC = "END_OF_BLOCK"


class Elsewhere(StrEnum):
    """The place where commands run that no emulated bench can run."""

    VM = "in the virtual machine"
    """They want root's machine, a kernel or systemd: `make vm-test`."""
    CI = "by CI"
    """They are steps of `.ci/run`."""
    HAND = "by hand"
    """They want what none of these have: a real board, another machine."""


@dataclass(frozen=True, slots=True)
class Apart:
    """A block that is not run on the bench of its page."""

    where: Elsewhere
    why: str
    commands: tuple[str, ...]


class PageError(Exception):
    """A page says something that has no meaning: file and line, and what."""


@dataclass(slots=True)
class Page:
    """The lines of a page for a shell."""

    name: str
    """Its path in the tree."""
    bench: str = ""
    """The directory of `benches` that it wants; "" where it has no commands."""
    needs: tuple[str, ...] = ()
    """Programs that not every machine has, and that Debian has in packages of the same name."""
    lines: list[str] = field(default_factory=list[str])
    """The script, a line for each line of the page."""
    commands: int = 0
    """Commands to type, those that run elsewhere not counted."""
    apart: list[Apart] = field(default_factory=list[Apart])

    @property
    def script(self) -> str:
        return "\n".join(self.lines) + "\n"


def read(path: Path) -> Page:
    """Return the page in this file; raises PageError."""
    return parsed(str(path.relative_to(ROOT)), path.read_text())


def parsed(name: str, text: str) -> Page:
    """Return the page of this name; raises PageError."""
    page = Page(name)
    mark: tuple[str, str] | None = None
    numbered = enumerate(text.splitlines(), 1)
    for number, line in numbered:
        if (comment := _ONE_LINE.fullmatch(line.strip())) is not None:
            page.lines.append("")
            if comment["word"] == "bench":
                page.bench = comment["said"]
            elif comment["word"] == "needs":
                page.needs = tuple(comment["said"].split())
            else:
                mark = comment["word"], comment["said"]
        elif line.strip() == _FIRST:
            page.lines.append("")
            page.lines += [inner.strip() for _, inner in _until(page, numbered, number, _END)] + [""]
        elif (fence := _FENCE.match(line)) is not None:
            block = [inner for _, inner in _until(page, numbered, number, fence["indent"] + fence["ticks"])]
            indent = len(fence["indent"])
            _add(page, mark, fence["language"], [inner[indent:] for inner in block], number)
            mark = None
        elif line.strip() and mark is not None:
            raise PageError(f"{page.name}:{number}: {mark[0]!r} is said of no block")
        else:
            page.lines.append("")
    if page.commands and not page.bench:
        raise PageError(f"{page.name}: it has commands, and names no bench")
    return page


def _until(page: Page, numbered: Iterator[tuple[int, str]], began: int, end: str) -> Iterator[tuple[int, str]]:
    """Yield the lines up to the one that ends what began; takes that one, too."""
    for number, line in numbered:
        if line == end or (end == _END and line.strip() == end):
            return
        yield number, line
    raise PageError(f"{page.name}:{began}: it has no end")


def _add(page: Page, mark: tuple[str, str] | None, language: str, block: list[str], number: int) -> None:
    """Add a fenced block, as its mark and its language say."""
    word, said = mark or ("", "")
    if language != "sh" and word != "file":
        if word:
            raise PageError(f"{page.name}:{number}: {word!r} is said of a block that is no sh")
        page.lines += [""] * (len(block) + 2)
        return
    typed = commands(block)
    if word == "only":
        where, _, why = said.partition(": ")
        page.apart.append(Apart(Elsewhere(where), why, typed))
        page.lines += [""] * (len(block) + 2)
        return
    if word != "file":
        page.commands += len(typed)
    if not word:
        page.lines += ["", *block, ""]
        return
    head = {
        "file": f"keep {shlex.quote(said)}",
        "terminal": f"on_terminal {said}",
        "stays": f"stays {said}",
        "ends with": f"ends_with {said}",
    }[word]
    page.lines += [f"{head} <<'{_HEREDOC}'", *block, _HEREDOC]


def commands(block: list[str]) -> tuple[str, ...]:
    """Return the commands of a block, each on one line and without its comment."""
    joined = "\n".join(block).replace("\\\n", " ").splitlines()
    stripped = (" ".join(re.sub(r"(^|\s)#.*$", "", line).split()) for line in joined)
    return tuple(line for line in stripped if line)
