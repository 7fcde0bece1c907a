"""When the device is asked again: sleeps are counted in simulated time."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, FlashdeckError, StallError, TransferTimeoutError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import DeviceWork, TimeClaim
from flashdeckd.dfu.claims import TOLD_FROM
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.polling import (
    ADDRESS,
    ADDRESS_NEED,
    BLOCK,
    BLOCK_NEED,
    CLAIMS,
    ERASE_PATIENCE,
    FIRST_PLAIN_BLOCK,
    HONEST,
    LONGEST_EARLY_NAP,
    LONGEST_NAP,
    LONGEST_SLEEP,
    NAP_GROWTH,
    PLAIN_BLOCK,
    SECTOR_PATIENCE,
    SHORTEST_NAP,
    WRITE_PATIENCE,
    DeviceTask,
    DfuStatusError,
    Poller,
    StuckError,
    TooEarlyError,
    erase_of,
)
from flashdeckd.dfu.wire import DfuRequest, DfuState, erase_page
from model_pipe import BASE, PAGE, ModelPipe, WhileBusy

ERASE = erase_of(ERASE_PATIENCE)
GEOMETRY = Geometry((Region(BASE, 32, PAGE),), program_unit=16)
FENCE = Fence.around(Range.sized(BASE, 32 * PAGE), GEOMETRY)


def opened(pipe: ModelPipe, policy: PollPolicy = PollPolicy.AUTO) -> DfuseSession:
    session = DfuseSession(pipe, FENCE, policy, pipe.sleep, multiplies=True)
    session.open()
    return session


def page(index: int) -> Range:
    return Range.sized(BASE + index * PAGE, PAGE)


def work(session: DfuseSession, pages: int = 4) -> None:
    for index in range(pages):
        session.erase(page(index))
    for block in range(pages * 2):
        session.write(BASE + block * 1024, bytes([block + 1]) * 1024)


def expected(pages: int = 4) -> bytes:
    return b"".join(bytes([block + 1]) * 1024 for block in range(pages * 2))


def test_a_device_that_works_within_getstatus_is_never_slept_for() -> None:
    pipe = ModelPipe(poll_ms=244)
    session = opened(pipe)
    before = pipe.transfers
    work(session)
    assert session.pace is Pace.SYNCHRONOUS
    assert pipe.naps == []
    assert pipe.transfers - before == 3 * (4 + 8 + 1), "an erase, a block and an address cost three requests each"
    assert bytes(pipe.memory[: 4 * PAGE]) == expected()


def test_stalls_while_busy_are_waited_out_in_short_polls() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.STALL, duration=0.020, poll_ms=244)
    session = opened(pipe)
    work(session)
    assert session.pace is Pace.STALLING
    assert bytes(pipe.memory[: 4 * PAGE]) == expected()
    operations = 4 + 8 + 1
    assert session.slept < operations * 0.030, "far less than claimed"
    assert pipe.early < operations * 20
    assert pipe.errors == 0


def test_busy_answers_are_polled_with_a_back_off() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.BUSY, duration=2.0, poll_ms=5000)
    session = opened(pipe)
    session.erase(page(0))
    assert session.pace is Pace.PATIENT
    assert 2.0 <= session.slept < 2.5
    assert pipe.early < 100


def test_a_strict_device_is_polled_early_once_and_obeyed_from_then_on() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.050, poll_ms=50)
    session = opened(pipe)
    work(session)
    assert session.pace is Pace.CLAIMED
    assert pipe.early == 1
    assert bytes(pipe.memory[: 4 * PAGE]) == expected()
    assert session.slept == pytest.approx(0.050 * (4 + 8 + 1))


def test_poll_spec_is_never_early() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.050, poll_ms=50)
    session = opened(pipe, PollPolicy.SPEC)
    work(session)
    assert pipe.early == 0
    assert session.slept == pytest.approx(0.050 * (4 + 8 + 1))


def test_a_data_block_is_never_polled_early_before_an_erase_proved_it() -> None:
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=0.050, poll_ms=50)
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    session.write(BASE, bytes(1024))
    assert pipe.early == 0
    assert session.pace is Pace.UNPROVEN


@pytest.mark.parametrize("first", [DfuState.DNLOAD_IDLE, DfuState.DNLOAD_SYNC])
def test_an_operation_that_is_over_at_the_first_answer_is_accepted(first: DfuState) -> None:
    pipe = ModelPipe(first=first, poll_ms=50)
    work(opened(pipe))
    assert bytes(pipe.memory[: 4 * PAGE]) == expected()
    assert pipe.naps == []


def test_a_busy_device_that_claims_no_time_does_not_flood_the_bus() -> None:
    pipe = ModelPipe(duration=1.0, poll_ms=0)
    opened(pipe, PollPolicy.SPEC).erase(page(0))
    assert len(pipe.naps) < 100
    assert all(nap > 0 for nap in pipe.naps)


@pytest.mark.parametrize("policy", list(PollPolicy))
@pytest.mark.parametrize("while_busy", [WhileBusy.BUSY, WhileBusy.STALL])
def test_a_device_that_is_busy_for_ever_is_given_up(policy: PollPolicy, while_busy: WhileBusy) -> None:
    pipe = ModelPipe(while_busy=while_busy, duration=1e9, poll_ms=0xFFFFFF)
    with pytest.raises(StallError if while_busy is WhileBusy.STALL else DeviceError, match="erase of the sector"):
        opened(pipe, policy).erase(page(0))
    assert sum(pipe.naps) < 300, "4.6 hours were claimed"
    assert len(pipe.naps) < 5000


def test_a_failed_erase_is_reported_with_status_meaning_and_address() -> None:
    pipe = ModelPipe(failing_erases={3})
    session = opened(pipe)
    session.erase(page(0))
    with pytest.raises(DfuStatusError, match=r"0x08001800-0x08001fff.*errERASE.*dfuERROR"):
        session.erase(page(3))


def test_a_first_erase_that_fails_is_tried_once_more_as_claimed() -> None:
    pipe = ModelPipe(failing_erases={0}, duration=0.05)
    with pytest.raises(DfuStatusError):
        opened(pipe).erase(page(0))
    commands = [length for value, length in pipe.requests(DfuRequest.DNLOAD) if value == 0]
    assert commands == [5, 5]


def test_the_pace_is_learned_only_from_an_answer_that_was_early() -> None:
    pipe = ModelPipe(first=DfuState.DNLOAD_IDLE)
    session = opened(pipe)
    session.erase(page(0))
    assert session.pace is Pace.UNPROVEN


@given(
    answers=st.lists(
        st.none()
        | st.binary(max_size=7)
        | st.tuples(st.integers(0, 0xFFFFFF), st.sampled_from([3, 4, 4, 4])).map(
            lambda answer: bytes((0, *answer[0].to_bytes(3, "little"), answer[1], 0))
        ),
        min_size=1,
        max_size=12,
    ),
    policy=st.sampled_from(PollPolicy),
    pace=st.sampled_from(Pace),
)
def test_whatever_a_device_answers_an_operation_ends(
    answers: list[bytes | None], policy: PollPolicy, pace: Pace
) -> None:
    class Anything(ModelPipe):
        """Answers GETSTATUS from the list, and with its last entry for ever."""

        asked = 0

        def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
            if request != DfuRequest.GETSTATUS:
                return super().receive(request, value, length, timeout=timeout)
            answer = answers[min(self.asked, len(answers) - 1)]
            self.asked += 1
            if answer is None:
                raise StallError("refused with a STALL")
            return answer

    pipe = Anything()
    poller = Poller(pipe, policy, pipe.sleep, pace)
    try:
        poller.complete("something", ERASE)
    except DeviceError as error:
        trouble = error
    else:
        return
    finally:
        assert sum(pipe.naps) <= 180
        assert pipe.asked < 4000
        assert poller.pace in {pace, Pace.CLAIMED} or pace is Pace.UNPROVEN
    assert trouble.hint


@dataclass
class DiesEarly(ModelPipe):
    """Hangs, or leaves the bus, where it is asked before its time is over."""

    error: FlashdeckError = field(default_factory=lambda: TransferTimeoutError("no answer"))

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        if request == DfuRequest.GETSTATUS and self.state == DfuState.DNBUSY and self.clock < self.done_at:
            self.early += 1
            raise self.error
        return super().receive(request, value, length, timeout=timeout)


@pytest.mark.parametrize("error", [TransferTimeoutError("no answer"), DeviceGoneError("it is gone")])
def test_a_board_that_dies_of_an_early_question_is_obeyed_by_the_next_session(error: FlashdeckError) -> None:
    pipe = DiesEarly(duration=0.050, poll_ms=50, error=error)
    first = opened(pipe)
    with pytest.raises(type(error)):
        first.erase(page(0))
    assert first.pace is Pace.CLAIMED
    pipe.clock += 1
    pipe.state, pipe.pending = DfuState.IDLE, None
    second = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep, first.pace)
    second.open()
    second.erase(page(0))
    assert pipe.early == 1


def test_a_bootloader_that_claims_for_ever_is_given_up_in_the_end() -> None:
    pipe = ModelPipe(poll_ms=0xFFFFFF)
    session = opened(pipe, PollPolicy.SPEC)

    def erase_for_ever() -> None:
        for _ in range(1000):
            session.erase(page(0))

    with pytest.raises(DeviceError, match="minutes of waiting"):
        erase_for_ever()
    assert sum(pipe.naps) <= LONGEST_SLEEP


# Limits


def begun(pipe: ModelPipe) -> ModelPipe:
    """The device with an erase in hand, before the GETSTATUS that starts it."""
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    return pipe


def test_a_claimed_time_is_obeyed_up_to_the_longest_nap() -> None:
    longest = int(LONGEST_NAP * 1000)
    for claimed in (longest - 1000, longest, longest + 1000, 0xFFFFFF):
        pipe = begun(ModelPipe(poll_ms=claimed))
        Poller(pipe, PollPolicy.SPEC, pipe.sleep).complete("erase", ERASE)
        assert pipe.naps == [min(claimed, longest) / 1000]


def test_naps_without_a_claim_grow_with_the_time_so_far() -> None:
    pipe = begun(ModelPipe(duration=1.0, poll_ms=0))
    Poller(pipe, PollPolicy.SPEC, pipe.sleep).complete("erase", ERASE)
    assert pipe.naps[0] == SHORTEST_NAP
    for index, nap in enumerate(pipe.naps):
        assert nap == pytest.approx(max(SHORTEST_NAP, NAP_GROWTH * sum(pipe.naps[:index])))


def test_early_naps_stay_short() -> None:
    pipe = begun(ModelPipe(duration=1.0, poll_ms=5000))
    Poller(pipe, PollPolicy.AUTO, pipe.sleep).complete("erase", ERASE)
    assert max(pipe.naps) == LONGEST_EARLY_NAP


@pytest.mark.parametrize(("operation", "patience"), [(ERASE, ERASE_PATIENCE), (BLOCK, WRITE_PATIENCE)])
def test_an_operation_that_claims_nothing_has_its_patience(operation: DeviceTask, patience: float) -> None:
    pipe = begun(ModelPipe(duration=1e9, poll_ms=0))
    with pytest.raises(StuckError):
        Poller(pipe, PollPolicy.AUTO, pipe.sleep, Pace.PATIENT).complete("it", operation)
    assert patience <= sum(pipe.naps) <= patience + LONGEST_EARLY_NAP


def test_an_operation_is_given_several_times_what_it_claims() -> None:
    claimed = SECTOR_PATIENCE + 1
    pipe = ModelPipe(duration=1e9, poll_ms=int(claimed * 1000))
    with pytest.raises(StuckError):
        Poller(begun(pipe), PollPolicy.SPEC, pipe.sleep).complete("erase", erase_of(SECTOR_PATIENCE))
    assert pipe.naps == [claimed] * CLAIMS


def test_a_session_sleeps_only_so_long_because_a_device_claims_it() -> None:
    pipe = ModelPipe()
    poller = Poller(pipe, PollPolicy.SPEC, pipe.sleep)
    poller.nap(LONGEST_SLEEP)
    with pytest.raises(DeviceError, match="minutes of waiting"):
        poller.nap(SHORTEST_NAP)
    assert pipe.naps == [LONGEST_SLEEP]


# Claims that no operation can need


def claiming(seconds: float, *, first: bytes = erase_page(BASE)) -> ModelPipe:
    """The device with a command in hand, for which it will claim so many seconds."""
    pipe = ModelPipe(poll_ms=min(int(seconds * 1000), 0xFFFFFF))
    pipe.send(DfuRequest.DNLOAD, 0, first, timeout=1)
    return pipe


OPERATIONS = [
    (ADDRESS, ADDRESS_NEED),
    (BLOCK, BLOCK_NEED),
    (PLAIN_BLOCK, BLOCK_NEED),
    (FIRST_PLAIN_BLOCK, ERASE_PATIENCE),
    (erase_of(SECTOR_PATIENCE), SECTOR_PATIENCE),
    (ERASE, ERASE_PATIENCE),
]


@pytest.mark.parametrize(("operation", "need"), OPERATIONS)
def test_a_claim_is_believed_as_far_as_the_operation_could_ever_need_it(operation: DeviceTask, need: float) -> None:
    for claimed in (0.1, HONEST, HONEST + 0.1, need - 0.5, need, need + 0.5, 16777.215):
        pipe = claiming(claimed)
        Poller(pipe, PollPolicy.AUTO, pipe.sleep, Pace.CLAIMED).complete("it", operation)
        assert pipe.naps == [claimed if claimed <= HONEST else min(claimed, need)]
        pipe = claiming(claimed)
        Poller(pipe, PollPolicy.SPEC, pipe.sleep).complete("it", operation)
        assert pipe.naps == [min(claimed, LONGEST_NAP)], "as the profile wants it"


@pytest.mark.parametrize("claimed", [0.1, 0.5, 1, 2, 5])
def test_an_honest_claim_is_obeyed_on_a_board_that_nobody_knows(claimed: float) -> None:
    """One that fails when it is asked before, and claims the same for setting an address."""
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=claimed, poll_ms=int(claimed * 1000))
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    for block in range(3):
        session.write(BASE + block * 1024, bytes([block]) * 1024)
    assert bytes(pipe.memory[2048:3072]) == b"\x02" * 1024
    assert pipe.objections == 0
    assert session.pace is Pace.UNPROVEN


def test_a_board_that_claims_hours_for_everything_is_flashed() -> None:
    pipe = ModelPipe(poll_ms=0xFFFFFF)
    session = opened(pipe)
    session.read(BASE, 1024)
    work(session)
    assert bytes(pipe.memory[: 4 * PAGE]) == expected()
    assert pipe.naps == [ADDRESS_NEED], "the only operation before an erase has shown its pace"


def test_a_board_that_fails_because_its_long_claim_was_not_believed_is_believed_from_then_on() -> None:
    claimed = SECTOR_PATIENCE + 4
    pipe = ModelPipe(while_busy=WhileBusy.ERROR, duration=claimed, poll_ms=int(claimed * 1000))
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep, Pace.CLAIMED, multiplies=True)
    session.open()
    session.erase(page(0))
    session.erase(page(1))
    assert pipe.objections == 1
    with pytest.raises(TooEarlyError, match="before its time was over"):
        Poller(pipe, PollPolicy.AUTO, pipe.sleep, Pace.CLAIMED).complete("it", _pending(pipe))


def _pending(pipe: ModelPipe) -> DeviceTask:
    pipe.state = DfuState.IDLE
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    return BLOCK


def test_a_wait_that_a_board_claims_is_told_with_its_number_before_it_begins() -> None:
    for claimed, is_told in ((TOLD_FROM - 0.1, False), (TOLD_FROM, True), (10.0, True), (16777.215, True)):
        pipe, told = claiming(claimed), list[tuple[TimeClaim, int]]()

        def tell(claim: TimeClaim, told: list[tuple[TimeClaim, int]] = told, pipe: ModelPipe = pipe) -> None:
            told.append((claim, len(pipe.naps)))

        Poller(pipe, PollPolicy.AUTO, pipe.sleep, on_claim=tell).complete("it", BLOCK)
        claim = TimeClaim(work=DeviceWork.BLOCK, seconds=claimed, waits=min(claimed, BLOCK_NEED))
        assert told == ([(claim, 0)] if is_told else [])


def test_too_much_sleep_has_a_hint_that_fits_the_profile() -> None:
    for policy, hint in ((PollPolicy.SPEC, 'poll = "auto"'), (PollPolicy.AUTO, "mend it in the bootloader")):
        pipe = ModelPipe()
        with pytest.raises(DeviceError) as caught:
            Poller(pipe, policy, pipe.sleep).nap(LONGEST_SLEEP + 1)
        assert hint in caught.value.hint
