"""The whole screen as a picture. After a wanted change: `pytest tests/tui --snapshot-update`, then look at each."""

from typing import Any, Protocol, cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

import flash_map_scene
import slot_scene
from flashdeck import api
from flashdeck.model import Snapshot
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.store import Selection
from many_boards import bench
from tui_scene import BENCH, DAEMON, RUNNING, SOCKET, make_app, running

SIZES = [(60, 20), (80, 24), (120, 40)]
LOST = LinkState(
    LinkStatus.DISCONNECTED, f"no flashdeckd listens on {SOCKET}", f"start it: flashdeckd --socket {SOCKET}"
)
FAILED = Selection(board="right", partition="app1")


class Compare(Protocol):
    def __call__(self, app: FlashdeckApp, *, terminal_size: tuple[int, int], run_before: Any) -> bool: ...


def shown(*keys: str, select: Selection | None = None) -> Any:
    """What is done before the picture is taken."""

    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, FlashdeckApp)
        await pilot.pause()
        app.refresh_views()
        await pilot.pause()
        if select is not None:
            app.main.select(select)
        await pilot.press(*keys)
        await pilot.pause()
        app.refresh_views()
        await pilot.pause()

    return before


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_everything_happens_at_once(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, _ = make_app()
    assert snap_compare(app, terminal_size=size, run_before=shown(select=FAILED))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_daemon_went_away(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, _ = make_app(state=LOST)
    assert snap_compare(app, terminal_size=size, run_before=shown())


def test_there_never_was_a_daemon(snap_compare: Compare) -> None:
    app, _ = make_app(None, state=LOST)
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown())


def test_a_quiet_bench_with_a_broken_part(snap_compare: Compare) -> None:
    degraded = replace(DAEMON, virtual=True, degraded=("hotplug: udev does not run here; start systemd-udevd",))
    app, _ = make_app(replace(BENCH, daemon=degraded, boards=BENCH.boards[:1], devices=(), jobs=BENCH.jobs[:1]))
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown())


def test_the_terminals_own_colours(snap_compare: Compare) -> None:
    app, _ = make_app()
    app.theme = "ansi-dark"
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown(select=FAILED))


def test_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, _ = make_app()
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown(select=FAILED))


@pytest.mark.parametrize("keys", [("question_mark",), ("f",), ("c",), ("enter",)], ids=lambda keys: keys[0])
def test_what_comes_on_top(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    app, _ = make_app()
    select = Selection(board="bench-1", partition="app1")
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown(*keys, select=select))


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("keys", [(), ("enter",)], ids=["typed", "kept"])
def test_a_filter(snap_compare: Compare, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    app, _ = make_app()
    assert snap_compare(app, terminal_size=size, run_before=shown("slash", *"inc", *keys))


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_board_that_hangs(snap_compare: Compare, size: tuple[int, int]) -> None:
    hung = replace(RUNNING, status=running(silent=12))
    app, _ = make_app(replace(BENCH, jobs=(*(job for job in BENCH.jobs if job.id != hung.id), hung)))
    select = Selection(board="bench-1", partition="app1")
    assert snap_compare(app, terminal_size=size, run_before=shown(select=select))


def named(value: object) -> str:
    """Return the name of a parameter in that of a picture."""
    return "x".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(
    ("count", "size", "keys"),
    [
        (0, (80, 24), ()),
        (1, (80, 24), ("right",)),
        (8, (80, 24), ()),
        (24, (60, 20), ()),
        (24, (80, 24), ()),
        (100, (80, 24), ("space", "space", "z", "z", "z")),
        (100, (200, 50), ("s",)),
        (100, (200, 50), ("w",)),
        (24, (80, 24), ("2",)),
    ],
    ids=named,
)
def test_so_many_boards(snap_compare: Compare, count: int, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    app, _ = make_app(bench(count))
    assert snap_compare(app, terminal_size=size, run_before=shown(*keys))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", [flash_map_scene.BUSY, flash_map_scene.DONE], ids=["busy", "done"])
def test_the_flash_map(snap_compare: Compare, scene: Snapshot, size: tuple[int, int]) -> None:
    app, _ = make_app(scene)
    assert snap_compare(app, terminal_size=size, run_before=shown("m", select=Selection(board="bench-1")))


def test_the_flash_map_of_a_failed_job_in_the_terminals_own_colours(snap_compare: Compare) -> None:
    app, _ = make_app(flash_map_scene.FAILED)
    app.theme = "ansi-dark"
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown("m", select=Selection(board="bench-1")))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("count", [4, 24])
def test_the_slots(snap_compare: Compare, count: int, size: tuple[int, int]) -> None:
    app, link = make_app(slot_scene.slots(count, slot_scene.LOT))
    link.answers[api.GetUnits] = slot_scene.FAILURES
    assert snap_compare(app, terminal_size=size, run_before=shown("4"))


def test_the_slots_without_colour_and_without_a_lot(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, link = make_app(slot_scene.slots(9))
    link.answers[api.GetUnits] = slot_scene.FAILURES
    assert snap_compare(app, terminal_size=(120, 40), run_before=shown("4"))


def test_the_slots_of_a_daemon_that_went_away_in_the_terminals_own_colours(snap_compare: Compare) -> None:
    app, _ = make_app(slot_scene.slots(24, slot_scene.LOT), state=LOST)
    app.theme = "ansi-dark"
    assert snap_compare(app, terminal_size=(80, 24), run_before=shown("4"))
