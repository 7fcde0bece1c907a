"""Safety rule 7 and the order of wishes: what a new job does to its queue."""

from dataclasses import replace

import msgspec

from flash_rig import TARGET
from flashdeck.config import ErasePolicy, PartitionKind
from flashdeck.geometry import Range
from flashdeck.job_state import JobStatus
from flashdeck.model import JobState, Origin
from flashdeckd.images.image import NOTHING, Image, Piece
from flashdeckd.jobs.contents import demanded
from flashdeckd.jobs.queue import Admission, admit, overtaken, superseded_by_erase
from job_states import BLOCKED, QUEUED, RUNNING, WAITING

SECTOR = 8192
A, B, C = (Image.raw(letter * 100) for letter in (b"A", b"B", b"C"))
TWO_PIECES = Image.of([Piece(0, b"P" * 100), Piece(SECTOR * 4, b"Q" * 10)])
FILLED = Image.raw(TWO_PIECES.read(Range(0, TWO_PIECES.end)))
PATCH = Image.of([Piece(SECTOR, b"patch")])
WIDER = Image.of([Piece(SECTOR - 2, b"a wider patch")])
ELSEWHERE = Image.of([Piece(3 * SECTOR, b"another")])
EVERY = {each.sha256: each for each in (A, B, C, TWO_PIECES, FILLED, PATCH, WIDER, ELSEWHERE)}


def job(number: int, image: Image, status: JobStatus = QUEUED, partition: str = "app1") -> JobState:
    return JobState(
        id=number,
        board="left",
        partition=partition,
        sha256=image.sha256,
        size=image.size,
        origin=Origin.BUILD,
        patch=not image.is_program,
        status=status,
        created_at=0,
    )


def wish(active: list[JobState], known: Image, wanted: Image, origin: Origin, target: object = TARGET) -> Admission:
    assert isinstance(target, type(TARGET))
    return admit(active, known, wanted, target=target, origin=origin, image_of=EVERY.get)


def built(active: list[JobState], known: Image, wanted: Image, target: object = TARGET) -> Admission:
    return wish(active, known, wanted, Origin.BUILD, target)


def test_a_new_artifact_is_queued() -> None:
    assert built([], NOTHING, A) == Admission(create=True)
    assert built([], B, A) == Admission(create=True)


def test_what_the_partition_has_is_not_flashed_again() -> None:
    assert built([], A, A) == Admission(create=False)


def test_the_newer_takes_the_place_of_one_that_has_not_begun() -> None:
    assert built([job(1, A, WAITING)], NOTHING, B) == Admission(create=True, superseded=(1,))


def test_the_same_image_twice_is_one_job() -> None:
    assert built([job(1, A)], NOTHING, A) == Admission(create=False)


def test_jobs_of_whoever_has_the_board_stay_and_are_counted_with() -> None:
    queue = [job(1, A), job(2, PATCH)]

    def beside(wanted: Image, origin: Origin) -> Admission:
        return admit(queue, NOTHING, wanted, target=TARGET, origin=origin, image_of=EVERY.get, kept={1})

    assert beside(B, Origin.BUILD) == beside(B, Origin.HAND) == Admission(create=True, superseded=(2,))
    assert beside(A, Origin.BUILD) == Admission(create=False)
    assert superseded_by_erase(queue, "app1", kept={1}) == (2,)


def test_a_running_job_is_never_superseded() -> None:
    assert built([job(1, A, RUNNING)], NOTHING, B) == Admission(create=True)


def test_back_to_what_is_being_flashed_needs_no_third_flash() -> None:
    queue = [job(1, A, RUNNING), job(2, B)]
    assert built(queue, NOTHING, A) == Admission(create=False, superseded=(2,))


def test_back_to_what_is_on_the_board_drops_the_queued_one() -> None:
    assert built([job(2, B)], A, A) == Admission(create=False, superseded=(2,))


def test_a_b_a_is_new_again() -> None:
    assert built([], B, A) == Admission(create=True)


def test_other_partitions_are_left_alone() -> None:
    assert built([job(1, B, partition="app2")], NOTHING, A) == Admission(create=True)


def test_what_a_person_asks_for_is_always_done() -> None:
    assert wish([job(1, B)], A, A, Origin.HAND) == Admission(create=True, superseded=(1,))


def test_a_blocked_job_gives_way_to_a_newer_build() -> None:
    assert built([job(1, A, BLOCKED)], NOTHING, C) == Admission(create=True, superseded=(1,))


def test_a_file_with_its_gaps_filled_satisfies_the_pieces_and_not_the_other_way_round() -> None:
    assert built([], FILLED, TWO_PIECES) == Admission(create=False)
    assert built([job(1, FILLED)], NOTHING, TWO_PIECES) == Admission(create=False)
    assert built([], TWO_PIECES, FILLED) == Admission(create=True)
    assert built([job(1, TWO_PIECES)], NOTHING, FILLED) == Admission(create=True, superseded=(1,))


def test_what_is_there_of_no_known_bytes_satisfies_nothing() -> None:
    lost = msgspec.structs.replace(job(1, A), sha256="0" * 64)
    assert built([lost], A, A) == Admission(create=False, superseded=(1,))


def test_a_patch_is_queued_behind_the_program_and_a_program_takes_the_place_of_both() -> None:
    assert built([job(1, A)], NOTHING, PATCH) == Admission(create=True)
    assert built([job(1, A), job(2, PATCH)], NOTHING, PATCH) == Admission(create=False)
    assert built([job(1, A), job(2, PATCH)], NOTHING, B) == Admission(create=True, superseded=(1, 2))


def test_a_patch_takes_the_place_of_one_whose_every_place_it_defines() -> None:
    assert built([job(1, PATCH)], NOTHING, WIDER) == Admission(create=True, superseded=(1,))
    assert built([job(1, WIDER)], NOTHING, PATCH) == Admission(create=True)
    assert built([job(1, PATCH)], NOTHING, ELSEWHERE) == Admission(create=True)


def test_a_patch_that_is_there_already_is_not_queued() -> None:
    there = PATCH.over(A)
    assert built([], there, PATCH) == Admission(create=False)
    assert built([], A, PATCH) == Admission(create=True)


def test_a_patch_behind_a_program_that_changes_its_sector_is_needed() -> None:
    there = PATCH.over(A)
    long_program = Image.raw(b"L" * (SECTOR + 1))
    EVERY[long_program.sha256] = long_program
    assert built([job(1, long_program, WAITING)], there, PATCH) == Admission(create=True)


def test_in_a_partition_for_data_every_new_image_replaces_the_last() -> None:
    data = replace(TARGET, holds=PartitionKind.DATA)
    assert built([job(1, A), job(2, PATCH)], NOTHING, ELSEWHERE, data) == Admission(create=True, superseded=(1, 2))


def test_where_all_of_the_partition_is_erased_what_an_image_does_not_define_counts() -> None:
    whole = replace(TARGET, erase=ErasePolicy.PARTITION)
    assert built([], demanded(A, whole), A, whole) == Admission(create=False)
    assert built([], A, A, whole) == Admission(create=True)
    assert built([job(1, TWO_PIECES)], NOTHING, FILLED, whole) == Admission(create=False)


def test_what_was_cut_short_gives_way_to_a_newer_program_and_not_to_a_patch() -> None:
    first, patch, second = job(1, A), job(2, PATCH), job(3, B)
    assert overtaken([first, patch]) == []
    assert overtaken([first, patch, second]) == [(first, second), (patch, second)]
    assert overtaken([job(1, A, RUNNING), second]) == []
