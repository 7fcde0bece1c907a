"""What a board may be running, as its jobs have left it."""

from dataclasses import replace

import pytest
from msgspec import structs

from flashdeck.config import Board, PartitionKind
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeck.model import Contents, Layer
from flashdeckd.boards.running_programs import running_programs
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.images.image import NOTHING, Image
from lane_rig import PROFILE

IMAGE = Image.raw(b"program!")
FLASHED = Contents(
    sha256=IMAGE.sha256,
    size=8,
    flashed_at=1.0,
    verified=Verified.YES,
    job=1,
    layers=(Layer(sha256=IMAGE.sha256, erased=((0, 8192),)),),
)


def programs(contents: Contents | None, **keys: object) -> list[BoardProgram]:
    partitions = {name: replace(each, **keys) for name, each in PROFILE.partitions.items()}  # type: ignore[arg-type]
    board = Board("left", replace(PROFILE, partitions=partitions), serial="1")
    images = {IMAGE.sha256: IMAGE}
    return list(running_programs(board, lambda _board, _partition: contents, images.get))


def test_each_partition_has_its_addresses_and_what_was_flashed_there() -> None:
    found = programs(FLASHED, image="/fw/APP1.bin")
    assert [each.partition for each in found] == list(PROFILE.partitions)
    for each in found:
        assert each.span == PROFILE.partitions[each.partition].span
        assert (each.image, each.unknown) == ("/fw/APP1.bin", "")
        assert each.read().within(Range(0, 8)) == IMAGE


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (None, "was not flashed by this daemon, so nobody knows its build"),
        (structs.replace(FLASHED, uncertain=True), "the contents of"),
        (structs.replace(FLASHED, complete=False), "holds no complete image"),
    ],
)
def test_what_nobody_knows_is_said(contents: Contents | None, why: str) -> None:
    for each in programs(contents):
        assert why in each.unknown
        assert each.partition in each.unknown


def test_an_image_that_the_spool_has_lost_is_nothing() -> None:
    board = Board("left", PROFILE, serial="1")
    (first, *_) = running_programs(board, lambda _board, _partition: FLASHED, lambda _: None)
    assert first.read() == NOTHING


def test_data_has_no_code() -> None:
    assert programs(FLASHED, holds=PartitionKind.DATA) == []


def test_an_alternate_setting_has_no_addresses() -> None:
    assert {each.span for each in programs(FLASHED, alternate=0)} == {None}
