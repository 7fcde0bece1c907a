"""The nodes of a bounded regular expression, and the proof that it has one way at most to go on. Pure.

`flashdeck.patterns` makes these of text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

Bytes = frozenset[int]
"""A set of bytes."""
TEXT: Bytes = frozenset((0x09, *range(0x20, 0x7F)))
"""Printable ASCII."""
WORDS: Bytes = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of an expression. Alone, it is one byte of a set."""

    first: Bytes
    """The bytes that it can begin with."""
    fixed: tuple[Bytes, ...]
    """Its first bytes, as far as it has no choice."""
    is_fixed: bool
    """True if `fixed` is all of it."""
    is_nullable: bool
    """True if it matches nothing at all, too."""
    written: str
    """As Python's `re` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(Node):
    """Parts, one behind the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternation(Node):
    """One of several parts."""

    ways: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Node):
    """One part several times."""

    part: Node
    is_open: bool
    """True if the number of times is not fixed."""
    is_again: bool
    """True if it may be more than one time."""
    text: str
    """As it was written."""


def byte(among: Bytes) -> Node:
    """Return one byte of a set."""
    codes = [f"\\x{code:02x}" for code in sorted(among)]
    return Node(
        first=among,
        fixed=(among,),
        is_fixed=True,
        is_nullable=False,
        written=codes[0] if len(codes) == 1 else f"[{''.join(codes)}]",
    )


def series(parts: Sequence[Node]) -> Node:
    """Return these parts, one behind the other."""
    if len(parts) == 1:
        return parts[0]
    fixed: list[Bytes] = []
    for part in parts:
        fixed += part.fixed
        if not part.is_fixed:
            break
    return Series(
        first=_first(parts, frozenset()),
        fixed=tuple(fixed),
        is_fixed=all(part.is_fixed for part in parts),
        is_nullable=all(part.is_nullable for part in parts),
        written="".join(part.written for part in parts),
        parts=tuple(parts),
    )


def choice(ways: Sequence[Node]) -> Node:
    """Return one of these parts."""
    if len(ways) == 1:
        return ways[0]
    return Alternation(
        first=frozenset[int]().union(*(way.first for way in ways)),
        fixed=(),
        is_fixed=False,
        is_nullable=any(way.is_nullable for way in ways),
        written=f"(?:{'|'.join(way.written for way in ways)})",
        ways=tuple(ways),
    )


def repeat(part: Node, least: int, most: int, text: str) -> Node:
    """Return `part` from `least` to `most` times; `text` is how that was written."""
    is_fixed = part.is_fixed and least == most
    return Repeat(
        first=part.first,
        fixed=part.fixed * least if is_fixed else part.fixed if least else (),
        is_fixed=is_fixed,
        is_nullable=part.is_nullable or not least,
        written=f"(?:{part.written}){{{least},{most}}}",
        part=part,
        is_open=least != most,
        is_again=most > 1,
        text=text,
    )


def group(part: Node, name: str) -> Node:
    """Return `part` as a group; `name` is empty where it has none."""
    return Series(
        first=part.first,
        fixed=part.fixed,
        is_fixed=part.is_fixed,
        is_nullable=part.is_nullable,
        written=f"({f'?P<{name}>' if name else ''}{part.written})",
        parts=(part,),
    )


def check(node: Node, follow: Bytes | None = None) -> None:
    """Raise ValueError, with a sentence, where the next bytes do not decide how to go on.

    `follow` is what can come behind `node`; None where all of that may also be missing, so that no failure there ever
    makes a choice in here be taken back.
    """
    behind = follow or frozenset[int]()
    match node:
        case Series(parts=parts):
            for index, part in enumerate(parts):
                rest = parts[index + 1 :]
                is_last = follow is None and all(each.is_nullable for each in rest)
                check(part, None if is_last else _first(rest, behind))
        case Alternation(ways=ways):
            _check_ways(ways)
            for way in ways:
                check(way, follow)
        case Repeat(part=part, text=text):
            both = part.first & behind
            if part.is_nullable:
                raise ValueError(f"{text}: what is repeated must not be empty")
            if node.is_open and both:
                raise ValueError(
                    f"{text}: what comes behind it can begin with {_example(both)}, which it matches, too; say what it "
                    "may not have, as in [^,]*, for .*,"
                )
            check(part, part.first | behind if node.is_again else follow)
        case _:
            return


def _check_ways(ways: tuple[Node, ...]) -> None:
    """Raise ValueError where more than one of them can match."""
    if any(way.is_nullable for way in ways):
        raise ValueError("an alternative is empty; write (?:…)? for what may be missing")
    for one, other in combinations(ways, 2):
        both = one.first & other.first
        if both and all(a & b for a, b in zip(one.fixed, other.fixed, strict=False)):
            raise ValueError(
                f"two alternatives can match what begins with {_example(both)}; put what they have in common before "
                "them, as in r(?:c|el) for rc|rel"
            )


def _first(parts: Iterable[Node], follow: Bytes) -> Bytes:
    """Return what these parts can begin with, one behind the other; with `follow` where all may be empty."""
    first = frozenset[int]()
    for part in parts:
        first |= part.first
        if not part.is_nullable:
            return first
    return first | follow


def _example(among: Bytes) -> str:
    """Return one of some bytes, the most readable."""
    code = min(among, key=lambda each: (each not in WORDS, each not in TEXT, each))
    return f'"{chr(code)}"' if code in TEXT else f"\\x{code:02x}"
