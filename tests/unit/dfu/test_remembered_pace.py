"""What earlier sessions learned of a device's pace: no probe, no sleep, and never a second objection."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_rig import APP1, GEOMETRY, SECTOR, Rig
from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.polling import DfuStatusError, TooEarlyError
from flashdeckd.dfu.wire import DfuState
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, STORES_NOTHING, Model
from model_pipe import BASE, PAGE, ModelPipe, WhileBusy

FENCE = Fence.around(Range.sized(BASE, 32 * PAGE), Geometry((Region(BASE, 32, PAGE),), program_unit=16))
FAST = (Pace.SYNCHRONOUS, Pace.STALLING, Pace.PATIENT)


def opened(pipe: ModelPipe, pace: Pace, policy: PollPolicy = PollPolicy.AUTO) -> DfuseSession:
    session = DfuseSession(pipe, FENCE, policy, pipe.sleep, pace, multiplies=True)
    session.open()
    return session


def again(session: DfuseSession, operation: Callable[[], None]) -> None:
    """What the flash program does: one more try after an error, recovered."""
    try:
        operation()
    except DeviceError:
        session.recover()
        operation()


def flash_pages(session: DfuseSession, base: int, size: int, block: int, pages: int = 3) -> int:
    """Erases and writes page by page, a failed page once more; how many were done again."""
    redone = 0

    def one(start: int) -> None:
        nonlocal redone
        redone += 1
        session.erase(Range.sized(start, size))
        for at in range(start, start + size, block):
            session.write(at, bytes([at // block & 0xFF]) * block)

    for page in range(pages):
        again(session, lambda: one(base + page * size))  # noqa: B023 - called within the loop
    return redone - pages


def contents(base: int, size: int, block: int, pages: int = 3) -> bytes:
    return b"".join(bytes([at // block & 0xFF]) * block for at in range(base, base + pages * size, block))


@pytest.mark.parametrize("pace", FAST)
def test_a_device_that_is_known_is_neither_probed_nor_slept_for(pace: Pace) -> None:
    pipe = ModelPipe(poll_ms=244)
    session = opened(pipe, pace)
    assert flash_pages(session, BASE, PAGE, 1024) == 0
    assert pipe.naps == []
    assert session.slept == 0
    assert session.pace is pace
    assert bytes(pipe.memory[: 3 * PAGE]) == contents(BASE, PAGE, 1024)


def test_the_first_address_of_a_known_device_is_not_slept_for_either() -> None:
    pipe = ModelPipe(poll_ms=244)
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    opened(pipe, Pace.SYNCHRONOUS).write(BASE, bytes(1024))
    assert pipe.naps == []


def test_a_device_that_objected_once_is_never_asked_early_again() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.05, poll_ms=50)
    session = opened(pipe, Pace.CLAIMED)
    assert flash_pages(session, BASE, PAGE, 1024) == 0
    assert pipe.early == 0
    assert session.pace is Pace.CLAIMED


@pytest.mark.parametrize("pace", list(Pace))
def test_poll_spec_wins_over_all_that_is_remembered_and_forgets_none_of_it(pace: Pace) -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.05, poll_ms=50)
    session = opened(pipe, pace, PollPolicy.SPEC)
    assert flash_pages(session, BASE, PAGE, 1024) == 0
    assert pipe.early == 0
    assert session.pace is pace


@pytest.mark.parametrize("pace", FAST)
@pytest.mark.parametrize("strict", ["erase", "address", "data"])
def test_an_objection_against_what_was_remembered_is_the_only_one(pace: Pace, strict: str) -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.05, poll_ms=50, strict=frozenset((strict,)))
    session = opened(pipe, pace)
    redone = flash_pages(session, BASE, PAGE, 1024)
    assert redone == (strict == "data"), "an erase and an address are repeated by the session itself"
    assert pipe.errors == 0
    assert session.pace is Pace.CLAIMED
    assert bytes(pipe.memory[: 3 * PAGE]) == contents(BASE, PAGE, 1024)
    pipe.early = 0
    flash_pages(session, BASE, PAGE, 1024)
    assert pipe.early == 0


def test_an_objection_in_a_data_block_is_told_with_its_cause() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.05, poll_ms=50, strict=frozenset(("data",)))
    session = opened(pipe, Pace.UNPROVEN)
    session.erase(Range.sized(BASE, PAGE))
    with pytest.raises(TooEarlyError, match=r"write of 1024 bytes to 0x08000000.*before its time was over"):
        session.write(BASE, bytes(1024))
    assert session.pace is Pace.CLAIMED


def test_a_state_that_does_not_belong_there_is_an_objection_too() -> None:
    class Restarts(ModelPipe):
        """An early question makes it forget everything."""

        def _busy(self) -> None:
            if self.clock + 1e-9 < self.done_at:
                self.early += 1
                self.state, self.pending = DfuState.IDLE, None
            else:
                super()._busy()

    pipe = Restarts(duration=0.05, poll_ms=50)
    session = opened(pipe, Pace.SYNCHRONOUS)
    assert flash_pages(session, BASE, PAGE, 1024) == 0
    assert pipe.early == 1
    assert session.pace is Pace.CLAIMED


def test_a_failure_that_was_waited_for_says_nothing_of_the_pace() -> None:
    pipe = ModelPipe(failing_erases={0}, poll_ms=0)
    session = opened(pipe, Pace.SYNCHRONOUS)
    with pytest.raises(DfuStatusError):
        session.erase(Range.sized(BASE, PAGE))
    assert session.pace is Pace.SYNCHRONOUS, "no time was claimed, so none was cut short"


@pytest.mark.parametrize("pace", list(Pace))
@pytest.mark.parametrize("policy", list(PollPolicy))
@pytest.mark.parametrize("model", [Model.STRICT, Model.STRICT_ERASE, Model.STRICT_WRITE])
def test_a_strict_board_has_at_most_one_violation_to_tell_of(model: Model, policy: PollPolicy, pace: Pace) -> None:
    rig = Rig(model)
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), policy, rig.nap, pace)
        session.open()
        redone = flash_pages(session, APP1.start, SECTOR, 1024)
        learned = session.pace
    early = policy is PollPolicy.AUTO and pace is not Pace.CLAIMED
    violations = rig.board.state().violations
    assert len(violations) == early
    assert redone <= early
    assert rig.memory(Range.sized(APP1.start, 3 * SECTOR)) == contents(APP1.start, SECTOR, 1024)
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), policy, rig.nap, learned)
        session.open()
        assert flash_pages(session, APP1.start, SECTOR, 1024) == 0
    assert rig.board.state().violations == violations


def test_the_violation_of_a_board_that_is_strict_in_an_erase_is_in_an_erase() -> None:
    rig = Rig(Model.STRICT)
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), PollPolicy.AUTO, rig.nap)
        session.open()
        assert session.read(APP1.start, 1024) == rig.old[0x20000:0x20400], "a read before it sets an address"
        assert rig.board.state().violations == ()
        session.erase(Range.sized(APP1.start, SECTOR))
    assert len(rig.board.state().violations) == 1


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_an_address_that_fails_for_any_reason_is_simply_repeated(requests: int) -> None:
    rig = Rig(Model.CLASSIC)
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), PollPolicy.AUTO, rig.nap)
        session.open()
        session.erase(Range.sized(APP1.start, SECTOR))
        rig.board.fault(Fault.STALL, requests)  # DNLOAD, GETSTATUS, GETSTATUS
        session.write(APP1.start, bytes(1024))
    assert rig.memory(Range.sized(APP1.start, 1024)) == bytes(1024)


@pytest.mark.parametrize(
    "state", [DfuState.DNLOAD_IDLE, DfuState.DNLOAD_SYNC, DfuState.UPLOAD_IDLE, DfuState.ERROR, DfuState.DNBUSY]
)
def test_after_a_recovery_a_page_can_be_done_again_from_every_state(state: DfuState) -> None:
    pipe = ModelPipe()
    session = opened(pipe, Pace.SYNCHRONOUS)
    session.erase(Range.sized(BASE, PAGE))
    session.write(BASE, bytes(1024))
    if state == DfuState.UPLOAD_IDLE:
        session.read(BASE, 1024)
    pipe.state, pipe.pending, pipe.pointer = state, (0, b"\x21\0\0\0\x08"), 0x1234
    session.recover()
    flash_pages(session, BASE, PAGE, 1024)
    assert bytes(pipe.memory[: 3 * PAGE]) == contents(BASE, PAGE, 1024)
    assert pipe.errors == 0


@given(
    strict=st.frozensets(st.sampled_from(["erase", "address", "data"])),
    while_busy=st.sampled_from(WhileBusy),
    first=st.sampled_from([DfuState.DNBUSY, DfuState.DNLOAD_SYNC, DfuState.DNLOAD_IDLE]),
    poll_ms=st.integers(0, 400),
    part=st.floats(0, 1),
    policy=st.sampled_from(PollPolicy),
    pace=st.sampled_from(Pace),
)
def test_an_honest_device_is_flashed_with_at_most_one_objection(  # noqa: PLR0917 - hypothesis gives each by its name
    strict: frozenset[str],
    while_busy: WhileBusy,
    first: DfuState,
    poll_ms: int,
    part: float,
    policy: PollPolicy,
    pace: Pace,
) -> None:
    pipe = ModelPipe(while_busy, first, part * poll_ms / 1000, poll_ms=poll_ms, strict=strict)
    session = opened(pipe, pace, policy)
    redone = flash_pages(session, BASE, PAGE, 1024)
    obeyed = policy is PollPolicy.SPEC or pace is Pace.CLAIMED
    assert bytes(pipe.memory[: 3 * PAGE]) == contents(BASE, PAGE, 1024)
    assert pipe.objections <= (not obeyed)
    assert redone <= pipe.objections
    assert pipe.early == 0 or not obeyed
    assert pipe.errors == 0
    assert pipe.objections == 0 or session.pace is Pace.CLAIMED
    before = pipe.objections, pipe.clock
    again = DfuseSession(pipe, FENCE, policy, pipe.sleep, session.pace, multiplies=True)
    again.open()
    assert flash_pages(again, BASE, PAGE, 1024) == 0
    if pipe.objections:
        assert pipe.objections == before[0]
    longest = max(1.25 * poll_ms + 1, 60)  # an early question comes at most a quarter too late
    assert pipe.clock - before[1] <= 3 * 4 * longest / 1000 + 1e-6, "hardly more sleep than was claimed"


DFUSE = [model for model in Model if model not in PLAIN_MODELS | STORES_NOTHING]


@pytest.mark.parametrize("model", DFUSE)
def test_every_emulated_dfuse_board_can_be_written_with_what_it_was_learned_to_be(model: Model) -> None:
    rig = Rig(model)
    pace = Pace.UNPROVEN
    slept: list[float] = []
    for _ in range(2):
        with rig.open() as pipe:
            session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), PollPolicy.AUTO, rig.nap, pace)
            size = session.open().functional.transfer_size
            flash_pages(session, APP1.start, SECTOR, size)
            assert rig.memory(Range.sized(APP1.start, 3 * SECTOR)) == contents(APP1.start, SECTOR, size)
            pace = session.pace
            slept.append(session.slept)
    assert len(rig.board.state().violations) <= model.startswith("strict")
    assert not rig.outside_changed(APP1)
    if pace is Pace.SYNCHRONOUS:
        assert slept == [0, 0]
