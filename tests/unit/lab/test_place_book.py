"""The place that has a board, from two streams that know nothing of each other's order."""

from flashdeckd.lab.lab_lines import HeldBoard
from flashdeckd.lab.place_book import RESOURCE_CLASS, KnownPlace, PlaceBook

LEFT = f"rack/left/{RESOURCE_CLASS}/left"


def book() -> PlaceBook:
    return PlaceBook("rack", {"left": "left", "right": "right"})


def test_a_place_has_what_its_update_says() -> None:
    it = book()
    it.places["desk"] = KnownPlace("desk/ann", frozenset({LEFT, "other/left/FlashdeckBoard/left"}), ("cellar/bob",))
    it.places["free"] = KnownPlace("", frozenset({f"rack/right/{RESOURCE_CLASS}/right"}))
    assert it.held() == (HeldBoard(board="left", place="desk", holder="desk/ann", allowed=("cellar/bob",)),)
    assert it.has("desk", "left")
    assert not it.has("free", "right")


def test_what_was_asked_of_the_exporter_counts_before_the_update_comes() -> None:
    it = book()
    it.places["old"] = KnownPlace("desk/ann", frozenset({LEFT}))
    it.asked["left"] = "new"
    assert it.held() == (HeldBoard(board="left", place="new"),)  # and not yet anybody's
    it.places["new"] = KnownPlace("cellar/bob", frozenset({LEFT}))
    assert it.held() == (HeldBoard(board="left", place="new", holder="cellar/bob"),)


def test_a_board_that_a_place_is_about_to_get_is_not_free() -> None:
    it = book()
    it.wanted["left"] = "desk"
    assert it.held() == (HeldBoard(board="left", place="desk"),)


def test_a_resource_is_one_board_or_none() -> None:
    it = book()
    assert it.board_at("left", "left") == "left"
    assert it.board_at("right", "left") == it.board_at("left", "nobody") == ""
