"""Adds what one flash learns about a board's bootloader to its history, as soon as it is known."""

from collections.abc import Callable

from msgspec.structs import replace

from flashdeck.text import clean
from flashdeckd.dfu.pace import Pace
from flashdeckd.flash.bootloader_history import BootloaderHistory

LONGEST_REASON = 300
"""Characters kept of why a board cannot be read."""


class HistoryWriter:
    """A board's history and what is added to it; `learned` hears every change and returns when that is recorded."""

    def __init__(
        self, history: BootloaderHistory, learned: Callable[[BootloaderHistory], None], *, multiplies: bool
    ) -> None:
        self.multiplies = multiplies
        """True if block numbers were seen to reach what they should: only then is reading remembered as proved."""
        self._history = history
        self._learned = learned

    def learn(
        self,
        *,
        reading_proved: bool | None = None,
        unreadable: str | None = None,
        pace: Pace | None = None,
        proved_banks: tuple[int, ...] = (),
        condemned_banks: tuple[int, ...] = (),
        canaries: tuple[int, ...] = (),
        canaries_gone: frozenset[int] = frozenset(),
    ) -> None:
        """Add what is given to what is known; canaries that are gone are forgotten.

        `unreadable` says why reads are not to be believed; a proof of reading puts that right.
        """
        before = self._history
        if reading_proved is None or (reading_proved and not self.multiplies):
            reading_proved = before.reading_proved
        if unreadable is None:
            unreadable = "" if reading_proved else before.unreadable
        self._history = replace(
            before,
            reading_proved=reading_proved,
            unreadable=clean(unreadable, LONGEST_REASON),
            pace=pace or before.pace,
            proved_banks=tuple(sorted({*before.proved_banks, *proved_banks})),
            condemned_banks=tuple(sorted({*before.condemned_banks, *condemned_banks})),
            canaries=tuple(sorted({*before.canaries, *canaries} - canaries_gone)),
        )
        if self._history != before:
            self._learned(self._history)
