"""From whatever state a device was left in to dfuIDLE."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashdeck.config import PollPolicy
from flashdeck.errors import DescriptorError, DeviceError, StallError, TransferTimeoutError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.facts import MAX_ALTERNATES, identify
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import AlternateSetting
from flashdeckd.dfu.recovery import (
    FIRST_NAP,
    LONGEST_BUSY_NAP,
    LONGEST_BUSY_WAIT,
    LONGEST_NAP,
    MANIFEST_WAIT,
    MAX_STEPS,
    SHORTEST_BUSY_WAIT,
    STEPS_BEFORE_RESET,
    WAYS_OUT,
    Remedy,
    to_idle,
)
from flashdeckd.dfu.wire import DfuRequest, DfuState, erase_page
from model_pipe import BASE, MAP, PAGE, ModelPipe

FENCE = Fence.around(Range.sized(BASE, 32 * PAGE), Geometry((Region(BASE, 32, PAGE),)))


class Stubborn(ModelPipe):
    """A device whose GETSTATE, CLRSTATUS and the rest are answered by the test."""

    def on(self, request: DfuRequest, answer: Callable[[], bytes]) -> "Stubborn":
        self.answers = {**getattr(self, "answers", {}), request: answer}
        return self

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        if answer := getattr(self, "answers", {}).get(request):
            self.log.append((DfuRequest(request), value, len(data)))
            answer()
        else:
            super().send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        if answer := getattr(self, "answers", {}).get(request):
            self.log.append((DfuRequest(request), value, length))
            return answer()
        return super().receive(request, value, length, timeout=timeout)


def stall() -> bytes:
    raise StallError("refused with a STALL")


@pytest.mark.parametrize(
    "state", [DfuState.IDLE, DfuState.DNLOAD_IDLE, DfuState.UPLOAD_IDLE, DfuState.DNLOAD_SYNC, DfuState.ERROR]
)
def test_the_states_that_a_request_leads_out_of(state: DfuState) -> None:
    pipe = ModelPipe()
    pipe.state = state
    to_idle(pipe, pipe.sleep)
    assert pipe.state == DfuState.IDLE
    assert pipe.naps == []
    assert pipe.errors == 0


def test_the_operation_that_a_crashed_host_left_is_not_run() -> None:
    pipe = ModelPipe()
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    before = bytes(pipe.memory)
    pipe.log.clear()
    to_idle(pipe, pipe.sleep)
    assert bytes(pipe.memory) == before
    assert pipe.requests(DfuRequest.GETSTATUS) == []


def test_clrstatus_is_not_sent_without_need() -> None:
    pipe = ModelPipe()
    to_idle(pipe, pipe.sleep)
    assert pipe.log == [(DfuRequest.GETSTATE, 0, 1)]


def test_the_illegal_state_of_sts_class_takes_two_clrstatus() -> None:
    pipe = Stubborn()
    states = iter((15, DfuState.IDLE))
    pipe.on(DfuRequest.GETSTATE, lambda: bytes((next(states),))).on(DfuRequest.CLRSTATUS, lambda: b"")
    to_idle(pipe, pipe.sleep)
    assert len(pipe.requests(DfuRequest.CLRSTATUS)) == 2


def test_a_device_without_getstate_is_asked_for_its_status() -> None:
    pipe = Stubborn().on(DfuRequest.GETSTATE, stall)
    to_idle(pipe, pipe.sleep)
    assert [request for request, _, _ in pipe.log] == [DfuRequest.GETSTATE, DfuRequest.GETSTATUS]


def test_a_device_that_stalls_everything_in_dfuerror_is_cleared() -> None:
    pipe = Stubborn()
    pipe.state = DfuState.ERROR

    def answer(fine: bytes) -> bytes:
        return stall() if pipe.state == DfuState.ERROR else fine

    pipe.on(DfuRequest.GETSTATE, lambda: answer(bytes((pipe.state,))))
    pipe.on(DfuRequest.GETSTATUS, lambda: answer(bytes((0, 0, 0, 0, pipe.state, 0))))
    to_idle(pipe, pipe.sleep)
    assert pipe.state == DfuState.IDLE


def test_a_busy_device_is_waited_for() -> None:
    pipe = ModelPipe(duration=0.5, poll_ms=100)
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    pipe.receive(DfuRequest.GETSTATUS, 0, 6, timeout=1)
    assert pipe.state == DfuState.DNBUSY
    to_idle(pipe, pipe.sleep)
    assert pipe.state == DfuState.IDLE
    assert 0.5 <= sum(pipe.naps) < 1


def test_a_wedged_device_takes_two_clrstatus_and_not_for_ever() -> None:
    pipe = Stubborn(duration=1e9, poll_ms=0xFFFFFF)
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    pipe.receive(DfuRequest.GETSTATUS, 0, 6, timeout=1)
    cleared: list[int] = []

    def clear() -> bytes:
        cleared.append(1)
        pipe.state = DfuState.ERROR if len(cleared) == 1 else DfuState.IDLE
        return b""

    pipe.on(DfuRequest.CLRSTATUS, clear)
    to_idle(pipe, pipe.sleep)
    assert len(cleared) == 2
    assert sum(pipe.naps) < 45


@pytest.mark.parametrize("state", [DfuState.MANIFEST, DfuState.MANIFEST_WAIT_RESET])
def test_a_manifesting_device_is_reset(state: DfuState) -> None:
    pipe = ModelPipe()
    pipe.state = state
    to_idle(pipe, pipe.sleep)
    assert (pipe.state, pipe.resets) == (DfuState.IDLE, 1)


@pytest.mark.parametrize("takes_abort", [True, False], ids=["ABORT", "ABORT, then CLRSTATUS"])
def test_an_image_that_a_crashed_host_has_just_sent_takes_no_reset_and_is_not_started(takes_abort: bool) -> None:
    pipe = Stubborn()
    pipe.state = DfuState.MANIFEST_SYNC

    def abort() -> bytes:
        pipe.state = DfuState.IDLE
        return b""

    if takes_abort:
        pipe.on(DfuRequest.ABORT, abort)
    to_idle(pipe, pipe.sleep)
    assert (pipe.state, pipe.resets, pipe.naps) == (DfuState.IDLE, 0, [])
    assert pipe.requests(DfuRequest.GETSTATUS) == [], "it would begin the manifestation"


@pytest.mark.parametrize("state", [DfuState.MANIFEST_SYNC, DfuState.MANIFEST, DfuState.MANIFEST_WAIT_RESET])
def test_a_device_that_stays_in_its_manifestation_is_soon_given_up(state: DfuState) -> None:
    pipe = Stubborn().on(DfuRequest.GETSTATE, lambda: bytes((state,))).on(DfuRequest.ABORT, lambda: b"")
    with pytest.raises(DeviceError, match="stays with dfuMANIFEST"):
        to_idle(pipe, pipe.sleep)
    assert pipe.resets == 1
    assert sum(pipe.naps) <= MANIFEST_WAIT


@pytest.mark.parametrize("state", [state for state in DfuState if state != DfuState.IDLE])
def test_no_state_is_left_by_a_reset_where_that_is_not_wanted(state: DfuState) -> None:
    pipe = Stubborn().on(DfuRequest.GETSTATE, lambda: bytes((state,)))
    for request in (DfuRequest.ABORT, DfuRequest.CLRSTATUS):
        pipe.on(request, lambda: b"")
    with pytest.raises(DeviceError):
        to_idle(pipe, pipe.sleep, may_reset=False)
    assert pipe.resets == 0


def test_every_state_has_its_way_out() -> None:
    running = {DfuState.APP_IDLE, DfuState.APP_DETACH}
    assert set(WAYS_OUT) == {None, *DfuState} - {DfuState.IDLE} - running
    assert all(Remedy.RESET not in remedies[:-1] for remedies in WAYS_OUT.values()), "the last resort"


@pytest.mark.parametrize("state", [DfuState.APP_IDLE, DfuState.APP_DETACH])
def test_a_running_application_is_no_bootloader(state: DfuState) -> None:
    pipe = ModelPipe()
    pipe.state = state
    with pytest.raises(DeviceError, match="is running, with its application"):
        to_idle(pipe, pipe.sleep)


def test_a_device_that_answers_nothing_is_reset_once_and_then_given_up() -> None:
    pipe = Stubborn()

    def silence() -> bytes:
        raise TransferTimeoutError("no answer in time")

    pipe.on(DfuRequest.GETSTATE, silence)
    with pytest.raises(TransferTimeoutError):
        to_idle(pipe, pipe.sleep)
    assert pipe.resets == 1


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_a_device_says_the_ladder_ends(data: st.DataObject) -> None:
    pipe = Stubborn(poll_ms=0)
    asked = 0

    def any_state() -> bytes:
        nonlocal asked
        asked += 1
        return data.draw(st.one_of(st.just(stall), st.integers(0, 255).map(lambda s: lambda: bytes((s,)))))()

    def any_status() -> bytes:
        return data.draw(st.one_of(st.just(stall), st.binary(max_size=7).map(lambda b: lambda: b)))()

    pipe.on(DfuRequest.GETSTATE, any_state).on(DfuRequest.GETSTATUS, any_status)
    pipe.on(DfuRequest.CLRSTATUS, lambda: b"").on(DfuRequest.ABORT, lambda: b"")
    try:
        to_idle(pipe, pipe.sleep)
    except DeviceError as error:
        assert error.hint  # noqa: PT017 - either end is fine, this is what is asked of one of them
    assert asked <= 24
    assert sum(pipe.naps) < 120


def opened(pipe: ModelPipe, fence: Fence = FENCE) -> DfuseSession:
    session = DfuseSession(pipe, fence, PollPolicy.AUTO, pipe.sleep)
    session.open()
    return session


def test_a_plain_dfu_device_gets_no_command() -> None:
    pipe = ModelPipe(functional=bytes.fromhex("09210bff0000041001"))
    with pytest.raises(DescriptorError, match="0x0110"):
        opened(pipe)
    assert pipe.requests(DfuRequest.DNLOAD) == []


def test_without_a_functional_descriptor_the_map_says_that_it_is_dfuse() -> None:
    pipe = ModelPipe(functional=bytes(2))
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep)
    assert session.open().functional.transfer_size == 0
    pipe = ModelPipe(functional=bytes(2), texts={})
    with pytest.raises(DescriptorError, match="plain DFU"):
        opened(pipe)


def test_the_alternate_setting_whose_map_reaches_the_partition_is_selected() -> None:
    pipe = ModelPipe(
        alternates=(AlternateSetting(0, 4, 2), AlternateSetting(1, 5, 2), AlternateSetting(2, 6, 2)),
        texts={4: "@Option Bytes/0x1FFF7800/01*048 e", 5: "no map", 6: "@Flash/0x08000000/32*2Kg"},
    )
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep)
    facts = session.open()
    assert facts.memory_map is not None
    assert facts.memory_map.name == "Flash"
    assert pipe.selected == [2]
    session.recover()
    assert pipe.selected == [2, 2], "a reset in a recovery goes back to the first"


def test_a_single_alternate_setting_is_not_selected() -> None:
    pipe = ModelPipe()
    opened(pipe)
    assert pipe.selected == []


def test_a_board_without_a_map_says_why() -> None:
    session = DfuseSession(pipe := ModelPipe(texts={}), FENCE, PollPolicy.AUTO, lambda _: None)
    facts = session.open()
    assert facts.memory_map is None
    assert "name" in facts.map_error
    assert pipe.state == DfuState.IDLE


# Limits


def busy(poll_ms: int) -> ModelPipe:
    """A device in an erase that never ends."""
    pipe = ModelPipe(duration=1e9, poll_ms=poll_ms)
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    pipe.receive(DfuRequest.GETSTATUS, 0, 6, timeout=1)
    return pipe


def test_the_ladder_has_so_many_steps_and_a_reset_among_them() -> None:
    pipe = Stubborn().on(DfuRequest.CLRSTATUS, lambda: b"")
    pipe.state = DfuState.ERROR
    asked_before_reset: list[int] = []

    def error() -> bytes:
        if pipe.resets and not asked_before_reset:
            asked_before_reset.append(len(pipe.requests(DfuRequest.GETSTATE)) - 1)
        return bytes((DfuState.ERROR,))

    with pytest.raises(DeviceError, match="stays with dfuERROR"):
        to_idle(pipe.on(DfuRequest.GETSTATE, error), pipe.sleep)
    assert len(pipe.requests(DfuRequest.GETSTATE)) == MAX_STEPS
    assert asked_before_reset == [STEPS_BEFORE_RESET]


def test_a_device_that_refuses_everything_is_asked_less_and_less_often() -> None:
    pipe = Stubborn()
    for request in DfuRequest:
        pipe.on(request, stall)
    with pytest.raises(DeviceError, match="STALL of every request"):
        to_idle(pipe, pipe.sleep)
    assert pipe.naps[:2] == [FIRST_NAP, 2 * FIRST_NAP]
    assert pipe.naps == sorted(pipe.naps)
    assert pipe.naps[-1] == LONGEST_NAP


def test_a_busy_device_is_given_the_time_of_a_slow_sector() -> None:
    pipe = busy(poll_ms=0)
    to_idle(pipe, pipe.sleep)
    assert SHORTEST_BUSY_WAIT - 1e-6 <= sum(pipe.naps) <= SHORTEST_BUSY_WAIT + FIRST_NAP


def test_a_busy_device_that_claims_hours_is_given_less() -> None:
    pipe = busy(poll_ms=0xFFFFFF)
    to_idle(pipe, pipe.sleep)
    assert set(pipe.naps) == {LONGEST_BUSY_NAP}
    assert LONGEST_BUSY_WAIT <= sum(pipe.naps) < LONGEST_BUSY_WAIT + LONGEST_BUSY_NAP


def test_a_manifestation_of_another_host_is_given_time_before_the_reset() -> None:
    pipe = ModelPipe()
    pipe.state = DfuState.MANIFEST
    to_idle(pipe, pipe.sleep)
    assert (pipe.naps, pipe.resets) == ([MANIFEST_WAIT], 1)


def test_the_names_of_so_many_alternate_settings_are_read() -> None:
    def pipe(settings: int) -> ModelPipe:
        alternates = tuple(AlternateSetting(number, 4 + number, 2) for number in range(settings))
        texts = {4 + number: f"n{number}" for number in range(settings - 1)} | {3 + settings: MAP}
        return ModelPipe(alternates=alternates, texts=texts)

    full, beyond = pipe(MAX_ALTERNATES), pipe(MAX_ALTERNATES + 1)
    assert identify(full, full.sleep).split(" ", MAX_ALTERNATES - 1)[-1] == MAP
    assert identify(beyond, beyond.sleep).split(" ") == [f"n{number}" for number in range(MAX_ALTERNATES)]
