"""The page of the slots: one key there and back, PASS and FAIL as large as there is room for, what failed last."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Verified
from flashdeck.slot_condition import SlotEmpty, SlotFailed, SlotPassed, SlotUnknown, SlotWaiting
from flashdeck.slot_state import SlotState
from flashdeck.words.slots import slot_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.ascii_text import to_ascii
from flashdeck_tui.big_letters import BIG_CHARACTERS, LETTER_LINES, SCALES, big_word, scale_for, word_cells
from flashdeck_tui.cell_width import cell_width
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.screens.help import HelpScreen
from flashdeck_tui.screens.slots_screen import LOOK_SECONDS, RENEW_SECONDS, SlotsScreen
from flashdeck_tui.slot_page import FAILURE_SHARE, MOST_FAILURES, slot_page
from flashdeck_tui.slot_tiles import LEAST_CELLS, LEAST_LINES, SlotTile, Solid, grid_for, tile_lines
from flashdeck_tui.store import Store
from flashdeck_tui.unit_failures import MOST_UNITS, UnitFailures
from flashdeck_tui.widgets.phrase_lines import PhraseLines
from slot_scene import ERASE_FAILED, FAILURES, LOT, SERIAL, slot, slots, unit
from tui_hands import Screen, opened
from tui_scene import BENCH, HOSTILE, KEYS, FakeLink, event, filled_store, fleet_of

SIZES = [(60, 20), (80, 24), (120, 40)]
NO_UNITS = RemoteError("no method units", kind=ErrorKind.ABSENT)


def text_of(lines: Sequence[Sequence[Phrase]]) -> list[str]:
    return ["".join(phrase.text for phrase in line) for line in lines]


def page(*stores: tuple[str, Store], width: int = 80, height: int = 24, failures: Any = None) -> list[str]:
    hosts = [FleetHost(name, store, cast("Any", FakeLink(store))) for name, store in stores]
    return text_of(slot_page(Fleet(hosts), failures or {}, KEYS, width=width, height=height))


def link_of(fleet: Fleet) -> FakeLink:
    return cast("FakeLink", fleet.hosts[0].link)


async def see(screen: Screen) -> str:
    """Look at the page as it is now."""
    there = screen.app.screen
    assert isinstance(there, SlotsScreen)
    there.look()
    await screen.settle()
    return screen.shown


# The screen.


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_one_key_leads_there_and_back_and_help_explains_it(size: tuple[int, int]) -> None:
    async with opened(slots(24, LOT), size=size) as screen:
        screen.link.answers[api.GetUnits] = FAILURES
        await screen.press("4")
        assert "lot spring-7  12/100 PASS  2 FAIL  yield 85.7 %" in await see(screen)
        for number in range(1, 25):
            assert f"jig-{number:02}" in screen.shown
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, HelpScreen)
        assert any("[slots]" in more and "PASS or FAIL" in text for _, text, more in screen.app.screen.entries())
        await screen.press("escape", "4")
        assert screen.app.screen is screen.app.main
        await screen.press("4", "escape")
        assert screen.app.screen is screen.app.main


async def test_without_a_slot_the_key_says_what_to_write() -> None:
    async with opened() as screen:
        await screen.press("4")
        assert screen.app.screen is screen.app.main
        assert "There is no slot: write [slots.NAME]" in screen.status


async def test_what_becomes_of_a_unit_is_seen_and_its_reason_is_fetched_at_once() -> None:
    async with opened(slots(1)) as screen:
        screen.link.answers[api.GetUnits] = api.UnitPage()
        await screen.press("4")
        assert "FAIL" not in await see(screen)
        failed = replace(slot(1, SlotFailed(failure=ERASE_FAILED)), unit=unit(1, "jig-01", ERASE_FAILED))
        screen.link.answers[api.GetUnits] = api.UnitPage(units=(unit(1, "jig-01", ERASE_FAILED),))
        screen.link.store.take(event(slot=failed))
        cast("SlotsScreen", screen.app.screen).renew()
        await screen.settle()
        assert f"jig-01 {SERIAL}: erase failed at 0x08024000 (errVENDOR)" in await see(screen)
        asked = [call for call in screen.link.calls if isinstance(call, api.GetUnits)]
        assert asked == [api.GetUnits(limit=MOST_UNITS)] * 2
        for _ in range(3):
            cast("SlotsScreen", screen.app.screen).renew()
            await screen.settle()
        assert len([call for call in screen.link.calls if isinstance(call, api.GetUnits)]) == 2, "nothing has changed"


async def test_it_is_looked_at_by_itself() -> None:
    async with opened(slots(1)) as screen:
        screen.link.answers[api.GetUnits] = api.UnitPage()
        await screen.press("4")
        screen.link.store.take(event(slot=replace(slot(1, SlotEmpty()), unit=None)))
        screen.link.answers[api.GetUnits] = FAILURES
        async with asyncio.timeout(60 * (LOOK_SECONDS + RENEW_SECONDS)):
            while "empty" not in screen.shown or "pulled in the middle" not in screen.shown:
                await screen.pilot.pause(LOOK_SECONDS)


async def test_only_lines_that_changed_are_drawn() -> None:
    async with opened(slots(24)) as screen:
        screen.link.answers[api.GetUnits] = api.UnitPage()
        await screen.press("4")
        await see(screen)
        lines = screen.app.screen.query_one(PhraseLines)
        drawn: list[object] = []

        def refresh(*regions: object, **_: object) -> None:
            drawn.extend(regions)

        cast("Any", lines).refresh = refresh
        await see(screen)
        assert drawn == []
        screen.link.store.take(event(slot=slot(2, SlotWaiting(reason="soon"))))
        await see(screen)
        assert len(drawn) == 3, "the counts, and two lines of the slot"


async def test_units_cannot_be_had_and_the_page_is_shown_all_the_same() -> None:
    async with opened(slots(2)) as screen:
        screen.link.answers[api.GetUnits] = NO_UNITS
        await screen.press("4")
        assert "jig-02" in await see(screen)
        screen.link.answers[api.GetUnits] = FAILURES
        cast("SlotsScreen", screen.app.screen).renew()
        await screen.settle()
        assert "pulled in the middle of a flash" in await see(screen), "it is asked again"


async def test_a_daemon_that_is_away_or_has_no_slots_is_asked_for_no_units() -> None:
    fleet = fleet_of(filled_store(slots(2)), LinkState(LinkStatus.DISCONNECTED, "gone"))
    await UnitFailures(fleet).renew()
    assert link_of(fleet).calls == []
    fleet = fleet_of(filled_store())
    assert not UnitFailures(fleet).are_old


# The store.


def test_a_lot_that_has_ended_is_no_longer_shown() -> None:
    store = filled_store(slots(1, LOT))
    store.take(event(lot=replace(LOT, passed=13)))
    assert store.lots["spring-7"].passed == 13
    store.take(event(lot=replace(LOT, ended_at=LOT.begun_at + 1)))
    assert store.lots == {}
    store.take(replace(BENCH, seq=9))
    assert store.slots == {}


# The page.


def test_where_there_is_no_slot_any_more_it_says_what_to_write() -> None:
    assert "Write [slots.NAME]" in page(("", filled_store()))[1]


def test_slots_of_many_hosts_stand_beside_each_other_and_one_that_is_away_says_so() -> None:
    one, other = (filled_store(slots(2, replace(LOT, name=name))) for name in ("a", "b"))
    hosts = [FleetHost(name, store, cast("Any", FakeLink(store))) for name, store in (("east", one), ("west", other))]
    cast("Any", hosts[1].link).state = LinkState(LinkStatus.DISCONNECTED, "no route")
    failures = {"west": FAILURES.units, "east": FAILURES.units[:1]}
    shown = "\n".join(text_of(slot_page(Fleet(hosts), failures, KEYS, width=120, height=40)))
    for text in ("lot east/a", "lot west/b", "east/jig-01", "west/jig-02", "west: not connected", "west/jig-09"):
        assert text in shown


def test_groups_stand_together_under_their_names() -> None:
    store = filled_store()
    for number, group in enumerate(("left", "right", "left"), 1):
        store.take(event(slot=slot(number, SlotEmpty(), group=group)))
    shown = "\n".join(page(("", store), width=60, height=5))
    assert shown.index("left/jig-01") < shown.index("left/jig-03") < shown.index("right/jig-02")


def test_a_complete_lot_says_so_also_where_there_is_little_room() -> None:
    done = replace(LOT, passed=100)
    assert page(("", filled_store(slots(1, done))), width=60)[0].startswith("lot spring-7  COMPLETE  100/100 PASS")


def test_a_condition_of_a_newer_daemon_is_shown_by_its_own_words() -> None:
    state = SlotState(
        name="jig-01",
        profile="p",
        port="1-4",
        condition=SlotUnknown(name="resting", text="it rests"),
        since=0,
        text=f"it rests {HOSTILE}",
    )
    store = filled_store()
    store.take(event(slot=state))
    shown = "\n".join(page(("", store)))
    assert "resting" in shown
    assert "it rests" in shown
    assert "\x1b" not in shown


def test_failures_are_as_many_as_leave_the_tiles_their_size() -> None:
    units = tuple(unit(number, f"jig-{number:02}", ERASE_FAILED) for number in range(1, 31))
    store = filled_store(slots(1))
    for height in (5, 8, 40, 100):
        shown = page(("", store), height=height, width=200, failures={"": units})
        failed = [line for line in shown if line.startswith("FAIL ")]
        assert len(failed) == max(1, min(MOST_FAILURES, (height - 1) // FAILURE_SHARE))
        assert "jig-01" in failed[0], "the newest"
        assert len(shown) <= height


@given(st.integers(1, 60), st.integers(20, 220), st.integers(4, 70))
def test_every_slot_is_seen_and_nothing_is_wider_than_the_screen(count: int, width: int, height: int) -> None:
    lines = page(("", filled_store(slots(count, LOT))), width=width, height=height, failures={"": FAILURES.units})
    assert all(cell_width(line) <= width for line in lines)
    shown = "\n".join(lines)
    assert all(f"jig-{number:02}" in shown for number in range(1, count + 1))
    grid = grid_for(count, "PASS", width, height)
    assert len(lines) <= height or LEAST_LINES * -(-count // max(1, width // LEAST_CELLS)) + 2 > height
    assert grid.cells * grid.across <= max(width, LEAST_CELLS)


def test_the_places_of_tiles_follow_from_nothing_that_changes() -> None:
    passed, empty = (
        [SlotTile(f"s{number}", word, Tone.GOOD) for number in range(6)] for word in ("PASS", "something else")
    )
    grid = grid_for(6, "PASS", 80, 20)
    first, second = (text_of(tile_lines(tiles, grid)) for tiles in (passed, empty))
    assert [line.find("s1") for line in first] == [line.find("s1") for line in second]


def test_pass_and_fail_are_told_apart_without_colour_and_in_ascii() -> None:
    for height, width in ((3, 15), (7, 20), (30, 80)):
        grid = grid_for(1, "PASS", width, height)
        forms = {
            word: to_ascii("\n".join(text_of(tile_lines([SlotTile("s", word, Tone.GOOD, edge=edge)], grid))))
            for word, edge in (("PASS", "="), ("FAIL", "!"), ("WAIT", ":"), ("100%", ">"))
        }
        assert len(set(forms.values())) == len(forms)
        assert all(form.isascii() for form in forms.values())


def test_a_finished_unit_fills_its_tile_and_no_other_does() -> None:
    store = filled_store()
    conditions = (SlotPassed(verified=Verified.YES), SlotFailed(failure=ERASE_FAILED), SlotWaiting(reason="soon"))
    for number, condition in enumerate(conditions, 1):
        store.take(event(slot=slot(number, condition)))
    lines = slot_page(fleet_of(store), {}, KEYS, width=60, height=20)
    solid = "".join(phrase.text for line in lines for phrase in line if isinstance(phrase, Solid))
    assert " PASS " in solid or "█" in solid
    assert "WAIT" not in solid
    stale = slot_page(fleet_of(store, LinkState(LinkStatus.DISCONNECTED)), {}, KEYS, width=60, height=20)
    assert not [phrase for line in stale for phrase in line if isinstance(phrase, Solid)]


# Large letters.


def test_every_word_that_matters_has_large_letters_of_one_width() -> None:
    words = [slot_word(SlotPassed(verified=Verified.YES)).text, slot_word(SlotFailed(failure=ERASE_FAILED)).text]
    assert {word_cells(word) for word in (*words, "WAIT", "100%")} == {15}
    assert set("0123456789%") <= BIG_CHARACTERS
    assert word_cells("empty") == scale_for("empty", 1000, 1000) == 0


@given(
    st.text(st.sampled_from(sorted(BIG_CHARACTERS)), min_size=1, max_size=6), st.integers(1, 200), st.integers(1, 60)
)
def test_a_word_is_as_large_as_it_may_be_and_no_larger(word: str, width: int, height: int) -> None:
    scale = scale_for(word, width, height)
    if scale:
        lines = big_word(word, scale)
        assert len(lines) == LETTER_LINES * SCALES[scale - 1][1] <= height
        assert {len(line) for line in lines} == {word_cells(word) * SCALES[scale - 1][0]}
        assert len(lines[0]) <= width
    if scale < len(SCALES):
        across, down = SCALES[scale]
        assert word_cells(word) * across > width or LETTER_LINES * down > height


def test_no_two_characters_look_alike() -> None:
    letters = BIG_CHARACTERS - {"5"}  # as S, which stands beside no digit
    assert len({tuple(big_word(character, 1)) for character in letters}) == len(letters)


def test_the_narrowest_tile_says_that_a_pass_is_not_verified() -> None:
    alone = slots(1)
    (jig,) = alone.slots
    bench = replace(
        alone, slots=tuple(replace(jig, name=f"j{n}", condition=SlotPassed(verified=Verified.NO)) for n in range(4))
    )
    shown = page(("", filled_store(bench)), width=4 * LEAST_CELLS)
    assert sum(line.count("not verified") for line in shown) == 4
