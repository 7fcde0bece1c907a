"""The doctor's look at every emulated bootloader: nothing is written, nothing breaks, and the board can be flashed."""

import random
from dataclasses import replace

import pytest

from diagnosis_rig import PROFILE, codes, finding, look
from flash_rig import APP1, BASE, Rig, image
from flashdeck.config import Partition
from flashdeck.diagnosis import Severity
from flashdeck.errors import FlashdeckError, RefusedError
from flashdeck.geometry import Geometry, Range
from flashdeck.text import clean
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.facts import identify
from flashdeckd.dfu.wire import DfuRequest, DfuState, erase_page, set_address
from flashdeckd.diagnosis.harmless import HarmlessPipe
from flashdeckd.diagnosis.observation import ReadOutcome
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.jobs.worker import MAX_MAPS
from flashdeckd.virtual.spec import PLAIN_MODELS, STORES_NOTHING, Model

READ_FINDINGS = {
    Model.CLASSIC_NOREAD: "read-refused",
    Model.CLASSIC_TEMPLATE: "read-refused",
    Model.CLASSIC_OLD_NOREAD: "read-constant",
    Model.CLASSIC_OLD_TEMPLATE: "read-constant",
    Model.CLASSIC_ECHO: "read-echo",
    Model.CLASSIC_CONSTANT: "read-constant",
    Model.ROM_RDP1_SILENT: "read-refused",
}
SAMPLE_MAP = "@Internal Flash   /0x08000000/04*8Ka,252*8Kg"


@pytest.mark.parametrize("model", [*Model])
def test_nothing_is_erased_or_written_and_no_rule_of_the_class_broken(model: Model) -> None:
    rig = Rig(model)
    look(rig)
    state = rig.board.state()
    assert (state.erases, state.words, state.violations) == (0, 0, ())
    assert rig.memory() == rig.old
    with rig.open() as pipe:
        assert class_requests.get_state(pipe) == DfuState.IDLE


@pytest.mark.parametrize("model", [*Model])
def test_the_board_can_be_flashed_afterwards_as_if_nobody_had_looked(model: Model) -> None:
    looked, untouched = Rig(model), Rig(model)
    look(looked)
    data = image(20_000)
    outcomes = [rig.attempt(data) for rig in (looked, untouched)]
    assert [type(outcome) for outcome in outcomes] == [type(outcomes[1])] * 2
    assert looked.memory() == untouched.memory()
    if not isinstance(outcomes[0], FlashdeckError) and model not in STORES_NOTHING:
        assert looked.memory(Range.sized(APP1.start, len(data))) == data


@pytest.mark.parametrize("model", [model for model in Model if model not in PLAIN_MODELS])
def test_it_says_of_each_model_how_it_answers_reads(model: Model) -> None:
    _, report = look(Rig(model))
    assert READ_FINDINGS.get(model, "read-answers") in codes(report)


@pytest.mark.parametrize("model", [model for model in Model if model in PLAIN_MODELS])
def test_a_plain_device_is_not_sent_a_single_address(model: Model) -> None:
    rig = Rig(model)
    _, report = look(rig)
    assert "plain-dfu" in codes(report)
    assert rig.board.state().downloads == 0


PLAIN = replace(
    PROFILE, geometry=Geometry(()), partitions={"app1": Partition("app1", Range(0, APP1.size), alternate=0)}
)


@pytest.mark.parametrize("model", [model for model in Model if model in PLAIN_MODELS])
def test_of_a_plain_device_the_first_block_is_read_and_nothing_is_sent(model: Model) -> None:
    rig = Rig(model)
    seen, report = look(rig, profile=PLAIN)
    state = rig.board.state()
    assert (state.downloads, state.uploads, state.erases, state.words, state.violations) == (0, 1, 0, 0, ())
    (read,) = seen.reads
    assert (read.outcome, read.data) == (ReadOutcome.DATA, rig.memory(Range.sized(APP1.start, len(read.data))))
    assert ("read-answers" if seen.functional.manifestation_tolerant else "read-before-only") in codes(report)
    with rig.open() as pipe:
        assert class_requests.get_state(pipe) == DfuState.IDLE


def test_a_device_with_addresses_is_not_read_by_alternate_settings() -> None:
    rig = Rig(Model.CLASSIC)
    _, report = look(rig, profile=PLAIN)
    assert rig.board.state().uploads == 0
    assert "wants-addresses" in codes(report)


def test_only_the_ends_of_partitions_that_are_not_protected_are_read() -> None:
    seen, _ = look(Rig(Model.CLASSIC))
    partitions = {name: each.span for name, each in PROFILE.partitions.items()}
    assert {read.partition for read in seen.reads} == {"app1", "partition2"}
    assert all(partitions[read.partition].covers(read.span) for read in seen.reads)
    assert {read.span.start for read in seen.reads} >= {APP1.start, APP1.end - 1024}


