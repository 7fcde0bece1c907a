"""The slots of all hosts on the whole screen, for those who plug units in. It reads the stores and changes nothing."""

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from flashdeck_tui.fleet import Fleet
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.slot_page import slot_page
from flashdeck_tui.unit_failures import UnitFailures
from flashdeck_tui.widgets.phrase_lines import PhraseLines

LOOK_SECONDS = 0.25
"""Seconds between two looks at the stores."""
RENEW_SECONDS = 1.0
"""Seconds between two looks at the records of units."""


class SlotsScreen(Screen[None]):
    """A tile for each slot, with PASS or FAIL in letters as large as there is room for."""

    DEFAULT_CSS = """
    SlotsScreen {
        #slots { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, fleet: Fleet, keys: KeyNames) -> None:
        """Take the daemons whose slots are shown."""
        super().__init__()
        bind_page(self, keys, opened_by=("slots",))
        self._fleet = fleet
        self._keys = keys
        self._failures = UnitFailures(fleet)

    def compose(self) -> ComposeResult:
        """All of it is lines."""
        yield PhraseLines(id="slots")

    def on_mount(self) -> None:
        """Shows it, and goes on looking."""
        self.set_interval(LOOK_SECONDS, self.look)
        self.set_interval(RENEW_SECONDS, self.renew)
        self.renew()

    def renew(self) -> None:
        """Ask for the records of units, if something has become of one."""
        if self._failures.are_old:
            self.run_worker(self._renew(), group="units", exclusive=True)

    async def _renew(self) -> None:
        await self._failures.renew()
        self.look()

    @on(events.Resize)
    def look(self) -> None:
        """Show the page as it is now; what did not change is not drawn."""
        lines = self.query_one(PhraseLines)
        space = lines.scrollable_content_region
        if space.width and space.height:
            page = slot_page(self._fleet, self._failures.by_host, self._keys, width=space.width, height=space.height)
            lines.show(page)
