"""How much the doctor looks at and says, and how long it waits: as much as the number says, and no more."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from asked_times import asked_times
from diagnosis_rig import PROFILE, case, codes, finding, look, observation
from flash_rig import APP1, SECTOR, Rig
from flashdeck.config import Config, Partition, UsbId
from flashdeck.geometry import Range
from flashdeckd.boards.bench import Bench
from flashdeckd.diagnosis.descriptors import SMALL
from flashdeckd.diagnosis.installation import MAX_RULES, inspect
from flashdeckd.diagnosis.judge import LONGEST, judge
from flashdeckd.diagnosis.observation import Observation
from flashdeckd.diagnosis.probe import LONGEST_NAP, MAX_NAMES, MAX_PARTITIONS, observe
from flashdeckd.diagnosis.timing import ABSURD, QUICK
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.jobs.bootloader_book import MAX_READS_LOST
from flashdeckd.offline_doctor import FIRST_LOOK_SECONDS, SETTLE_SECONDS, see
from flashdeckd.usb.device import UnreadDevice, UsbDevice
from model_pipe import BASE, PAGE, ModelPipe

DEVICE = UsbDevice("1-4.2", "pci-0-usb-0:4.2", 1, 7, UsbId(0x0483, 0xDF11), 0x0200)


def said(seen: Observation) -> list[str]:
    return codes(judge(case(seen)))


def test_a_block_is_small_below_its_bound() -> None:
    assert "transfer-size-small" in said(observation(functional={"transfer_size": SMALL - 16}))
    assert "transfer-size-small" not in said(observation(functional={"transfer_size": SMALL}))


def test_a_claim_is_honest_slow_or_absurd() -> None:
    found = [said(observation(claims=(claim,))) for claim in (QUICK, QUICK + 1, ABSURD, ABSURD + 1)]
    names = ["claims-honest", "claims-slow", "claims-slow", "claims-absurd"]
    assert all(name in each for name, each in zip(names, found, strict=True))


def test_trouble_is_said_up_to_its_longest() -> None:
    for length, cut in ((LONGEST, False), (LONGEST + 1, True)):
        told = finding(judge(case(observation(trouble="t" * length))), "look-ended")
        assert told.seen.endswith("…") is cut


def test_so_many_partitions_are_read() -> None:
    spans = [Range.sized(APP1.start + index * SECTOR, SECTOR) for index in range(MAX_PARTITIONS + 1)]
    partitions = {f"p{index}": Partition(f"p{index}", span) for index, span in enumerate(spans)}
    seen, _ = look(Rig(), profile=replace(PROFILE, partitions=partitions))
    assert len(seen.reads) == 2 * MAX_PARTITIONS
    assert [name for name, _ in seen.unread] == [f"p{MAX_PARTITIONS}"]


def looked_at(pipe: ModelPipe, *partitions: Partition) -> Observation:
    profile = replace(PROFILE, partitions={each.name: each for each in partitions})
    return observe(pipe, profile, UNKNOWN, pipe.sleep)


def test_names_are_kept_up_to_their_longest() -> None:
    names = [looked_at(ModelPipe(texts={4: "n" * length})).names for length in (MAX_NAMES, MAX_NAMES + 1)]
    assert names == ["n" * MAX_NAMES, "n" * (MAX_NAMES - 1) + "…"]


def test_a_claimed_time_is_obeyed_only_so_long() -> None:
    pipe = ModelPipe(poll_ms=60_000)
    assert looked_at(pipe, Partition("app", Range.sized(BASE, PAGE))).reads
    assert set(pipe.naps) == {LONGEST_NAP}


def test_so_many_reads_may_cost_the_board() -> None:
    for lost, reads in ((MAX_READS_LOST - 1, True), (MAX_READS_LOST, False)):
        seen, _ = look(Rig(), BootloaderHistory(reads_lost=lost))
        assert bool(seen.reads) is reads


def test_so_many_bytes_of_a_rules_file_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    rule = 'ATTR{idVendor}=="0483", ATTR{idProduct}=="df11"'
    for before, known in ((MAX_RULES - len(rule), True), (MAX_RULES - len(rule) + 1, False)):
        (tmp_path / "70-mine.rules").write_text("\n" * before + rule)
        machine = inspect(Config(profiles={"product": PROFILE}), [], [], nodes=tmp_path, rules=[tmp_path])
        assert bool(machine.unruled) is not known


class Bus:
    """A bus with nothing on it, and the bench that is shown it."""

    trouble = ""
    hint = ""
    unread = ()

    def __init__(self) -> None:
        self.shown = 0

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        yield frozenset()

    async def see(self, devices: frozenset[UsbDevice], unread: Iterable[UnreadDevice]) -> None:
        assert (devices, tuple(unread)) == (frozenset(), ())
        self.shown += 1


async def test_the_bus_is_given_time_and_what_comes_up_a_little_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, bus = asked_times(monkeypatch), Bus()
    await see(cast("Bench", bus), bus)
    assert asked.timeouts == [FIRST_LOOK_SECONDS, SETTLE_SECONDS]
    assert bus.shown == 1
