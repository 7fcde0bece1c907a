import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.text import (
    MAX_TEXT,
    clean,
    counted,
    format_age,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    short_sha,
)

NASTY = st.sampled_from(
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "[/]",
        "[bold]",
        "\u202e",
        "\u2066",
        "\ud800",
        "\0",
        "\n",
        "\r",
        "\u2028",
        "\x9b",
        "é",
    ]
)


@given(
    st.lists(NASTY | st.text(max_size=30) | st.characters(codec=None), max_size=60).map("".join), st.integers(1, 400)
)
def test_clean_text_is_always_printable_and_bounded(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert cleaned.isprintable()
    assert len(cleaned) <= limit
    cleaned.encode()


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_clean_keeps_what_people_write() -> None:
    assert clean("STM32 Bootloader (Größe 8K) [/] 東京") == "STM32 Bootloader (Größe 8K) [/] 東京"
    assert clean("a\tb") == "a b"


def test_clean_shows_that_something_was_there() -> None:
    assert clean("a\x1b[31mb\u202ec") == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}c"


def test_long_text_ends_with_an_ellipsis() -> None:
    assert clean("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert clean("x" * (MAX_TEXT + 1)) == "x" * (MAX_TEXT - 1) + "…"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("131072", 131072),
        ("384K", 393216),
        ("384k", 393216),
        ("384 KiB", 393216),
        ("128KB", 131072),
        ("1M", 1048576),
        ("0x20000", 131072),
        ("0x20K", 32768),
        ("16 B", 16),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5K", "384G", "12 34", "0x", "1e3", "٣K", "384K\n", "9" * 40])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("50ms", 0.05), ("1s", 1.0), ("1.5 s", 1.5), ("2min", 120.0), ("0ms", 0)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("text", ["", "50", "ms", "-1s", "1h", "1.s", "1 m", "1e3s", "inf s", "nan s", "9" * 40 + "s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (980, "980 B"),
        (100762, "98.4 KiB"),
        (393216, "384 KiB"),
        (2097152, "2 MiB"),
        (1363149, "1.3 MiB"),
        (3 << 29, "1.5 GiB"),
    ],
)
def test_sizes_are_shown(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.0449, "45 ms"),
        (0.999, "1.0 s"),
        (1.34, "1.3 s"),
        (59.97, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.9, "1 h 0 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_durations_are_shown(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (3.9, "3 s"), (60, "1 min"), (7300, "2 h"), (4 * 86400 + 5, "4 d")]
)
def test_ages_are_shown_in_their_largest_unit(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


def test_one_of_something_has_no_plural() -> None:
    assert [counted(count, "board") for count in (0, 1, 2)] == ["0 boards", "1 board", "2 boards"]


def test_a_short_sha_is_its_beginning() -> None:
    assert short_sha("0123456789abcdef" * 4) == "0123456789ab"