def test_a_board_that_dies_of_reads_beyond_its_flash_survives_although_its_map_offers_them() -> None:
    rig = Rig(Model.CLASSIC_CRASH, map=SAMPLE_MAP)
    _, report = look(rig)
    assert rig.present
    assert finding(report, "map-too-large").severity is Severity.WARNING
    assert "96 KiB" in finding(report, "map-opens-protected").seen
    assert "1 MiB more" in report.explanations[0].meaning


def test_what_the_map_does_not_let_be_read_is_not_read() -> None:
    rig = Rig(Model.CLASSIC, map="@Internal Flash   /0x08000000/16*8Ka,112*8Kf")
    seen, report = look(rig)
    assert (seen.reads, rig.board.state().uploads) == ((), 0)
    assert "does not let it be read" in finding(report, "read-not-tried").seen
    assert {partition for partition, _ in seen.unread} == {"app1", "partition2"}


def test_a_board_that_was_lost_in_reads_before_is_not_read() -> None:
    rig = Rig(Model.CLASSIC)
    seen, _ = look(rig, BootloaderHistory(reads_lost=2))
    assert (seen.reads, rig.board.state().uploads) == ((), 0)


def test_a_read_that_takes_the_board_with_it_is_reported_and_ends_the_look() -> None:
    outside = Range.sized(BASE + (2 << 20), 8192)
    partitions = {"far": Partition("far", outside), "app1": Partition("app1", APP1)}
    rig = Rig(Model.CLASSIC_CRASH, map="@Internal Flash   /0x08000000/512*8Kg")
    seen, report = look(rig, profile=replace(PROFILE, partitions=partitions))
    assert [read.outcome for read in seen.reads] == [ReadOutcome.LOST]
    assert {"read-kills", "look-ended"} <= set(codes(report))
    assert "does not survive a read" in report.explanations[0].meaning


def test_claims_of_hours_do_not_hold_the_look_up() -> None:
    rig = Rig(Model.CLASSIC, poll_write=0xFFFFFF)
    _, report = look(rig)
    assert sum(rig.naps) < 60
    assert "claims-absurd" in codes(report)


@pytest.mark.parametrize("claim", [50, 244])
def test_what_a_claim_costs_with_a_host_that_obeys_is_said_in_seconds(claim: int) -> None:
    _, report = look(Rig(Model.CLASSIC, poll_write=claim))
    means = finding(report, "claims-slow").means
    assert {50: "40.8 s", 244: "3 min 19 s"}[claim] in means


@pytest.mark.parametrize("model", [*Model])
def test_the_names_are_those_that_adopting_a_board_pins(model: Model) -> None:
    rig = Rig(model)
    seen, _ = look(rig)
    with rig.open() as pipe:
        assert seen.names == clean(identify(pipe, rig.nap), MAX_MAPS)


def test_a_quirk_is_told_where_it_changes_something() -> None:
    assert "quirk" not in codes(look(Rig(Model.CLASSIC))[1])
    rom = "@Device Feature/0xFFFF0000/01*004 g"
    assert "quirk" in codes(look(Rig(Model.CLASSIC, map=rom))[1])


def test_a_board_in_error_at_power_on_is_said_to_be() -> None:
    _, report = look(Rig(Model.ROM))
    assert "errFIRMWARE" in finding(report, "found-in-error").seen


def test_the_pipe_of_the_look_refuses_everything_that_could_change_a_flash() -> None:
    rig, chosen = Rig(Model.CLASSIC), random.Random(1)  # noqa: S311 - no secret
    with rig.open() as pipe:
        harmless = HarmlessPipe(pipe, (APP1,))
        before = pipe.transfers
        attempts = [
            (DfuRequest.DNLOAD, 0, erase_page(APP1.start)),
            (DfuRequest.DNLOAD, 0, b"\x41"),
            (DfuRequest.DNLOAD, 0, b"\x92"),
            (DfuRequest.DNLOAD, 0, set_address(APP1.end)),
            (DfuRequest.DNLOAD, 0, set_address(BASE)),
            (DfuRequest.DNLOAD, 0, set_address(APP1.start) + b"\0"),
            (DfuRequest.DNLOAD, 2, set_address(APP1.start)),
            (DfuRequest.DNLOAD, 2, b""),
            (DfuRequest.DETACH, 1000, b""),
            (DfuRequest.CLRSTATUS, 0, b"\0"),
            *((chosen.randrange(7, 256), 0, b"") for _ in range(20)),
            *((DfuRequest.DNLOAD, chosen.randrange(1, 65536), chosen.randbytes(16)) for _ in range(50)),
        ]
        for request, value, data in attempts:
            with pytest.raises(RefusedError, match="nothing was sent"):
                harmless.send(request, value, data, timeout=1.0)
        assert pipe.transfers == before
        harmless.send(DfuRequest.DNLOAD, 0, set_address(APP1.start), timeout=1.0)
