"""The page about the simulation: its parts are what commands have printed, and give all reasons and rooms there are."""

from pathlib import Path

import pytest

from simulation.page import PAGE, part, with_part
from simulation.unreached import REASONS

DAEMON = Path(__file__).parents[3] / "daemon/flashdeckd"
TEXT = "# Page\n\n<!-- one: what `make one` printed -->\n\nold\n\n<!-- end of one -->\n\nbehind\n"


def test_a_part_is_what_a_command_has_printed() -> None:
    assert part(TEXT, "one") == "old"
    text = with_part(TEXT, "one", "make one SEEDS=2", ["| a |", "| b |"])
    assert part(text, "one") == "| a |\n| b |"
    assert "<!-- one: what `make one SEEDS=2` printed -->\n\n| a |" in text
    assert text.endswith("<!-- end of one -->\n\nbehind\n")


def test_a_part_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="the page has no part two"):
        with_part(TEXT, "two", "make two", [])


def test_the_page_gives_each_room_of_the_daemon_and_each_reason_for_lines_that_no_seed_reaches() -> None:
    told = part(PAGE.read_text(), "coverage")
    rooms = {path.name for path in DAEMON.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert {room for room in rooms if f"| `{room}` |" not in told} == set()
    reasons = {reason.why for reason in (*REASONS.excused, *REASONS.reachable)}
    assert {why for why in reasons if f" | {why} |" not in told} == set()
