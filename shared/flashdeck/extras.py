"""The extras of the distribution: the libraries that each brings, and which of them are missing here."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from importlib import util
from types import MappingProxyType

from flashdeck.errors import FlashdeckError
from flashdeck.text import MAX_MESSAGE, clean


class Extra(StrEnum):
    """An extra, by its name in `flashdeck[…]`."""

    DAEMON = "daemon"
    TUI = "tui"
    WEB = "web"
    CONSOLE = "console"
    METRICS = "metrics"
    LABGRID = "labgrid"


LIBRARIES: Mapping[Extra, Mapping[str, str]] = MappingProxyType(
    {
        Extra.DAEMON: {
            "pyusb": "usb",
            "pyudev": "pyudev",
            "watchfiles": "watchfiles",
            "bincopy": "bincopy",
            "tomli-w": "tomli_w",
        },
        Extra.TUI: {"textual": "textual"},
        Extra.WEB: {"textual": "textual", "textual-serve": "textual_serve", "aiohttp": "aiohttp"},
        Extra.CONSOLE: {"pyserial": "serial", "google-re2": "re2", "pyelftools": "elftools"},
        Extra.METRICS: {"prometheus-client": "prometheus_client", "h11": "h11"},
        Extra.LABGRID: {"labgrid": "labgrid"},
    }
)
"""The packages that each cannot do without, and the modules that they are imported as.

libusb-package is not one of them: the system's libusb takes its place. Our own packages are in every wheel, so that
they say nothing about an extra.
"""
_OURS = ("flashdeck", "flashdeckd", "flashdeck_tui")


def missing(extra: Extra) -> tuple[str, ...]:
    """Return the packages of an extra that are not installed here; none where it can be used."""
    return tuple(name for name, module in LIBRARIES[extra].items() if not _is_here(module))


def require(extra: Extra, subject: str, *, otherwise: str = "") -> None:
    """Raise FlashdeckError where a library of an extra is not installed, with the command that adds it.

    `subject` is what needs it, as "the screen"; `otherwise` is what works without, as the end of the hint.
    """
    if lacking := missing(extra):
        *others, last = lacking
        names = f"{', '.join(others)} and {last}" if others else last
        raise FlashdeckError(
            f"{subject} needs {names}, which {'are' if others else 'is'} not installed", hint=_hint(extra, otherwise)
        )


@contextmanager
def explained(extra: Extra, subject: str, *, otherwise: str = "") -> Generator[None]:
    """Raise FlashdeckError where the imports of the block lack a library of an extra, or find one that does not fit.

    The rest is as for `require`.
    """
    require(extra, subject, otherwise=otherwise)
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise  # the installation is broken, and no extra would mend it
        raise FlashdeckError(
            f"{subject} cannot load its libraries: {clean(str(error), MAX_MESSAGE)}", hint=_hint(extra, otherwise)
        ) from error


def _hint(extra: Extra, otherwise: str) -> str:
    from flashdeck.origin import to_add  # noqa: PLC0415 - only where something is missing

    return "; ".join(filter(None, (to_add(extra), otherwise)))


def _is_here(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: loaded, but from nowhere
        return False
