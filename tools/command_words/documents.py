"""The files that are made of the commands. A test compares each with what would be written now."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from command_words import completion_table, man_pages
from flashdeck_tui.tab_key import word_table

MAN: Final = Path(__file__).resolve().parents[2] / "config" / "man"

DOCUMENTS: Final[Mapping[Path, Callable[[], str]]] = {
    word_table.FILE: completion_table.rendered,
    MAN / "flashdeck.1": man_pages.command_page,
    MAN / "flashdeckd.1": man_pages.daemon_page,
}
