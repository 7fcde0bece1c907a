"""The keys of the pages above the main screen: those that close them, and their own, as a person has given them."""

import pytest

from flashdeck.screen_keys import DEFAULT_KEYS, PAGE_KEYS, clashes
from flashdeck_tui.glyphs import BoardGlyph, FlashGlyph, MarkGlyph
from flashdeck_tui.keymap import textual_key
from flashdeck_tui.screens.help import SIGNS, HelpScreen
from flashdeck_tui.screens.history_screen import HistoryScreen
from flashdeck_tui.screens.log_screen import LogScreen
from flashdeck_tui.screens.map_screen import FlashMapScreen
from flashdeck_tui.store import Selection
from slot_scene import slots
from tui_hands import opened

LEFT = Selection(board="left")
PAGES = ("help", "details", "history", "log", "flash-map", "slots", "messages", "doctor")
"""The actions that open them."""
OTHERS = {"quit": "f12", **{name: f"f{at}" for at, name in enumerate(PAGES, 1)}, "boards": "f11"}


@pytest.mark.parametrize("keys", [{}, OTHERS], ids=["usual", "others"])
@pytest.mark.long
async def test_a_page_is_closed_by_the_key_that_opens_it_and_by_the_one_that_quits(keys: dict[str, str]) -> None:
    named = {**DEFAULT_KEYS, **keys}
    async with opened(slots(1), keys=keys) as screen:
        await screen.select(LEFT)
        for page in PAGES:
            for key in (named["quit"], named[page], "escape"):
                await screen.press(textual_key(named[page]))
                assert screen.app.screen is not screen.app.main, page
                await screen.press(textual_key(key))
                assert screen.app.screen is screen.app.main, f"{key} closes {page}"


async def test_keys_that_close_no_page_any_more_do_nothing_there() -> None:
    async with opened(keys=OTHERS) as screen:
        await screen.select(LEFT)
        for page, keys in (("history", "qh"), ("log", "q13"), ("flash-map", "qm"), ("help", "q?"), ("details", "q")):
            await screen.press(OTHERS[page])
            there = screen.app.screen
            for key in keys:
                await screen.press(textual_key(key))
                assert screen.app.screen is there, f"{key} on {page}"
            await screen.press("escape")


async def test_the_keys_of_a_page_can_be_others_and_its_line_names_them() -> None:
    others = {"log-pause": "p", "log-save": "none", "log-search": "f3", "history-widen": "w", "history-job": "o"}
    async with opened(keys=others) as screen:
        await screen.select(LEFT)
        await screen.press("3")
        page = screen.app.screen
        assert isinstance(page, LogScreen)
        assert "[p] pause [f3] search [n] next" in screen.text
        assert "save" not in screen.text
        await screen.press("space", "s")
        assert not page.window.paused
        await screen.press("p")
        assert page.window.paused
        await screen.press("n")
        assert page.said == "Nothing is searched: f3 searches."
        await screen.press("escape", "h")
        assert isinstance(screen.app.screen, HistoryScreen)
        assert "[o] job [b] back to this image [w] all partitions" in screen.text


async def test_a_key_of_a_page_comes_before_one_that_would_close_it() -> None:
    async with opened(keys={"quit": "c"} | {"cancel": "none"}) as screen:
        await screen.press("3", "c")
        assert isinstance(screen.app.screen, LogScreen), "c clears the filters"
        await screen.press("escape")
        await screen.select(LEFT)
        await screen.press("m")
        assert isinstance(screen.app.screen, FlashMapScreen)
        await screen.press("c")
        assert screen.app.screen is screen.app.main


def test_two_keys_clash_where_both_are_heard_and_nowhere_else() -> None:
    assert list(clashes({"log-copy": "s"})) == [("s", "log-save", "log-copy")]
    assert list(clashes({"log-copy": "f", "history-back": "e"})) == []
    assert all(not set(page) & set(DEFAULT_KEYS) for page in PAGE_KEYS.values())


async def test_the_help_has_every_sign_and_the_name_of_every_action() -> None:
    told = {meaning for signs in SIGNS.values() for _, meaning in signs}
    assert {glyph.value.meaning for glyph in (*MarkGlyph, *BoardGlyph, *FlashGlyph)} <= told
    async with opened() as screen:
        await screen.press("question_mark")
        page = screen.app.screen
        assert isinstance(page, HelpScreen)
        assert all(title in screen.text for title in SIGNS)
        more = " ".join(more for _, _, more in page.entries())
        assert [name for name in screen.app.actions if f"[{name}]" not in more] == []
