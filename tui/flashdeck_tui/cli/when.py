"""Times as people type and read them on a command line, by this machine's time zone."""

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from flashdeck.text import clean

LONGEST: Final = 40
"""Characters of a time that are looked at."""
_AGO: Final = re.compile(r"(?P<count>[0-9]{1,6}) ?(?P<unit>s|min|h|d)", re.ASCII)
_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_HOURS: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_HINT: Final = "write 13:05, 2026-01-31, 2026-01-31T13:05, or how long ago, as 30min, 2h or 3d"


def parse_when(text: str, now: datetime) -> datetime:
    """Return the time that `text` means; `now` has a time zone, which counts where `text` has none.

    Raises ValueError, with a sentence, for anything else.
    """
    wrong = f"'{clean(text, LONGEST)}' is not a time; {_HINT}"
    if len(text) > LONGEST:
        raise ValueError(wrong)
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["count"])})
        if _HOURS.fullmatch(text):
            text = f"{now.date().isoformat()}T{text.zfill(5) if text.count(':') == 1 else text.zfill(8)}"
        named = datetime.fromisoformat(text)
        return named.astimezone() if named.tzinfo is None else named
    except (ValueError, OverflowError) as error:
        raise ValueError(wrong) from error


def shown(seconds: float) -> str:
    """Return a time (epoch seconds) for people."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - local time is what people know


if TYPE_CHECKING:
    _ParamType = click.ParamType[datetime]
else:
    _ParamType = click.ParamType  # before click 8.4 it takes no argument


class When(_ParamType):
    """A time on the command line."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time that was typed; fails as click does."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_when(str(value), datetime.now().astimezone())
        except ValueError as error:
            self.fail(str(error), param, ctx)
