"""The hearing of a board as it starts, as the end of a visit needs it; consoles are what hears."""

from typing import Protocol

from flashdeck.verdict import Judgement


class StartHearing(Protocol):
    """The hearing of one board. Used in the event loop's thread only."""

    @property
    def is_wanted(self) -> bool:
        """True if the configuration says what the application has to say."""
        ...

    @property
    def is_under_way(self) -> bool:
        """True from `begin` until `end`."""
        ...

    @property
    def is_seen(self) -> bool:
        """True once the application was seen or heard since `begin`."""
        ...

    @property
    def verdict(self) -> Judgement | None:
        """The verdict on the start; None while it is open. The lane is poked once it is there."""
        ...

    @property
    def shown(self) -> Judgement | None:
        """The newest that is known of it: what came after the verdict may have changed it."""
        ...

    async def drain(self) -> None:
        """Return once what was said before the leave has come; it takes a fifth of a second at the most."""
        ...

    def begin(self, expected: str) -> None:
        """The board leaves DFU mode now: what comes from here on is the application's.

        `expected` is the version that it has to say; "" where any is right.
        """
        ...

    def end(self) -> None:
        """The board did not leave, or did not start: there is no verdict."""
        ...


class NoHearing:
    """The hearing of a board that has no console."""

    is_wanted = is_under_way = is_seen = False
    verdict = shown = None

    async def drain(self) -> None:
        """See the base."""

    def begin(self, expected: str) -> None:
        """See the base."""

    def end(self) -> None:
        """See the base."""
