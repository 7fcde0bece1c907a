"""The difference of two configurations: what has another name, what a person has to look at, what is kept."""

import pytest
from msgspec.structs import replace

from flashdeck.config_change import FORMER_BOARDS, MAX_DIFFERENCES, Changes, changes, succeeding
from flashdeck.config_record import BoardRecord, ConfigRecord, PartitionRecord, ProfileRecord

PROFILE = ProfileRecord(
    dfu="0483:df11",
    partitions={
        "bootloader": PartitionRecord(start=0x08000000, size=0x20000, protected=True),
        "app1": PartitionRecord(start=0x08020000, size=0x60000),
    },
)


def board(serial: str = "", port: str = "", profile: ProfileRecord = PROFILE, pinned: str = "") -> BoardRecord:
    return BoardRecord(serial=serial, port=port, profile=profile, pinned=pinned)


def of(**boards: BoardRecord) -> ConfigRecord:
    return ConfigRecord(boards=boards)


def with_partition(name: str, **changed: object) -> ProfileRecord:
    partitions = {**PROFILE.partitions, name: replace(PROFILE.partitions[name], **changed)}
    return replace(PROFILE, partitions=partitions)


A, B = board("A1"), board("B2")


@pytest.mark.parametrize(
    ("before", "after", "renamed", "gone"),
    [
        (of(left=A), of(left=A), {}, ()),
        (of(left=A), of(desk=A), {"left": "desk"}, ()),
        (of(left=A), of(), {}, ("left",)),
        (of(left=A, right=B), of(right=A, left=B), {"left": "right", "right": "left"}, ()),
        (of(left=A, right=B), of(left=B), {"right": "left"}, ()),
        (of(left=board(port="1-1")), of(desk=board(port="1-1")), {"left": "desk"}, ()),
        (of(left=A), of(desk=board("A1", "1-1")), {"left": "desk"}, ()),
        (of(left=board(port="1-1")), of(desk=board("A1", "1-1")), {"left": "desk"}, ()),
        (of(left=board("A1", "1-1")), of(desk=board(port="1-1")), {"left": "desk"}, ()),
        (of(left=board("A1", "1-1")), of(desk=board("B2", "1-1")), {}, ("left",)),
        (of(left=A), of(desk=B), {}, ("left",)),
        (of(left=A), of(left=B), {}, ()),
        (of(left=board()), of(desk=board()), {}, ("left",)),
        (of(left=A), of(desk=A, other=board("A1", profile=replace(PROFILE, dfu="1209:0001"))), {"left": "desk"}, ()),
        (
            of(one=A, two=board("A1", profile=replace(PROFILE, dfu="1209:0001"))),
            of(x=board("A1", "1-1")),
            {},
            ("one", "two"),
        ),
    ],
)
def test_a_board_is_known_again_by_what_it_is_recognised_by(
    before: ConfigRecord, after: ConfigRecord, renamed: dict[str, str], gone: tuple[str, ...]
) -> None:
    found = changes(before, after)
    assert (found.renamed, found.gone) == (renamed, gone)


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (A, B, "serial is B2, and was A1"),
        (A, board("A1", "1-1"), "port is 1-1, and was not given"),
        (A, board("A1", profile=replace(PROFILE, dfu="1209:0001")), "dfu is 1209:0001"),
        (A, board("A1", profile=replace(PROFILE, app="1209:0001")), "app is 1209:0001, and was not given"),
        (board("A1", pinned="x"), board("A1", pinned="y"), "pinned identity is y, and was x"),
        (board("A1", pinned="x"), A, "pinned identity is not given, and was x"),
        (
            A,
            board("A1", profile=with_partition("app1", start=0x08040000, size=0x40000)),
            "app1 is moved from 0x08020000-0x0807ffff to 0x08040000-0x0807ffff",
        ),
        (A, board("A1", profile=with_partition("app1", size=0x40000)), "partition app1 is resized"),
        (
            A,
            board("A1", profile=with_partition("bootloader", protected=False)),
            "bootloader, 0x08000000-0x0801ffff is not protected any more",
        ),
        (
            A,
            board("A1", profile=replace(PROFILE, partitions={"app1": PROFILE.partitions["app1"]})),
            "is not protected any more",
        ),
    ],
)
def test_what_a_person_has_to_look_at_first(before: BoardRecord, after: BoardRecord, difference: str) -> None:
    (told,) = changes(of(left=before), of(left=after)).held.values()
    assert difference in told
    assert told.startswith("the configuration has changed: ")
    assert difference in changes(of(left=before), of(left=after, other=B)).held["left"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (board(), A),
        (A, board("A1", pinned="x")),
        (A, board("A1", profile=with_partition("app1", protected=True))),
        (A, board("A1", profile=with_partition("app1", guards=("fits",)))),
        (A, board("A1", profile=replace(PROFILE, partitions={"bootloader": PROFILE.partitions["bootloader"]}))),
    ],
    ids=["it could not be recognised before", "pinned", "protected", "guards", "a partition is gone"],
)
def test_what_nobody_has_to_look_at(before: BoardRecord, after: BoardRecord) -> None:
    assert changes(of(left=before), of(left=after)).held == {}


