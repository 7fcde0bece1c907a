"""What is left to rename at a start, after any renamings that were recorded, cut short or taken back."""

from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.state.renames import KEPT_RENAMES, Renaming, renamings_from, text_of, to_be_done

BOARDS = ("left", "right", "third")
NAMES = st.permutations([*BOARDS, "desk", "rack"]).map(lambda names: dict(zip(BOARDS, names, strict=False)))
"""What each board is called, by what it was called in the recorded configuration."""


def moved(there: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    """Where what was kept of each board lies after a renaming, by where it was at first."""
    return {board: names.get(name, name) for board, name in there.items()}


@given(st.lists(NAMES, max_size=6), st.booleans())
def test_after_any_starts_that_were_cut_short_each_board_has_its_own(wanted: list[dict[str, str]], read: bool) -> None:
    known: tuple[Renaming, ...] = (Renaming(since="earlier", names={"left": "right"}),)
    there = {board: board for board in BOARDS}
    for names in wanted:
        left = to_be_done(known, "now", names)
        if left:
            known = (*known, Renaming(since="now", names=left))
        if read:
            known = renamings_from(text_of(known))
        there = moved(there, left)
        assert there == names
        assert not to_be_done(known, "now", names)


def test_what_was_recorded_since_is_not_taken_back() -> None:
    known = (Renaming(since="first", names={"left": "desk"}),)
    assert to_be_done(known, "first", {}) == {"desk": "left"}
    assert to_be_done(known, "second", {}) == {}
    assert to_be_done(known, "second", {"desk": "rack"}) == {"desk": "rack"}


def test_renamings_of_several_reloads_that_could_not_be_recorded_are_one() -> None:
    known = tuple(
        Renaming(since=since, names=names)
        for since, names in (("first", {"left": "desk"}), ("second", {"desk": "rack", "right": "left"}))
    )
    assert to_be_done(known, "first", {"left": "rack", "right": "left"}) == {}
    assert to_be_done(known, "first", {}) == {"rack": "left", "left": "right"}


def test_so_many_are_kept_and_those_of_an_older_release_are_none() -> None:
    known = tuple(Renaming(since=str(number), names={"left": "desk"}) for number in range(KEPT_RENAMES + 1))
    assert renamings_from(text_of(known)) == known[1:]
    assert renamings_from("0" * 64) == ()
