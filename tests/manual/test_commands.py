"""Every command of README and docs is run: on an emulated bench of its page, in a virtual machine, a lab or by CI."""

import re
from pathlib import Path

import pytest

from manual.page_run import IN_A_LAB, TYPED, carry_out
from manual.pages import ROOT, Apart, Elsewhere, PageError, parsed, read

MOST_APART = 12
"""So many commands at most may run elsewhere than on a bench."""


@pytest.mark.long
@pytest.mark.parametrize(
    "path", [path for path in TYPED if path not in IN_A_LAB], ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_commands_of_a_page_do_what_it_says(path: Path) -> None:
    carry_out(path)


def test_few_commands_run_elsewhere_and_each_says_why() -> None:
    pages = [read(path) for path in TYPED]
    apart = [block for page in pages for block in page.apart]
    assert all(block.why and block.commands for block in apart)
    assert sum(len(block.commands) for block in apart) <= MOST_APART
    assert sum(page.commands for page in pages) > 2 * MOST_APART


def test_what_ci_is_said_to_run_is_a_step_of_it() -> None:
    """The reason names the step, in backticks."""
    steps = [line.strip().partition("step ")[2] for line in (ROOT / ".ci/run").read_text().splitlines()]
    reasons = [block.why for path in TYPED for block in read(path).apart if block.where is Elsewhere.CI]
    assert reasons
    for why in reasons:
        named = re.findall(r"`(make [\w-]+)`", why)
        assert named, why
        assert [step for step in named if not any(line.startswith(step) for line in steps)] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```sh\nflashdeck status\n```\n", "names no bench"),
        ("```sh\nflashdeck status\n", "has no end"),
        ("<!-- before:\nfirmware a b c\n", "has no end"),
        ("<!-- ends with: 9 -->\nWords.\n", "said of no block"),
        ("<!-- stays: x -->\n```toml\na = 1\n```\n", "is no sh"),
    ],
)
def test_a_page_that_means_nothing_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(PageError, match=wrong):
        parsed("docs/page.md", text)


def test_a_page_is_a_script_whose_lines_are_its_own() -> None:
    page = parsed(
        "docs/page.md",
        "# Page\n<!-- bench: product -->\n<!-- file: Makefile -->\n```make\nall:\n```\n"
        "- One:\n\n  ```sh\n  make  # all of it\n  ```\n<!-- only: by hand: a board -->\n```sh\nreset\n```\n",
    )
    assert page.script.splitlines() == [
        *("", "", "", "keep Makefile <<'END_OF_BLOCK'", "all:", "END_OF_BLOCK"),
        *("", "", "", "make  # all of it", "", "", "", "", ""),
    ]
    assert (page.bench, page.commands) == ("product", 1)
    assert page.apart == [Apart(Elsewhere.HAND, "a board", ("reset",))]