def test_only_what_is_at_another_place_is_forgotten() -> None:
    moved = board("A1", profile=with_partition("app1", start=0x08040000))
    assert changes(of(left=A), of(left=moved)).elsewhere == {"left": ("app1",)}
    assert changes(of(left=A), of(desk=moved)).elsewhere == {"desk": ("app1",)}
    assert changes(of(left=A), of(left=board("A1", profile=with_partition("app1", size=8192)))).elsewhere == {}


def test_a_renamed_board_that_changes_too_is_on_hold_under_its_new_name() -> None:
    assert "app is" in changes(of(left=A), of(desk=board("A1", profile=replace(PROFILE, app="1:2")))).held["desk"]


def test_a_board_that_was_away_for_a_while_comes_back_to_what_was_known_of_it() -> None:
    before = of(left=A)
    away = succeeding(before, of(), changes(before, of()))
    assert away.former == {"left": A}
    back = changes(away, of(left=A))
    assert back == Changes(mark=back.mark)
    assert changes(away, of(desk=A)).renamed == {"left": "desk"}
    moved = of(left=board("A1", profile=with_partition("app1", start=0x08040000)))
    assert "app1 is moved" in changes(away, moved).held["left"]
    assert succeeding(away, of(desk=A), changes(away, of(desk=A))).former == {}


def test_of_so_many_boards_that_went_the_last_are_remembered() -> None:
    known = ConfigRecord()
    for number in range(FORMER_BOARDS + 1):
        now = of(**{f"b{number}": board(f"S{number}")})
        known = succeeding(known, now, changes(known, now))
    known = succeeding(known, of(), changes(known, of()))
    assert len(known.former) == FORMER_BOARDS
    assert "b0" not in known.former
    assert f"b{FORMER_BOARDS}" in known.former


def test_so_many_differences_of_a_board_are_told() -> None:
    def many(count: int, start: int) -> BoardRecord:
        partitions = {f"p{n}": PartitionRecord(start=start + n * 8192, size=8192) for n in range(count)}
        return board("A1", profile=replace(PROFILE, partitions=partitions))

    for more in (0, 1):
        count = MAX_DIFFERENCES + more
        (told,) = changes(of(left=many(count, 0)), of(left=many(count, 65536))).held.values()
        assert told.count("is moved") == MAX_DIFFERENCES
        assert told.endswith("; and 1 more") is bool(more)


def test_what_was_confirmed_is_kept() -> None:
    known = ConfigRecord(confirmed={"/fw.toml": {"product": PROFILE}})
    assert succeeding(known, of(left=A), Changes()).confirmed == known.confirmed
