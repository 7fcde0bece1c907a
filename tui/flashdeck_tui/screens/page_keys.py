"""The keys of a page above the main screen: its own, and those that close it. A person may have given it others."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from textual.screen import Screen

from flashdeck_tui.key_names import KeyNames


def bind_page(
    page: Screen[Any],
    keys: KeyNames,
    *,
    opened_by: Iterable[str],
    own: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Give a page its keys: `own` are its actions as Textual has them, by the names of their keys.

    Besides Esc, a page is closed by the keys that open it and by the one that quits, but for those that it has itself.
    """
    taken = {keys.pages[name]: action for name, action in own.items() if keys.pages[name]}
    closing = [key for action in ("quit", *opened_by) for key in keys.keys[action].split(",") if key]
    for key, action in {**dict.fromkeys(closing, "dismiss(None)"), **taken}.items():
        page._bindings.bind(key, action)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - Textual has no other way for one page
