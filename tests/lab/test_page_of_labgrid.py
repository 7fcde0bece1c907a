"""The commands of the pages that want labgrid are run, beside a real coordinator."""

from pathlib import Path

import pytest

from manual.page_run import IN_A_LAB, ROOT, carry_out


@pytest.mark.parametrize("path", IN_A_LAB, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says_in_a_lab(path: Path) -> None:
    carry_out(path)


def test_there_is_such_a_page() -> None:
    assert IN_A_LAB
