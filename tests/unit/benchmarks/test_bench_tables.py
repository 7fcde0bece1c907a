"""What `make bench` prints: rows, promises and ratios, and how a promise that is not kept is told."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.__main__ import tell
from benchmarks.counts import full_limit, one_sector_changed
from benchmarks.markdown import rendered
from benchmarks.rows import Cost, Machine, Measure, Promise, Report, Row, Unit
from benchmarks.stands import EVERY_JOB, Failure, Result, side_by_side
from flash_rig import APP1, SECTOR, image
from flashdeck.api import VirtualBoardState

MACHINE = Machine(processor="A processor", cores=2, load=0.25, kernel="Linux 6", versions={"Python": "3.11", "x": "1"})


def state(**counts: float) -> VirtualBoardState:
    return msgspec.convert(
        {"name": "b", "model": "classic", "port": "1-1", "serial": "", "plugged": True, "mode": "dfu", **counts},
        VirtualBoardState,
    )


def report(*rows: Row, notes: tuple[str, ...] = ()) -> Report:
    return Report(machine=MACHINE, command="make bench", image=65536, rows=rows, notes=notes)


def cells(of: Report) -> list[list[str]]:
    """The table without its head."""
    lines = [line for line in rendered(of).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_a_cost_is_the_difference_of_two_looks_at_real_speed() -> None:
    before = state(requests=10, downloads=2, statuses=3, uploads=4, bytes_down=5, slept=1, bus_seconds=1)
    after = state(
        requests=20,
        downloads=5,
        statuses=6,
        uploads=6,
        bytes_down=100,
        erases=1,
        words=2,
        sleeps=3,
        slept=6,
        bus_seconds=4,
        busy_seconds=7,
    )
    assert Cost.between(before, after, slowdown=10) == Cost(
        downloads=3,
        statuses=3,
        uploads=2,
        others=2,
        bytes=95,
        words=2,
        erases=1,
        sleeps=3,
        slept=0.5,
        model_seconds=1.0,
    )
    assert Cost.between(before, after).requests == 8, "UPLOADs are not counted"


def test_every_row_has_all_columns_and_numbers_stand_in_theirs() -> None:
    cost = Cost(downloads=1, statuses=2, uploads=3, others=4, bytes=5, erases=6, sleeps=7, slept=0.456)
    rows = cells(
        report(
            Row(what="counted", cost=cost, promises=(Promise("erases", 6, 6), Promise("sleeps", 0, 0))),
            Row(
                what="timed | a",
                tool="entr",
                seconds=2.346,
                measure=Measure(1.046, Unit.TIMES, 5),
                aim=1.05,
                remark="why",
            ),
        )
    )
    costs = ["1", "2", "3", "4", "5", "6", "7 (0.46 s)"]
    assert rows == [
        ["counted", "flashdeck", *costs, "", "", "6 of at most 6 erases; no sleeps", ""],
        ["timed \\| a", "entr", *[""] * 7, "2.35", "1.05 x (of 5)", "aim 1.05", "why"],
    ]


def test_machine_versions_and_notes_are_told() -> None:
    text = rendered(report(notes=("No VM.",)))
    head, *_ = text.splitlines()
    assert head == "`make bench` on 2 x A processor, load 0.2, Linux 6; Python 3.11, x 1. A full image has 64 KiB."
    assert text.endswith("- No VM.\n")


def test_what_is_printed_is_in_the_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = report(Row(what="full", cost=Cost(erases=2), promises=(Promise("erases", 2, 2),)), notes=("No VM.",))
    file = tmp_path / "new" / "bench.json"
    tell(made, file)
    assert capsys.readouterr().out == rendered(made)
    assert msgspec.json.decode(file.read_bytes(), type=Report) == made


def test_a_broken_promise_is_told_in_its_cell_and_of_the_report() -> None:
    broken = Row(what="full", cost=Cost(), promises=(Promise("requests", 10, 11), Promise("erases", 2, 2)))
    made = report(broken, Row(what="slow", measure=Measure(9.0, Unit.TIMES), aim=1.05))
    assert made.broken == ("full: 11 requests, promised are at most 10",), "times are never promised"
    assert cells(made)[0][-2] == "**broken: 11 of at most 10 requests**; 2 of at most 2 erases"


def test_a_measure_is_a_median() -> None:
    assert Measure.median([3.0, 1.0, 100.0], Unit.MILLISECONDS) == Measure(3.0, Unit.MILLISECONDS, 3)


@pytest.mark.parametrize(("block", "limit"), [(1024, 1330), (2048, 755)])
def test_a_smaller_image_is_promised_its_share(block: int, limit: int) -> None:
    assert full_limit(block, APP1.size) == limit
    half = full_limit(block, APP1.size // 2)
    assert limit // 2 < half <= limit // 2 + 20


def test_one_sector_changed_is_one_sector() -> None:
    old = image(65536)
    new = one_sector_changed(old)
    sectors = [at for at in range(0, len(old), SECTOR) if old[at : at + SECTOR] != new[at : at + SECTOR]]
    assert sectors == [32768]
    assert len(new) == len(old)


def test_every_tool_has_its_row_beside_flashdeck_and_what_failed_says_why() -> None:
    ours = Result("flashdeck", "full image", Cost(downloads=1, model_seconds=2.0), 3.0)
    peer = Result("dfu-util", EVERY_JOB, Cost(downloads=5, model_seconds=2.0), 30.0)
    rows = list(side_by_side("a board", [ours], [peer, Failure("other", "No device")]))
    assert [(row.what, row.tool) for row in rows] == [
        ("a board: full image", "flashdeck"),
        (f"a board: {EVERY_JOB}", "dfu-util"),
        (f"a board: {EVERY_JOB}", "other"),
    ]
    assert [row.measure.value for row in rows if row.measure] == [1.5, 15.0]
    assert (rows[0].remark, rows[2].remark) == ("", "failed: No device")


def test_a_row_in_which_a_peer_is_ahead_says_so_and_why() -> None:
    ours = Result("flashdeck", "full image", Cost(downloads=1, uploads=9, model_seconds=2.0), 4.0)
    peer = Result("dfu-util", EVERY_JOB, Cost(downloads=5, model_seconds=2.0), 3.0)
    row, *_ = side_by_side("a board", [ours], [peer])
    assert "slower than dfu-util: it reads" in row.remark
    assert "more requests than dfu-util" in row.remark
