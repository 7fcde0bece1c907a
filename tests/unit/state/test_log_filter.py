"""The wanted lines of a log: by board, level, text and job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.log_filter import LogFilter, has_text
from flashdeck.model import LogLevel, LogLine


def line(text: str = "", board: str = "", level: LogLevel = LogLevel.INFO, job: int = 0) -> LogLine:
    return LogLine(id=1, time=0.0, level=level, text=text, board=board, job=job)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (LogFilter(), True),
        (LogFilter(boards=("rack-*",)), True),
        (LogFilter(boards=("left", "rack-001")), True),
        (LogFilter(boards=("left",)), False),
        (LogFilter(level=LogLevel.WARNING), True),
        (LogFilter(level=LogLevel.ERROR), False),
        (LogFilter(text="ERASE"), True),
        (LogFilter(text="rack"), True),
        (LogFilter(text="e*e"), False),
        (LogFilter(job=7), True),
        (LogFilter(job=8), False),
    ],
)
def test_each_part_of_a_filter(wanted: LogFilter, taken: bool) -> None:
    assert wanted.takes(line("Erase failed", "rack-001", LogLevel.WARNING, 7)) is taken


def test_a_level_of_a_later_release_counts_as_usual() -> None:
    assert LogFilter().takes(line(level=LogLevel.OTHER))
    assert not LogFilter(level=LogLevel.WARNING).takes(line(level=LogLevel.OTHER))
    assert not LogFilter().takes(line(level=LogLevel.DEBUG))


@given(st.text(), st.text())
def test_the_text_is_plain_and_its_case_does_not_count(text: str, sought: str) -> None:
    assert has_text(line(text), sought) is (sought.casefold() in text.casefold() or not sought.casefold())
