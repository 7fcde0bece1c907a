"""The part that daemon, CLI and TUI share: words, wire, configuration. Knows neither of the other two packages.

For programs of your own it is the way to a daemon's boards:

with flashdeck.connect() as bench:
    bench.flash("app1", "build/APP1.bin", timeout=60)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashdeck.async_bench import AsyncBench, connect_async
    from flashdeck.outcome import BoardResult, Outcome
    from flashdeck.sync_bench import Bench, connect
    from flashdeck.taking import Lease

__version__ = "0.1.0"
__all__ = ["AsyncBench", "Bench", "BoardResult", "Lease", "Outcome", "__version__", "connect", "connect_async"]

_PLACES = {
    "AsyncBench": "flashdeck.async_bench",
    "Bench": "flashdeck.sync_bench",
    "BoardResult": "flashdeck.outcome",
    "Lease": "flashdeck.taking",
    "Outcome": "flashdeck.outcome",
    "connect": "flashdeck.sync_bench",
    "connect_async": "flashdeck.async_bench",
}
"""The module of each name; it is imported when the name is first used, for most users of this package need none."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
