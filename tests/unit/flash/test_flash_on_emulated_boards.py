"""Whole flashes through pyusb on emulated bootloaders: what is in the flash afterwards, and what it cost."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import (
    APP1,
    BASE,
    BOOTLOADER,
    PARTITION2,
    ROOM,
    ROOM_TWIN,
    SECTOR,
    TARGET,
    Rig,
    Watcher,
    blank,
    image,
    small,
)
from flashdeck.config import BankPolicy, ErasePolicy, MapPolicy, PollPolicy, VerifyPolicy
from flashdeck.errors import FlashdeckError, ParkedError, RefusedError, VerifyError
from flashdeck.geometry import Range
from flashdeck.job_state import Phase, Verified
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.polling import DfuStatusError
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.comparing import ERASE_WORTH, WRITE_WORTH
from flashdeckd.images.image import Image
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.nor import FlashLayout
from flashdeckd.virtual.spec import HONEST_MAP, PLAIN_MODELS, Model

READABLE = (Model.CLASSIC, Model.CLASSIC_CRASH, Model.USBX)
UNREADABLE = (Model.CLASSIC_NOREAD,)


def held(rig: Rig, size: int) -> bytes:
    return rig.memory(Range.sized(APP1.start, size))


@pytest.mark.parametrize("model", READABLE + UNREADABLE)
@pytest.mark.parametrize("size", [1, 16, 17, 1023, 8192, 100_003, APP1.size])
def test_the_image_is_there_and_nothing_else_changed(model: Model, size: int) -> None:
    rig, data, watcher = Rig(model), image(size), Watcher()
    outcome = rig.flash(data, watcher=watcher)
    assert held(rig, size) == data
    assert not rig.outside_changed(APP1)
    assert outcome.verified is (Verified.YES if model in READABLE else Verified.NO)
    assert outcome.left
    assert not outcome.interrupted
    assert outcome.bytes_written == size
    state = rig.board.state()
    assert state.violations == ()
    assert (outcome.erases, outcome.uploads) == (state.erases, state.uploads)
    assert watcher.events == ["planned", "began", "committed"]
    assert watcher.last[Phase.LEAVE] == (16, 16)
    assert rig.present is (size < 8), "it left, and the boot check started what begins like an image"


@pytest.mark.parametrize(("transfer_size", "ceiling"), [(1024, 1330), (2048, 755)])
def test_a_full_partition_costs_three_requests_a_block_and_three_a_sector(transfer_size: int, ceiling: int) -> None:
    rig, watcher = Rig(Model.CLASSIC, old=blank(ROOM, ROOM_TWIN), transfer_size=transfer_size), Watcher()
    stay = replace(TARGET, leave=False)
    first = rig.flash(image(100), stay)
    assert rig.history == BootloaderHistory(pace=Pace.SYNCHRONOUS, reading_proved=True, proved_banks=(0,))
    rig.naps.clear()
    again = rig.flash(image(100, seed=2), stay)
    assert (again.erases, again.blocks) == (first.erases - 1, first.blocks), "the canary's"
    assert first.transfers - first.uploads - (again.transfers - again.uploads) <= 40, "proof and canary"

    before = rig.board.state()
    outcome = rig.flash(image(APP1.size), watcher=watcher)
    requests = rig.board.state().requests - before.requests - outcome.uploads
    assert requests <= ceiling
    assert requests <= 3 * outcome.blocks + 3 * outcome.erases + 30
    assert rig.naps == [], "the bootloader claims 50 ms for everything"
    assert outcome.slept == 0.0
    assert watcher.plan is not None
    assert watcher.plan.requests == outcome.transfers, "the plan said so"
    in_vain = ERASE_WORTH + WRITE_WORTH * SECTOR // transfer_size
    assert outcome.uploads == APP1.size // transfer_size + 1 + in_vain, "each block after, the boot unit, a few before"
    assert rig.board.state().violations == ()


def test_usbx_is_polled_through_its_stalls_and_never_driven_into_an_error() -> None:
    rig = Rig(Model.USBX)
    outcome = rig.flash(image(100_000))
    assert rig.board.state().violations == ()
    assert outcome.slept < 3.0, "244 ms are claimed for each of some 120 operations"
    assert rig.board.state().requests < 8 * (outcome.blocks + outcome.erases)


def test_poll_spec_waits_as_claimed() -> None:
    rig = Rig(Model.CLASSIC)
    outcome = rig.flash(image(3000), replace(TARGET, poll=PollPolicy.SPEC))
    assert outcome.slept == pytest.approx(sum(rig.naps))
    assert outcome.slept >= 0.050 * (outcome.erases + outcome.blocks)
    assert held(rig, 3000) == image(3000)


def test_blank_parts_of_an_image_are_not_written() -> None:
    data = image(3000) + b"\xff" * 30_000 + image(2000)
    rig = Rig()
    outcome = rig.flash(data)
    assert held(rig, len(data)) == data
    assert outcome.blocks < 10
    assert outcome.verified is Verified.YES


def test_an_image_with_a_blank_start_is_flashed_and_said_not_to_be_protected() -> None:
    data = b"\xff" * 16 + image(3000)
    rig, watcher = Rig(), Watcher()
    outcome = rig.flash(data, watcher=watcher)
    assert held(rig, len(data)) == data
    assert outcome.protection.startswith("not protectable")
    assert watcher.events[-1] == "committed"


def test_an_image_that_is_blank_is_not_called_verified() -> None:
    rig = Rig()
    outcome = rig.flash(b"\xff" * 100)
    assert held(rig, 100) == b"\xff" * 100
    assert outcome.verified is Verified.NO
    assert outcome.blocks == 0


def test_erase_partition_leaves_nothing_of_the_old_image() -> None:
    rig, target = Rig(), replace(small(), erase=ErasePolicy.PARTITION)
    rig.flash(image(3000), target)
    assert rig.memory(Range(APP1.start + 3000, target.span.end)) == b"\xff" * (target.span.size - 3000)
    assert not rig.outside_changed(target.span)


def test_the_second_bank_is_flashed_where_it_is_trusted() -> None:
    rig = Rig()
    target = replace(TARGET, partition="partition2", span=PARTITION2, banks=BankPolicy.TRUSTED)
    data = image(50_000, start=PARTITION2.start)
    rig.flash(data, target)
    assert rig.memory(Range.sized(PARTITION2.start, len(data))) == data
    assert not rig.outside_changed(PARTITION2)


def test_a_bootloader_that_does_nothing_is_never_called_verified() -> None:
    rig = Rig(Model.CLASSIC_TEMPLATE)
    outcome = rig.flash(image(5000))
    assert outcome.verified is Verified.NO
    assert any("nothing is read back" in note for note in outcome.notes)


def test_verify_never_reads_nothing() -> None:
    rig = Rig()
    outcome = rig.flash(image(5000), replace(TARGET, verify=VerifyPolicy.NEVER, banks=BankPolicy.TRUSTED))
    assert (outcome.uploads, outcome.verified) == (0, Verified.NO)
    assert held(rig, 5000) == image(5000)


def test_verify_always_erases_nothing_on_a_board_that_refuses_to_be_read() -> None:
    rig, watcher = Rig(Model.CLASSIC_NOREAD), Watcher()
    with pytest.raises(VerifyError, match="nothing was erased"):
        rig.flash(image(5000), replace(TARGET, verify=VerifyPolicy.ALWAYS), watcher)
    assert rig.memory() == rig.old
    assert watcher.events == []


@pytest.mark.parametrize("model", [Model.CLASSIC_CONSTANT, Model.CLASSIC_ECHO, Model.CLASSIC_STALE])
def test_verify_always_writes_no_boot_unit_on_a_board_whose_reads_are_not_to_be_believed(model: Model) -> None:
    rig, watcher = Rig(model), Watcher()
    with pytest.raises(VerifyError, match="boot unit was not written"):
        rig.flash(image(5000), replace(TARGET, verify=VerifyPolicy.ALWAYS), watcher)
    assert held(rig, 16) == b"\xff" * 16
    assert "committed" not in watcher.events
    assert rig.present, "no leave"
    assert not watcher.history.reading_proved


@pytest.mark.parametrize("model", [Model.CLASSIC_CONSTANT, Model.CLASSIC_ECHO, Model.CLASSIC_STALE])
def test_verify_always_fails_on_such_a_board_for_an_image_with_a_blank_start_too(model: Model) -> None:
    rig, watcher = Rig(model), Watcher()
    with pytest.raises(VerifyError, match='verify = "always"'):
        rig.flash(b"\xff" * 16 + image(5000), replace(TARGET, verify=VerifyPolicy.ALWAYS), watcher)
    assert "committed" not in watcher.events
    assert rig.present, "no leave"


def test_verify_always_on_a_board_that_can_be_read() -> None:
    outcome = Rig().flash(image(5000), replace(TARGET, verify=VerifyPolicy.ALWAYS))
    assert outcome.verified is Verified.YES


@pytest.mark.parametrize("model", [model for model in Model if model not in PLAIN_MODELS])
def test_a_survey_writes_nothing_and_costs_little(model: Model) -> None:
    rig = Rig(model)
    with rig.open() as pipe:
        plan = engine.survey(pipe, Image.raw(image(5000)), TARGET)
    assert plan.erases == 1
    state = rig.board.state()
    assert (state.erases, state.words) == (0, 0)
    assert state.uploads < 100
    assert rig.memory() == rig.old
    assert rig.present


def test_a_refusal_leaves_the_board_untouched() -> None:
    rig, watcher = Rig(), Watcher()
    with pytest.raises(RefusedError):
        rig.flash(image(APP1.size + 1), watcher=watcher)
    assert rig.memory() == rig.old
    assert watcher.events == []


def test_a_board_that_only_lacks_its_leave() -> None:
    rig = Rig()
    rig.flash(image(5000), replace(TARGET, leave=False))
    assert rig.present
    with rig.open() as pipe:
        assert engine.leave(pipe, TARGET)
    assert not rig.present
    assert held(rig, 5000) == image(5000)


def test_a_running_application_is_detached() -> None:
    rig = Rig(runtime=True)
    rig.flash(image(5000))
    assert not rig.present
    assert rig.board.connection() is not None
    with rig.open() as pipe:
        engine.detach(pipe)
    assert rig.present


@pytest.mark.parametrize("bad", [16, 17])
def test_a_sector_that_fails_is_named_and_nothing_boots(bad: int) -> None:
    rig = Rig(layout=FlashLayout(bad=frozenset({bad})))
    with pytest.raises(DfuStatusError, match=f"0x{BASE + bad * SECTOR:08x}.*errVENDOR"):
        rig.flash(image(20_000))
    if bad != 16:
        assert held(rig, 16) == b"\xff" * 16
    assert not rig.outside_changed(APP1)


@pytest.mark.parametrize("model", READABLE + UNREADABLE)
def test_it_stops_at_any_safe_point_in_dfu_idle_and_the_next_flash_succeeds(model: Model) -> None:
    target, data = small(), image(20_000)
    watcher = Watcher()
    Rig(model).flash(data, target, watcher)
    for stop in random.Random(1).sample(range(1, watcher.checks + 1), 12):  # noqa: S311 - a fixed choice

        def park(check: int, stop: int = stop) -> None:
            if check == stop:
                raise ParkedError("the daemon is stopping")

        rig, parked = Rig(model), Watcher(on_check=park)
        with pytest.raises(ParkedError):
            rig.flash(data, target, parked)
        assert held(rig, 16) in (b"\xff" * 16, rig.old[APP1.start - BASE :][:16])
        assert ("began" in parked.events) == (rig.memory() != rig.old)
        assert rig.board.state().violations == ()
        with rig.open() as pipe:
            assert pipe.receive(5, 0, 1, timeout=1) == b"\x02"
        rig.flash(data, target)
        assert held(rig, len(data)) == data


def test_recording_comes_before_the_first_erase_and_after_the_boot_unit() -> None:
    rig, data = Rig(), image(9000)
    seen: list[bytes] = []
    watcher = Watcher(on_began=lambda: seen.append(rig.memory()), on_committed=lambda: seen.append(rig.memory()))
    rig.flash(data, watcher=watcher)
    assert seen[0] == rig.old
    assert seen[1][APP1.start - BASE :][: len(data)] == data
    assert rig.board.state().erases == 2


MAPS = (
    HONEST_MAP,
    "@Internal Flash   /0x08000000/4*8Ka,252*8Kg",  # ST's sample: lies about size and protection
    "@Internal Flash   /0x08000000/128*8Kg",
    "@Internal Flash   /0x08000000/64*16Kg",
    "@Internal Flash   /0x08020000/112*8Kg",
    "@Internal Flash   /0x08020000/20*8Kg,92*8Ka",
    "@Internal Flash   /0x08020000/1*384Kg",
    "nothing of the kind",
    "",
)


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(-2, 120),
    sectors=st.integers(1, 6),
    size=st.integers(1, 20_000),
    transfer_size=st.sampled_from((16, 64, 256, 1000, 1024, 2048, 4096)),
    text=st.sampled_from(MAPS),
    model=st.sampled_from((*READABLE, *UNREADABLE)),
    policies=st.tuples(*map(st.sampled_from, (MapPolicy, ErasePolicy, VerifyPolicy, BankPolicy, PollPolicy))),
)
def test_no_byte_outside_the_partition_ever_changes(  # noqa: PLR0917 - hypothesis passes them by name
    first: int,
    sectors: int,
    size: int,
    transfer_size: int,
    text: str,
    model: Model,
    policies: tuple[MapPolicy, ErasePolicy, VerifyPolicy, BankPolicy, PollPolicy],
) -> None:
    span = Range.sized(APP1.start + first * SECTOR, sectors * SECTOR)
    memory_map, erase, verify, banks, poll = policies
    target = replace(
        TARGET, span=span, map=memory_map, erase=erase, verify=verify, banks=banks, poll=poll, protected=(BOOTLOADER,)
    )
    rig, watcher = Rig(model, map=text, transfer_size=transfer_size), Watcher()
    ended = rig.attempt(image(size), target, watcher)
    if watcher.plan is None:
        assert rig.memory() == rig.old
    if not isinstance(ended, FlashdeckError):
        assert rig.memory(Range.sized(span.start, size)) == image(size)
    assert not rig.outside_changed(span)
    assert rig.board.state().violations == ()


@pytest.mark.parametrize("model", READABLE)
def test_one_stall_of_the_first_read_costs_no_proof(model: Model) -> None:
    uploads: list[int] = []
    for at in range(1, 25):  # the first read is one of these requests
        rig, data = Rig(model), image(20_000)
        rig.bench.fault("board", Fault.STALL, at)
        outcome = rig.flash(data)
        assert (outcome.verified, held(rig, len(data)) == data) == (Verified.YES, True), at
        uploads.append(outcome.uploads)
    assert len(set(uploads)) > 1, "none of them was a read"
