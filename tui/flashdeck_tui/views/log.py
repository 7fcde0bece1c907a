"""The log as lines. Pure."""

from typing import Final

from flashdeck.model import LogLevel, LogLine
from flashdeck.words.log_times import clock_time
from flashdeck_tui.log_source import SourceLine
from flashdeck_tui.views.cells import short_name, whole_text

_WORDS: Final = {LogLevel.DEBUG: "debug: ", LogLevel.WARNING: "warning: ", LogLevel.ERROR: "ERROR: "}
_LEVELS_SHOWN: Final = {
    LogLevel.DEBUG: "all, and decisions",
    LogLevel.INFO: "all levels",
    LogLevel.WARNING: "warnings and errors",
    LogLevel.ERROR: "errors",
}


def log_text(line: LogLine, host: str = "") -> str:
    """Return a line of the log, in local time; `host` is its machine, where there are several."""
    return _text(line, host)


def source_text(line: SourceLine) -> str:
    """Return a line of any source likewise."""
    return _text(line, line.host)


def level_name(level: LogLevel) -> str:
    """Return the lines that a level lets through, in words."""
    return _LEVELS_SHOWN[level]


def _text(line: LogLine | SourceLine, host: str) -> str:
    about = "/".join(short_name(name) for name in (host, line.board) if name)
    where = f"{about}: " if about else ""
    return f"{clock_time(line.time)} {where}{_WORDS.get(line.level, '')}{whole_text(line.text)}"
