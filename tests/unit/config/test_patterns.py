"""Regular expressions of the configuration: what is taken, what is refused, and that a search has an end."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.pattern_nodes import Alternation, Node, Repeat, Series
from flashdeck.patterns import ATTEMPTS, MAX_PATTERN, REACH, parse_pattern

FIRMWARE = (
    b"\x00\xffjunk fw 1.2.3-rc1\x00\xff FW_VERSION=2.3.4\xff v1.2.3.4\x00beta22\x00build 77 of June\x00 x: y, z\n"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"fw (?P<version>\S+)", "1.2.3-rc1"),
        (r"(?P<name>[a-z]+) (?P<version>\d[\d.]*)", "1.2.3"),
        (r"FW_VERSION=([0-9.]+)", "2.3.4"),
        (r"v\d+(?:\.\d+)+", "v1.2.3.4"),
        (r"\d+\.\d+\.\d+\S*", "1.2.3-rc1"),
        (r"(?P<version>v?\d+(\.\d+)+(-[\w.]+)?)", "1.2.3-rc1"),
        (r"(?:alpha|beta|rc|rel)[0-9]+", "rc1"),
        (r"build (.*)", "77 of June"),
        (r"build (.*)\x00", "77 of June"),
        (r"build ([^ ]{1,8})", "77"),
        (r"x: ([^,]*),", "y"),
        (r"\xff FW_\w+=(\d)", "2"),
        (r"[-a-z]+2{2}", "beta22"),
        (r"nothing", ""),
        (r"build (\d{3,})", ""),
    ],
)
def test_the_group_called_version_else_the_first_one_else_all_of_it(text: str, found: str) -> None:
    assert parse_pattern(text).search(FIRMWARE) == found


def test_an_empty_match_is_none_and_the_next_one_counts() -> None:
    assert parse_pattern(r"v=(\d*)").search(b"v= v=2") == "2"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("(a+)+b", "a+: what comes behind it can begin with"),
        ("(a|aa)+b", "two alternatives can match what begins with"),
        ("(a|a)b", "two alternatives"),
        (".*version", ".*: what comes behind it can begin with"),
        (r"\s*\s*x", r"\s*: what comes behind it"),
        (r"x(\w+\s?)*", r"\w+: what comes behind it"),
        ("x(?:a(?:a+b)?)*", "(?:a+b)?: what comes behind it"),
        ("(a?){20}a{20}", "what is repeated must not be empty"),
        ("x(a*)*", "what is repeated must not be empty"),
        (r"(a)\1", r"\1 is not taken"),
        (r"\bv1", r"\b is not taken"),
        ("(?=a)b", '"(?=a" is not taken'),
        ("(?<!a)b", "is not taken"),
        ("(?i)v", "is not taken"),
        ("(?#x)v", "is not taken"),
        ("^v", '"^" has no meaning'),
        ("v$", '"$" has no meaning'),
        ("v+?", "two marks of repetition"),
        ("v++", "two marks of repetition"),
        ("v{2}{3}", "two marks of repetition"),
        ("v{3,2}", "the lesser number first"),
        ("v{999}", "from 0 to 256 times"),
        ("v{0}", "from 0 to 256 times"),
        ("*v", "nothing before"),
        ("v|", "nothing at all"),
        ("(v|)w", "an alternative is empty"),
        ("", "nothing at all"),
        ("v*", "nothing at all"),
        ("(v", "not closed"),
        ("v)", "too many"),
        ("[v", "not closed"),
        ("[z-a]", "no range"),
        (r"[\d-z]", "no range"),
        (r"[^\s\S]", "matches no character"),
        (r"\x4", "two hexadecimal digits"),
        ("v\\", "is not taken"),
        ("é", "not ASCII"),
        ("(?P<1>v)", "cannot be the name"),
        ("(?P<a>v)(?P<a>w)", "cannot be the name"),
        ("v" * (MAX_PATTERN + 1), "200 are the most"),
    ],
)
def test_what_could_take_long_or_has_no_meaning_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse_pattern(text)


@pytest.mark.parametrize("text", [r"[^!]+!", "[a-z]+[0-9]", r"v[\w.]+ x", r"(?:ab|ac)+d"])
def test_hostile_images_end(text: str) -> None:
    pattern = parse_pattern(text)
    for unit in (b"a", b"ab", b"v", b"abac"):
        assert pattern.search(unit * (64 * 1024 // len(unit))) == ""


def test_an_attempt_does_not_look_far() -> None:
    pattern = parse_pattern(r"v[0-9]*!")
    assert pattern.search(b"v" + b"1" * (REACH - 2) + b"!")
    assert pattern.search(b"v" + b"1" * (REACH - 1) + b"!") == ""


def test_the_attempts_are_counted() -> None:
    assert parse_pattern("a[^!]?!").search(b"a" * (ATTEMPTS + 2) + b"!") == ""


# The proof, on expressions of all shapes: a matcher that tries every way never goes through the same bytes twice.

SETS = st.sampled_from(("a", "b", "c", "[ab]", "[^a]"))
PATTERNS = st.recursive(
    SETS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"(?:{'|'.join(ways)})"),
        st.tuples(inner, st.sampled_from(("?", "*", "+", "{2}", "{1,3}"))).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        inner.map(lambda part: f"({part})"),
    ),
    max_leaves=6,
)


class Backtracking:
    """A matcher that tries every way, greedy first, and counts the bytes that it looks at."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.looks = 0

    def ends(self, node: Node, at: int) -> Iterator[int]:
        match node:
            case Series(parts=parts):
                yield from self._series(parts, at)
            case Alternation(ways=ways):
                for way in ways:
                    yield from self.ends(way, at)
            case Repeat(part=part):
                least, most = map(int, re.findall(r"\d+", node.written.rpartition("{")[2]))
                yield from self._repeat(part, least, most, at)
            case _:
                self.looks += 1
                if at < len(self.data) and self.data[at] in node.first:
                    yield at + 1

    def _series(self, parts: tuple[Node, ...], at: int) -> Iterator[int]:
        if not parts:
            yield at
            return
        for end in self.ends(parts[0], at):
            yield from self._series(parts[1:], end)

    def _repeat(self, part: Node, least: int, most: int, at: int) -> Iterator[int]:
        if most:
            for end in self.ends(part, at):
                yield from self._repeat(part, max(0, least - 1), most - 1, end)
        if not least:
            yield at


@given(PATTERNS, st.text("abc", max_size=40).map(str.encode))
def test_an_attempt_on_what_is_taken_is_linear_and_finds_what_any_matcher_finds(text: str, data: bytes) -> None:
    try:
        pattern = parse_pattern(text)
    except ValueError:
        return
    matcher = Backtracking(data)
    end = next(matcher.ends(pattern.root, 0), None)
    assert matcher.looks <= (len(data) + 1) * 2 * len(text)
    usual = re.match(pattern.root.written.encode(), data)
    assert end == (usual.end() if usual else None)


@given(st.text(max_size=30) | st.text("ab.[](){}|?*+\\^$-,09x:P<>", max_size=30))
def test_whatever_the_text_it_is_taken_or_refused_with_a_sentence(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - some texts are taken
    else:
        pattern.search(FIRMWARE)
