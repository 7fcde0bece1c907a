"""How often the screen looks, and how much it keeps: as the number says."""

import os
import select
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flashdeck.job_state import Done
from flashdeck.whereabouts import Whereabouts
from flashdeck_tui import app as app_module
from flashdeck_tui import terminal
from flashdeck_tui.app import AGES, END_WITHIN, FRAME, FlashdeckApp
from flashdeck_tui.fleet import fleet_at
from flashdeck_tui.store import ENDED_JOBS, RATE_SECONDS, Selection, Store
from flashdeck_tui.terminal import GONE, LOOK_AGAIN, end_at_hang_up
from flashdeck_tui.views.cells import LONG_TEXT
from flashdeck_tui.views.details import DOUBTS, details
from flashdeck_tui.views.jobs import RECENT_JOBS, job_rows
from tui_scene import KEYS, NOW, RUNNING, board, event, job


def test_the_screen_looks_at_the_store_each_frame_and_at_ages_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOW
    looks: list[tuple[float, Callable[[], object]]] = []
    shown: list[float] = []

    def look_every(_app: FlashdeckApp, seconds: float, look: Callable[[], object]) -> None:
        looks.append((seconds, look))

    def run(_app: FlashdeckApp, work: Coroutine[Any, Any, None], **_: str) -> None:
        work.close()

    monkeypatch.setattr(FlashdeckApp, "set_interval", look_every)
    monkeypatch.setattr(FlashdeckApp, "run_worker", run)
    monkeypatch.setattr(FlashdeckApp, "_is_main_visible", True)
    monkeypatch.setattr(FlashdeckApp, "refresh_views", lambda _app: shown.append(now))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    app = FlashdeckApp(fleet_at(Path("socket")), clock=lambda: now)
    app.on_mount()
    ((seconds, look),) = looks
    assert seconds == FRAME
    vars(app).update(_shown=app.fleet.revision, _lines_shown=app.fleet.log_count, _shown_at=NOW)
    for now in (NOW, NOW + AGES * 0.99, NOW + AGES):  # noqa: B007 - the clock reads it
        look()
    assert shown == [NOW + AGES]


def test_a_screen_that_hears_of_no_signal_ends_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    @contextmanager
    def ended_by(_numbers: object, _end: object, *, within: float) -> Generator[None]:
        asked.append(within)
        yield

    async def over(_app: FlashdeckApp, **_options: object) -> None:
        pass

    monkeypatch.setattr(terminal, "ended_by", ended_by)
    monkeypatch.setattr(FlashdeckApp, "run_async", over)
    app_module.run(lambda: Whereabouts((Path("socket"),)))
    assert asked == [END_WITHIN]


def test_a_terminal_is_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    ended: list[int] = []

    class Poll:
        def register(self, _number: int, _events: int) -> None:
            pass

        def poll(self, milliseconds: float) -> list[int]:
            asked.append(milliseconds)
            return [1] if len(asked) > 2 else []

    monkeypatch.setattr(select, "poll", Poll)
    monkeypatch.setattr(os, "_exit", ended.append)
    end_at_hang_up()
    assert asked == [LOOK_AGAIN * 1000] * 3
    assert ended == [GONE] == [128 + signal.SIGHUP]


def test_so_many_ended_jobs_are_kept_and_listed() -> None:
    store = Store()
    for number in range(1, ENDED_JOBS + 2):
        store.take(event(job=job(number, status=Done())))
    assert sorted(store.jobs) == list(range(2, ENDED_JOBS + 2))
    assert len(job_rows(store, NOW)) == RECENT_JOBS


def test_a_speed_is_that_of_so_many_seconds() -> None:
    now = 0.0
    store = Store(clock=lambda: now)
    # One sample older than the window counts: that of the second before it.
    for now, done in ((0.0, 0), (1.0, 100_000), (1.0 + RATE_SECONDS, 103_000)):  # noqa: B007 - the clock reads it
        store.take(event(job=replace(RUNNING, status=replace(RUNNING.status, done=done))))
    assert store.speed(RUNNING.id) == pytest.approx(3_000 / RATE_SECONDS)
    now = 1.0 + RATE_SECONDS * 1.5
    store.take(event(job=replace(RUNNING, status=replace(RUNNING.status, done=104_000))))
    assert store.speed(RUNNING.id) == pytest.approx(4_000 / (RATE_SECONDS * 1.5))


def test_so_many_faults_of_a_bootloader_are_shown_and_so_much_of_each() -> None:
    store = Store()
    doubts = (*(f"fault {number}" for number in range(DOUBTS)), "one more")
    store.take(event(board=board("left", doubts=doubts)))
    text = "\n".join(line.text for line in details(store, Selection(board="left"), NOW, KEYS))
    assert f"fault {DOUBTS - 1};" in text
    assert "one more" not in text
    for length, whole in ((LONG_TEXT, True), (LONG_TEXT + 1, False)):
        store.take(event(board=board("left", doubts=("d" * length,))))
        text = "\n".join(line.text for line in details(store, Selection(board="left"), NOW, KEYS))
        assert ("d" * LONG_TEXT in text) is whole
