"""Two pieces on every emulated bootloader, interrupted at any moment: what lies between them is never touched."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from flash_rig import Rig, pieces
from flashdeck.errors import FlashdeckError
from flashdeck.geometry import Range
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from little_board import BASE, NEW_IMAGE, OLD_IMAGE, PARTITION, SECTOR, TARGET, board, flash_with, memory
from soaking import SOAK, sized

pytestmark = pytest.mark.soak

MODELS = [model for model in Model if model not in PLAIN_MODELS]
TWO = pieces((0, NEW_IMAGE[:1500]), (3 * SECTOR + 100, NEW_IMAGE[: SECTOR + 700]))
"""It touches the first sector and the last two of five."""
BETWEEN = Range(PARTITION.start - BASE + SECTOR, PARTITION.start - BASE + 3 * SECTOR)
ATTEMPTS = 4
MOMENTS = sized(2, 3, 0)
"""How many transfers of each job are struck; a soak strikes every one."""
SHARES = (0.0, 0.5, 1.0)
"""How much of an erase is done when the power fails."""


class HostKilled(BaseException):
    """What SIGKILL is to a process: nothing of it runs any more."""


def fresh(model: Model) -> Rig:
    return board(model, flash_with(OLD_IMAGE))


@cache
def undisturbed(model: Model) -> tuple[int, int]:
    """The transfers and the flash work (erases and words) of the job when nothing happens, also where it fails."""
    rig = fresh(model)
    rig.attempt(TWO, TARGET)
    state = rig.board.state()
    return state.transfers, state.erases + state.words


def moments(count: int) -> Iterator[int]:
    """Transfers from 1 to `count`: all in a soak, else a few that lie far apart."""
    yield from range(1, count + 1) if SOAK else sorted({1 + at * max(count - 1, 0) // MOMENTS for at in range(MOMENTS)})


def go_on(rig: Rig) -> None:
    """The job again, as its lane tries it when the board is back; nothing beside the pieces may be another then."""
    for _ in range(ATTEMPTS):
        check(rig)
        if not rig.present:
            rig.back_in_dfu()
        if not isinstance(rig.attempt(TWO, TARGET), FlashdeckError):
            break
    check(rig)


def check(rig: Rig) -> None:
    """Nothing is another but the partition's sectors that the pieces touch."""
    now, before = memory(rig), flash_with(OLD_IMAGE)
    start, end = PARTITION.start - BASE, PARTITION.end - BASE
    for untouched in (slice(None, start), slice(BETWEEN.start, BETWEEN.end), slice(end, None)):
        assert now[untouched] == before[untouched]


@pytest.mark.parametrize("fault", [Fault.UNPLUG, Fault.HANG, Fault.LOST_ANSWER, Fault.ERROR_STATUS])
@pytest.mark.parametrize("model", MODELS)
def test_a_fault_at_any_transfer(model: Model, fault: Fault) -> None:
    for at in moments(undisturbed(model)[0]):
        rig = fresh(model)
        rig.bench.fault("board", fault, at, any_transfer=True)
        rig.attempt(TWO, TARGET)
        go_on(rig)


@pytest.mark.parametrize("model", MODELS)
def test_the_host_killed_at_any_transfer(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in moments(undisturbed(model)[0]):
        rig = fresh(model)
        left = iter(range(at, 0, -1))

        def until_killed(*transfer: Any, transfers: Any = rig.board.transfer, left: Iterator[int] = left) -> bytes:
            if next(left, 0) > 1:
                return transfers(*transfer)
            raise HostKilled

        with monkeypatch.context() as patch:
            patch.setattr(rig.board, "transfer", until_killed)
            with pytest.raises(HostKilled):
                rig.attempt(TWO, TARGET)
        go_on(rig)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("model", MODELS)
def test_power_lost_in_any_erase_and_between_words(model: Model, share: float) -> None:
    work = undisturbed(model)[1]
    erases = range(min(work, 6))  # those of a canary among them
    for after in (*erases, *(moments(work) if work else ())):
        rig = fresh(model)
        rig.bench.cut_power("board", after, share)
        rig.attempt(TWO, TARGET)
        go_on(rig)
