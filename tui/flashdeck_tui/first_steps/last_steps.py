"""The steps behind the last yes, as values and in words. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.values import quoted
from flashdeck_tui.first_steps.picture import short_path
from flashdeck_tui.first_steps.setup import BoardSetup
from flashdeck_tui.first_steps.way_choice import words_of
from flashdeck_tui.installer.steps import Line, steps_of

WAITS: Final = "if the board cannot be read, it waits for 'flashdeck release'"
"""The remark on a partition in another bank than what is protected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """All that is done, in order."""

    setup: BoardSetup
    main: Path
    """The configuration that the daemon reads."""
    file: Path
    """The file to write: `main`, or one beside it that is to be included."""
    is_there: bool = False
    """True if the file has the very text already: an earlier run has written it."""
    install: tuple[Line, ...] = ()
    """The steps of an installation that are missing here."""
    daemon_runs: bool = False

    @property
    def writes(self) -> bool:
        """True if there is a file to write."""
        return bool(self.setup.text)

    @property
    def include(self) -> str:
        """The line that a person has to put into the main file; "" where nothing has to be included."""
        return f"include = [{quoted(self.file.name)}]" if self.writes and self.file != self.main else ""


def in_words(steps: Steps, *, root: Path, home: Path) -> Iterator[str]:
    """Yield a line for each step, as "write ~/.config/…"."""
    if steps.writes:
        yield f"{'use' if steps.is_there else 'write'} {tilde(steps.file, home)}"
    if steps.include:
        yield f"wait until you have added it to {tilde(steps.main, home)}, which is not changed"
    yield from _install(steps.install)
    if steps.writes and steps.daemon_runs:
        yield "let flashdeckd read it"
    for image in steps.setup.images:
        waits = image.partition in steps.setup.waits_for_release
        later = f"; {WAITS}" if waits else ""
        yield f"flash {image.partition} with {clean(short_path(image.path, str(root)), MAX_PATH)}{later}"
    if steps.writes:  # the last: it can be changed at the question below it
        profile = steps.setup.profile
        yield f"get the board into DFU mode from then on ({words_of(profile.enter, profile.enter_hint)})"


def tilde(path: Path, home: Path) -> str:
    """Return a path as people write it."""
    text = clean(str(path), MAX_PATH)
    return f"~{text.removeprefix(str(home))}" if path.is_relative_to(home) else text


def _install(lines: Sequence[Line]) -> Iterator[str]:
    steps = steps_of(lines)
    if not steps:
        return
    as_root = ", as root" if any(step.as_root for step in steps) else ""
    yield f"install what is missing here{as_root}: 'flashdeck install --dry-run' lists it"
